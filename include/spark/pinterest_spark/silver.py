"""Silver: bronze cleaned, one row a key, the latest wins; what cannot be used goes to quarantine with its reason.

New bronze rows only, through a Delta stream with ``availableNow``. Every step of a micro-batch can be repeated: the
quarantine is merged by the record, the audit row is written once, silver is merged by key and lineage, so that a crash
between any two of them costs a repetition and nothing else.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from delta.tables import DeltaTable
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as sf

from pinterest_spark import reconcile
from pinterest_spark.errors import StageError
from pinterest_spark.lake import Lake, append, at_once, ensure_table, read
from pinterest_spark.offsets import OffsetRange
from pinterest_spark.quality import refine
from pinterest_spark.schemas import BRONZE, LINEAGE, QUARANTINE, SILVER, SILVER_BATCHES, TABLES, silver_table

BROKEN_LINE = "unreadable envelope"
LATEST = ("_kafka_timestamp", "_kafka_offset", "_kafka_partition")  # the last one only makes a tie repeatable


def run(
    spark: SparkSession, lake: Lake, topic_prefix: str, acknowledged: dict[str, list[OffsetRange]]
) -> dict[str, Any]:
    """Bring what is new in bronze into silver and quarantine, then prove that no record was lost; safe to repeat.

    :param acknowledged: per table, the offsets that Kafka acknowledged to this run's ingestion; may be empty.
    :returns: ``{"stage", "run", "totals", "quarantine_reasons", "defects", "seconds"}``, see ``reconcile``.
    :raises StageError: when bronze is not silver + duplicates + quarantined.
    """
    started = time.monotonic()
    ensure_tables(spark, lake)
    at_once(spark, TABLES, lambda table: load_table(spark, lake, table, f"{topic_prefix}.{table}"))
    found = reconcile.count(spark, lake, topic_prefix, acknowledged)
    return {"stage": "silver", **found, "seconds": round(time.monotonic() - started, 3)}


def ensure_tables(spark: SparkSession, lake: Lake) -> None:
    """Create what is missing, the tables shared by the three streams too, which must not race to be first."""
    wanted: list[tuple[str, Any, tuple[str, ...]]] = [
        (lake.quarantine, QUARANTINE, ("table_name",)),
        (lake.silver_batches, SILVER_BATCHES, ("table_name",)),
    ]
    for table in TABLES:
        wanted += [(lake.bronze(table), BRONZE, ()), (lake.silver(table), silver_table(table), ())]
    at_once(spark, wanted, lambda one: ensure_table(spark, *one))


def load_table(spark: SparkSession, lake: Lake, table: str, topic: str) -> None:
    query = (
        spark.readStream.format("delta")
        .load(lake.bronze(table))
        .writeStream.queryName(f"silver-{table}")
        .option("checkpointLocation", lake.checkpoint("silver", table))
        .trigger(availableNow=True)
        .foreachBatch(settle(lake, table, topic))
        .start()
    )
    query.awaitTermination()


def settle(lake: Lake, table: str, topic: str) -> Callable[[DataFrame, int], None]:
    """Return the ``foreachBatch``: judge each record, then quarantine -> audit -> silver."""

    def write(batch: DataFrame, batch_id: int) -> None:
        with kept(judge(batch, table, topic)) as judged:
            count = count_batch(judged)
            if count.records == 0:
                return
            if count.rejected:
                quarantine(judged.where("_reject_reason IS NOT NULL"), lake, table)
            accepted = judged.where("_reject_reason IS NULL")
            audit(accepted, count, lake, table, batch_id)
            if count.accepted:
                upsert(accepted, lake.silver(table), table, is_distinct=count.accepted == count.keys)

    return write


@contextmanager
def kept(rows: DataFrame) -> Iterator[DataFrame]:
    """Hold the rows for the steps of one micro-batch: parsing is what costs, and a filter would parse twice."""
    held = rows.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        yield held
    finally:
        held.unpersist()


def judge(bronze: DataFrame, table: str, topic: str) -> DataFrame:
    """Return bronze rows refined, lineage as ``_…`` columns; only a rejected row keeps its payload."""
    records = bronze.select(
        sf.coalesce("topic", sf.lit(topic)).alias("_topic"),
        sf.col("partition").alias("_kafka_partition"),
        sf.col("offset").alias("_kafka_offset"),
        sf.col("kafka_timestamp").alias("_arrived_at"),
        sf.col("payload").alias("_payload"),
        sf.col("line_key").alias("_line_key"),
        sf.col("source_file").alias("_source"),
    )
    broken = sf.col("_line_key").isNotNull()
    refined = refine(records, table)
    reason = sf.when(broken, sf.lit(BROKEN_LINE)).otherwise(sf.col("_reject_reason"))
    rejected = reason.isNotNull()
    return refined.select(
        sf.when(rejected, sf.col("_topic")).alias("_topic"),
        sf.when(rejected, sf.col("_payload")).alias("_payload"),
        sf.when(rejected, sf.col("_line_key")).alias("_line_key"),
        sf.when(rejected, sf.col("_source")).alias("_source"),
        reason.alias("_reject_reason"),
        "_defects",
        *SILVER[table].names,
        sf.col("_arrived_at").alias("_kafka_timestamp"),
        "_kafka_partition",
        "_kafka_offset",
    )


@dataclass(frozen=True)
class BatchCount:
    """The rows of one micro-batch; ``keys`` are the distinct ids of the accepted ones."""

    records: int
    rejected: int
    keys: int
    defects: dict[str, int]

    @property
    def accepted(self) -> int:
        return self.records - self.rejected


def count_batch(judged: DataFrame) -> BatchCount:
    is_rejected = sf.col("_reject_reason").isNotNull()
    found = judged.groupBy("_defects").agg(
        sf.count("*").alias("records"),
        sf.count(sf.when(is_rejected, 1)).alias("rejected"),
    ).collect()  # fmt: skip
    keys = judged.where(~is_rejected).agg(sf.countDistinct("ind")).head()
    defects: Counter[str] = Counter()
    for one in found:
        defects.update(dict.fromkeys(one._defects, one.records))
    return BatchCount(
        records=sum(one.records for one in found),
        rejected=sum(one.rejected for one in found),
        keys=keys[0] if keys else 0,
        defects=dict(defects),
    )


def quarantine(rejected: DataFrame, lake: Lake, table: str) -> None:
    """MERGE rejected records by where they came from; the literal table name keeps the three streams apart."""
    rows = rejected.select(
        sf.lit(table).alias("table_name"),
        sf.col("_topic").alias("topic"),
        sf.col("_kafka_partition").alias("partition"),
        sf.col("_kafka_offset").alias("offset"),
        sf.col("_kafka_timestamp").alias("kafka_timestamp"),
        sf.col("_payload").alias("payload"),
        sf.col("_reject_reason").alias("reject_reason"),
        sf.col("_source").alias("source"),
        sf.col("_line_key").alias("line_key"),
    )
    same = sf.col("known.table_name") == table
    for name in ("topic", "partition", "offset", "line_key"):
        same &= sf.col(f"known.{name}").eqNullSafe(sf.col(f"new.{name}"))
    known = DeltaTable.forPath(rows.sparkSession, lake.quarantine).alias("known")
    known.merge(rows.alias("new"), same).whenNotMatchedInsertAll().execute()


def audit(accepted: DataFrame, count: BatchCount, lake: Lake, table: str, batch_id: int) -> None:
    """Write down once what a micro-batch is about to do to silver, *before* it does it.

    A replay after the MERGE could no longer tell a new key from a known one, so the first count stands.
    """
    spark = accepted.sparkSession
    this_batch = (sf.col("table_name") == table) & (sf.col("batch_id") == batch_id)
    written = read(spark, lake.silver_batches).where(this_batch).head()
    if written is None:
        silver = read(spark, lake.silver(table)).select("ind")
        known = accepted.select("ind").distinct().join(silver, "ind").count()
        row = (
            table, batch_id, count.records, count.accepted, count.rejected, count.keys - known,
            count.accepted - (count.keys - known), count.defects,
        )  # fmt: skip
        rows = spark.createDataFrame([(*row, None)], SILVER_BATCHES).withColumn("written_at", sf.current_timestamp())
        append(rows, lake.silver_batches)
    elif written.records != count.records:
        raise StageError(
            f"Silver {table}, micro-batch {batch_id}: {count.records} records, but the audit has {written.records}. "
            f"The checkpoint {lake.checkpoint('silver', table)} was lost or replaced. Restore it, or remove it with "
            f"{lake.silver(table)} and this table's rows in {lake.silver_batches} and {lake.quarantine}, and run again."
        )


def upsert(accepted: DataFrame, path: str, table: str, *, is_distinct: bool) -> None:
    """Keep the latest row of each key, of the batch and of the table."""
    columns = [*SILVER[table].names, *LINEAGE.names]
    latest = accepted.select(*columns) if is_distinct else newest(accepted.select(*columns))
    if read(accepted.sparkSession, path).isEmpty():
        append(latest, path)
        return
    silver = DeltaTable.forPath(accepted.sparkSession, path).alias("known")
    merge = silver.merge(latest.alias("new"), "known.ind = new.ind")
    merge.whenMatchedUpdateAll(condition=is_newer()).whenNotMatchedInsertAll().execute()


def is_newer() -> Column:
    return sf.struct(*(sf.col(f"new.{name}") for name in LATEST)) > sf.struct(
        *(sf.col(f"known.{name}") for name in LATEST)
    )


def newest(rows: DataFrame) -> DataFrame:
    by_age = Window.partitionBy("ind").orderBy(*(sf.desc(name) for name in LATEST))
    return rows.withColumn("_rank", sf.row_number().over(by_age)).where("_rank = 1").drop("_rank")
