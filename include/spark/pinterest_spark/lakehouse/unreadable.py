"""Objects of the lake that cannot be read: each is named, noted and left out, so that it holds back no other."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from pinterest_spark.lakehouse.tables import PARTITIONED, Lake, append, create_once, local_rows, read
from pinterest_spark.rows.schemas import BRONZE, TABLES, UNREADABLE

OBJECTS = "*.{json,json.gz}"  # what the connector may write; others, such as .bz2, are not read
WILDCARDS = re.compile(r"[\[\]{}*?\\]")
SOURCE_FILE = r"/(?:topics/)?((?:topics-[^/]+/)?[^/]+/dt[^/]+/[^/]+)$"
FAILED_READ = re.compile(r"reading file (.+?)\.\s+SQLSTATE")
# What a decompressor says of bytes that are no gzip, or end too early; a service that does not answer says other things
DAMAGED = re.compile(
    r"not a gzip file|Unexpected end of input stream|ZipException|DataFormatException|gzip crc|gzip size"
    r"|incorrect (?:header|data) check|invalid (?:block|stored|distance|literal|code|bit)"
)


def damaged_object(error: Exception) -> tuple[str, str] | None:
    """Return the path of the object that Spark says it cannot decompress, and why; None for any other error."""
    text = str(error)
    path, reason = FAILED_READ.search(text), DAMAGED.search(text)
    return (unquote(path[1]), reason[0]) if path and reason else None


def leave_out_unreadable[Counted](
    batch: DataFrame, count: Callable[[DataFrame], Counted], lake: "NewObjects"
) -> tuple[Counted, DataFrame, dict[str, str]]:
    """Return what ``count`` says of a micro-batch, the micro-batch, and its unreadable objects with the reason of each.

    Costs nothing where all can be read. Otherwise the micro-batch becomes all objects that bronze has nothing of, which
    a later one may bring again, and each unreadable one costs an attempt. An object counts as unreadable only if it
    fails again when it is read alone.
    """
    left_out: dict[str, str] = {}
    names: dict[str, str] | None = None
    while True:
        try:
            return count(batch), batch, left_out
        except Exception as error:
            found = damaged_object(error)
            if found is None:
                raise
            names = lake.names() if names is None else names
            name = source_name(found[0])
            if name not in names or can_be_read(lake.open([names[name]])):
                raise
            left_out[name] = found[1]
            del names[name]
            batch = lake.open(list(names.values()))


class NewObjects(Protocol):
    """The objects that bronze has nothing of."""

    def names(self) -> dict[str, str]:
        """Return their paths, by the name that bronze would give them."""

    def open(self, paths: list[str]) -> DataFrame:
        """Return their lines as a micro-batch has them."""


def can_be_read(lines: DataFrame) -> bool:
    try:
        lines.agg(sf.max("value")).collect()
    except Exception as error:
        if damaged_object(error):
            return False
        raise
    return True


def text_of(spark: SparkSession, paths: list[str]) -> DataFrame:
    """Return the lines of objects; a name may have characters that a path of Spark's takes for wildcards."""
    return spark.read.schema("value string").text([WILDCARDS.sub(r"\\\g<0>", path) for path in paths])


def source_name(path: str) -> str:
    """Return a path as bronze's ``source_file``: what is below ``topics/``, or from ``topics-<generation>/`` on."""
    found = re.search(SOURCE_FILE, path)
    return found[1] if found else ""


def note(spark: SparkSession, lake: Lake, table: str, found: dict[str, str]) -> None:
    """Write down unreadable objects, by the name that bronze gives its ``source_file``; each once until it is read."""
    if not found:
        return
    known = known_objects(spark, lake)[table]
    now = datetime.now(UTC)
    rows = [(table, name, reason, now) for name, reason in found.items() if name not in known]
    if rows:
        with create_once(spark, lake.unreadable):
            append(local_rows(spark, rows, UNREADABLE), lake.unreadable, PARTITIONED)


def known_objects(spark: SparkSession, lake: Lake) -> dict[str, list[str]]:
    """Return the unreadable objects that were found, by table, but for those that could be read later."""
    noted = read(spark, lake.unreadable, UNREADABLE).groupBy("table_name", "source_file")
    found = noted.agg(sf.max("seen_at").alias("seen_at")).collect()
    seen = {table: {one.source_file: one.seen_at for one in found if one.table_name == table} for table in TABLES}
    return {table: still_unreadable(spark, lake.bronze(table), objects) for table, objects in seen.items()}


def still_unreadable(spark: SparkSession, bronze: str, seen: dict[str, datetime]) -> list[str]:
    if not seen:
        return []
    lines = read(spark, bronze, BRONZE).where(sf.col("source_file").isin(*seen))
    found = lines.groupBy("source_file").agg(sf.max("landed_at").alias("at")).collect()
    read_at = {one.source_file: one.at for one in found}
    return sorted(name for name, at in seen.items() if name not in read_at or read_at[name] < at)
