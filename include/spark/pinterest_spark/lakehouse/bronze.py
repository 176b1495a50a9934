"""Bronze: every line of the lake once, as it came, with where it came from.

New and rewritten objects only, through Structured Streaming ``availableNow``: Auto Loader on Databricks, the text file
source elsewhere. The connector may write a record twice (wall-clock rotation is not exactly-once), or an object again
with more lines, and a micro-batch may be replayed after a crash. Such a copy has the same topic, partition, offset,
Kafka timestamp and payload: it is kept once.
A topic that was created again, or another cluster's, has another record at the same offset: time or payload differ, and
both are kept.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import and_, or_
from typing import Any, NamedTuple
from urllib.parse import unquote

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.types import StringType, StructField, StructType

from pinterest_spark.lakehouse import rewritten, unreadable
from pinterest_spark.lakehouse.offsets import OffsetRange, is_within
from pinterest_spark.lakehouse.tables import Lake, append, cached, exists, local_rows, read, row_count, run_in_threads
from pinterest_spark.lakehouse.work import Work
from pinterest_spark.rows.schemas import BRONZE, ENVELOPE, TABLES

MAX_FILES_PER_BATCH = 1000  # Auto Loader's own default; 5,000 records a file
KEY = ["topic", "partition", "offset", "kafka_timestamp", "payload", "line_key"]
# A Kafka timestamp is milliseconds of this century: seconds would be in 1970, microseconds and more after the year 9999
POSSIBLE_MILLISECONDS = (946_684_800_000, 4_102_444_799_999)
STRICT = {"allowSingleQuotes": "false"}
LINES = StructType([StructField("value", StringType()), StructField("source_file", StringType())])
LINEAGE_ONLY = StructType([field for field in ENVELOPE if field.name != "payload"])


def run(spark: SparkSession, lake: Lake, topic_prefix: str) -> dict[str, Any]:
    """Bring what is new below ``topics*/<prefix>.<table>`` into bronze; safe to repeat.

    Result: ``{"stage", "tables": {table: {"landed", "added", "redelivered"}}, "unreadable": {table: [object]},
    "seconds", "work"}``, in rows; ``unreadable`` names the objects left out and not read since, as ``source_file``.
    """
    work = Work(spark)
    results = run_in_threads(spark, TABLES, lambda table: load_table(spark, lake, table, f"{topic_prefix}.{table}"))
    return {
        "stage": "bronze",
        "tables": dict(zip(TABLES, results, strict=True)),
        "unreadable": unreadable.known_objects(spark, lake),
        **work.result(),
    }


def load_table(spark: SparkSession, lake: Lake, table: str, topic: str) -> dict[str, int]:
    taken: list[Taken] = []
    query = (
        lines(spark, lake.topic(topic))
        .writeStream.queryName(f"bronze-{table}")
        .option("checkpointLocation", lake.checkpoint("bronze", table))
        .trigger(availableNow=True)
        .foreachBatch(keep_once(lake, table, lake.topic(topic), taken))
        .start()
    )
    query.awaitTermination()
    if not is_on_databricks() and (again := rewritten.find(spark, lake, table, topic)):
        # Read once: the sink may write them again between the count and the write
        with cached(with_source(unreadable.text_of(spark, [one.path for one in again]))) as lines_again:
            keep_once(lake, table, lake.topic(topic), taken)(lines_again, -1)
        rewritten.note(spark, lake, table, again)
    landed, added = sum(one.landed for one in taken), sum(one.added for one in taken)
    return {"landed": landed, "added": added, "redelivered": landed - added}


class Taken(NamedTuple):
    """The lines of one micro-batch, and the rows that bronze gained by them."""

    landed: int
    added: int


def lines(spark: SparkSession, folder: str) -> DataFrame:
    """Return the stream of new lines: ``value`` string, ``source_file`` string.

    That is the path below ``topics/``, or from ``topics-<generation>/`` on.

    The folders are a glob, so that a topic which has not landed anything yet is an empty stream and no error.
    """
    reader = spark.readStream.schema("value string").option("pathGlobFilter", unreadable.OBJECTS)
    if is_on_databricks():
        reader = reader.format("cloudFiles").option("cloudFiles.format", "text")
        reader = reader.option("cloudFiles.allowOverwrites", "true")  # see rewritten
        reader = reader.option("cloudFiles.maxFilesPerTrigger", MAX_FILES_PER_BATCH)
    else:
        reader = reader.format("text").option("maxFilesPerTrigger", MAX_FILES_PER_BATCH)
    return with_source(reader.load(f"{folder}/dt=*"))


def is_on_databricks() -> bool:
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def with_source(lines: DataFrame) -> DataFrame:
    return lines.select(
        "value", sf.regexp_extract("_metadata.file_path", unreadable.SOURCE_FILE, 1).alias("source_file")
    )


@dataclass(frozen=True)
class NewObjects:
    """The objects of a topic's folders that bronze, at ``path``, has no line of, or of an older version only."""

    spark: SparkSession
    folder: str
    path: str

    def names(self) -> dict[str, str]:
        listed = (
            self.spark.read.format("binaryFile")
            .option("pathGlobFilter", unreadable.OBJECTS)
            .load(f"{self.folder}/dt=*")
        )
        known = (
            read(self.spark, self.path, BRONZE).groupBy("source_file").agg(sf.max("landed_at").alias("at")).collect()
        )
        landed = {unquote(one.source_file): one.at for one in known}
        found = {}
        for one in listed.select("path", "modificationTime").collect():
            name = unreadable.source_name(one.path)
            if name not in landed or landed[name] < one.modificationTime:
                found[name] = one.path
        return found

    def open(self, paths: list[str]) -> DataFrame:
        if not paths:
            return local_rows(self.spark, [], LINES)
        return with_source(unreadable.text_of(self.spark, paths))


def open_envelopes(lines: DataFrame) -> DataFrame:
    """Return bronze rows, ``landed_at`` excepted.

    A line whose envelope is broken keeps its text as ``payload``, has no lineage, and is known by ``line_key``, a hash
    of its file and text; for every other row that is NULL.
    """
    opened = lines.withColumn("_", sf.from_json("value", ENVELOPE, STRICT))
    return opened.select(
        *lineage(),
        sf.when(is_whole(), sf.col("_.payload")).otherwise(sf.col("value")).alias("payload"),
        sf.when(~is_whole(), sf.sha2(sf.concat_ws("\n", "source_file", "value"), 256)).alias("line_key"),
        "source_file",
    )


def is_whole() -> Column:
    """Say whether an envelope ``_`` has all of its lineage, and all of it possible; never NULL."""
    possible = (sf.col("_.kafka_topic") != "") & (sf.col("_.kafka_partition") >= 0) & (sf.col("_.kafka_offset") >= 0)
    return sf.coalesce(possible & sf.col("_.kafka_timestamp").between(*POSSIBLE_MILLISECONDS), sf.lit(False))


def lineage() -> list[Column]:
    """Return the columns that say where a record came from, all NULL for a broken envelope."""
    columns = {
        "topic": sf.col("_.kafka_topic"),
        "partition": sf.col("_.kafka_partition"),
        "offset": sf.col("_.kafka_offset"),
        "kafka_timestamp": sf.timestamp_millis("_.kafka_timestamp"),  # which fails on another unit
    }
    return [sf.when(is_whole(), column).alias(name) for name, column in columns.items()]


@dataclass(frozen=True)
class Arrivals:
    """What a micro-batch holds, counted before it is written."""

    records: int
    ranges: dict[str, list[OffsetRange]]
    is_distinct: bool  # every record once, and every line with its lineage


def arrivals(lines: DataFrame) -> Arrivals:
    """Count a micro-batch; the payloads, nearly all of the text, are skipped over and not unpacked."""
    opened = lines.select(sf.from_json("value", LINEAGE_ONLY, STRICT).alias("_"))
    found = opened.select(*lineage()).groupBy("topic", "partition").agg(
        sf.count("*").alias("records"), sf.countDistinct("offset").alias("offsets"),
        sf.min("offset").alias("first"), sf.max("offset").alias("last"),
        sf.unix_millis(sf.min("kafka_timestamp")).alias("since"),
        sf.unix_millis(sf.max("kafka_timestamp")).alias("until"),
    ).collect()  # fmt: skip
    ranges: dict[str, list[OffsetRange]] = {}
    for one in found:
        if one.topic is not None:
            since, until = (datetime.fromtimestamp(bound / 1000, UTC) for bound in (one.since, one.until))
            ranges.setdefault(one.topic, []).append(OffsetRange(one.partition, one.first, one.last, since, until))
    return Arrivals(sum(one.records for one in found), ranges, all(one.records == one.offsets for one in found))


def keep_once(lake: Lake, table: str, folder: str, taken: list[Taken]) -> Callable[[DataFrame, int], None]:
    """Return the ``foreachBatch`` that appends a micro-batch, and MERGEs it where a record may be known already.

    Counting the offsets and appending costs half of a MERGE, which sorts every payload; Kafka's offsets only grow, and
    from one generation of a topic to the next its timestamps do, so that nothing but a re-delivery, a replay or a
    broken line needs one. Either way the rows are in bronze once.
    """

    path = lake.bronze(table)

    def write(batch: DataFrame, _batch_id: int) -> None:
        spark = batch.sparkSession
        arrived, batch, left_out = unreadable.leave_out_unreadable(batch, arrivals, NewObjects(spark, folder, path))
        unreadable.note(spark, lake, table, left_out)
        rows = open_envelopes(batch)
        stamped = rows.withColumn("landed_at", sf.current_timestamp()).select(*BRONZE.names)
        added = arrived.records
        if not exists(spark, path):
            append(stamped if arrived.is_distinct else stamped.dropDuplicates(KEY), path)
            added = added if arrived.is_distinct else row_count(spark, path)
        elif arrived.is_distinct and not may_know(spark, path, arrived.ranges):
            append(stamped, path)
        else:
            added = merge_new(stamped, path, arrived.ranges)
        taken.append(Taken(arrived.records, added))

    return write


def may_know(spark: SparkSession, path: str, ranges: dict[str, list[OffsetRange]]) -> bool:
    return not read(spark, path, BRONZE).alias("known").where(may_hold(ranges)).isEmpty()


def may_hold(ranges: dict[str, list[OffsetRange]]) -> Column:
    """Say where in bronze a batch's records could be; by literals, so that Delta opens no file outside the ranges."""
    return reduce(or_, (is_within(topic, some, of="known.") for topic, some in ranges.items()), sf.lit(False))


def merge_new(rows: DataFrame, path: str, ranges: dict[str, list[OffsetRange]]) -> int:
    """Add the rows that bronze has not; return how many."""
    same = reduce(and_, (sf.col(f"known.{name}").eqNullSafe(sf.col(f"new.{name}")) for name in KEY))
    where = may_hold(ranges) | sf.col("known.line_key").isNotNull()
    bronze = DeltaTable.forPath(rows.sparkSession, path).alias("known")
    merge = bronze.merge(rows.dropDuplicates(KEY).alias("new"), same & where).whenNotMatchedInsertAll()
    return int(merge.execute().collect()[0].num_inserted_rows)
