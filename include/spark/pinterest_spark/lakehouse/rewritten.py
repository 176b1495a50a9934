"""Objects that the sink wrote again, with more lines, after they were read.

A sink that has written an object and lost the commit of its offsets begins there again, and writes the same name with
what came in the meantime. Auto Loader reads such an object again (``cloudFiles.allowOverwrites``). Spark's own source
knows an object by its path alone: what its checkpoint says that it read is compared with what is there.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import unquote

from pyspark.sql import SparkSession

from pinterest_spark.lakehouse.tables import PARTITIONED, Lake, append, create_once, local_rows, read
from pinterest_spark.lakehouse.unreadable import source_name
from pinterest_spark.rows.schemas import READ_AGAIN

BATCH = re.compile(r"\d+(\.compact)?")
NEWEST_FOLDERS = 30  # days: the sink rewrites what it has not committed, and that is what it wrote last


class Version(NamedTuple):
    """An object as it is now: its path, its ``source_file`` in bronze, and when it was written (milliseconds)."""

    path: str
    name: str
    written_at: int


def find(spark: SparkSession, lake: Lake, table: str, topic: str) -> list[Version]:
    """Return the objects of a topic that bronze has read in an older version; no Spark job where there is none."""
    known = {
        source_name(unquote(path)): at for path, at in versions_read(spark, lake.checkpoint("bronze", table)).items()
    }
    now = objects(spark, lake.topic(topic)) if known else []
    newer = [one for one in now if one.name in known and one.written_at > known[one.name]]
    if not newer:
        return []
    again = read(spark, lake.read_again, READ_AGAIN).where(f"table_name = '{table}'").collect()
    noted = {(one.source_file, one.version) for one in again}
    return [one for one in newer if (one.name, one.written_at) not in noted]


def note(spark: SparkSession, lake: Lake, table: str, found: list[Version]) -> None:
    """Write down which versions bronze has read by now."""
    rows = [(table, one.name, one.written_at, datetime.now(UTC)) for one in found]
    with create_once(spark, lake.read_again):
        append(local_rows(spark, rows, READ_AGAIN), lake.read_again, PARTITIONED)


def versions_read(spark: SparkSession, checkpoint: str) -> dict[str, int]:
    """Return when each object that Spark's file source has read was written, by path."""
    found: dict[str, int] = {}
    for status in statuses(spark, f"{checkpoint}/sources/0/*"):
        if BATCH.fullmatch(status.getPath().getName()):  # and no draft that a crash has left
            for line in read_text(spark, status.getPath()).splitlines()[1:]:  # the first is the format's version
                entry = json.loads(line)
                found[entry["path"]] = max(entry["timestamp"], found.get(entry["path"], 0))
    return found


def objects(spark: SparkSession, folder: str) -> list[Version]:
    """Return the objects in the newest folders of a topic."""
    days = sorted({status.getPath().getName() for status in statuses(spark, f"{folder}/dt=*")})[-NEWEST_FOLDERS:]
    if not days:
        return []
    found = []
    for day in statuses(spark, f"{folder}/{{{','.join(days)}}}"):
        # Listed and not matched by a pattern: Hadoop's fails on a name that has a colon
        for status in file_system(spark, day.getPath()).listStatus(day.getPath()):
            path = str(status.getPath().toString())
            if path.endswith((".json", ".json.gz")):
                found.append(Version(path, source_name(path), int(status.getModificationTime())))
    return found


def statuses(spark: SparkSession, pattern: str) -> list[Any]:
    path = jvm(spark).org.apache.hadoop.fs.Path(pattern)
    return list(file_system(spark, path).globStatus(path) or ())


def read_text(spark: SparkSession, path: Any) -> str:
    stream = file_system(spark, path).open(path)
    try:
        return str(jvm(spark).org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
    finally:
        stream.close()


def jvm(spark: SparkSession) -> Any:
    return spark._jvm


def file_system(spark: SparkSession, path: Any) -> Any:
    return path.getFileSystem(spark._jsc.hadoopConfiguration())
