"""Silver: bronze cleaned, one row a key, the latest wins; what cannot be used goes to quarantine with its reason.

New bronze rows only, through a Delta stream with ``availableNow``. Every step of a micro-batch can be repeated: the
quarantine is merged by the record, the audit row is written once, silver is merged by key and lineage, so that a crash
between any two of them costs a repetition and nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as sf

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import coverage, reconcile
from pinterest_spark.lakehouse.offsets import OffsetRange
from pinterest_spark.lakehouse.tables import (
    PARTITIONED,
    Lake,
    append,
    append_row,
    cached,
    create_once,
    exists,
    local_rows,
    read,
    run_in_threads,
)
from pinterest_spark.lakehouse.work import Work
from pinterest_spark.rows.rules import refine
from pinterest_spark.rows.schemas import BRONZE, SILVER, SILVER_BATCHES, TABLES, WIRE, silver_table

BROKEN_LINE = "unreadable envelope"
# Time first: a topic that was created again begins at offset 0. The last one only makes a tie repeatable.
LATEST = ("_kafka_timestamp", "_kafka_offset", "_kafka_partition")
IDENTITY = ("topic", "partition", "offset", "kafka_timestamp", "payload", "line_key")  # of a record in quarantine


def run(
    spark: SparkSession, lake: Lake, topic_prefix: str, acknowledged: dict[str, list[OffsetRange]]
) -> dict[str, Any]:
    """Bring what is new in bronze into silver and quarantine, then prove that no record was lost; safe to repeat.

    :param acknowledged: per table, the offsets that Kafka acknowledged to this run's ingestion; may be empty.
    :returns: ``{"stage", "run", "totals", "quarantine_reasons", "defects", "validated", "offsets", "counted_at",
        "seconds", "work"}``: see ``reconcile``.
    :raises StageError: when bronze is not silver + duplicates + quarantined.
    """
    work = Work(spark)
    note_older_offsets(spark, lake, topic_prefix)
    known = audited(spark, lake)
    run_in_threads(spark, TABLES, lambda table: load_table(spark, lake, table, f"{topic_prefix}.{table}", known[table]))
    found = reconcile.count(spark, lake, topic_prefix, acknowledged)
    return {"stage": "silver", **found, **work.result()}


def audited(spark: SparkSession, lake: Lake) -> dict[str, dict[int, int]]:
    """Return the records of each micro-batch that the audit has, by its number, by table."""
    found = read(spark, lake.silver_batches, SILVER_BATCHES).select("table_name", "batch_id", "records").collect()
    return {table: {one.batch_id: one.records for one in found if one.table_name == table} for table in TABLES}


def note_older_offsets(spark: SparkSession, lake: Lake, topic_prefix: str) -> None:
    """Give an audit from before offsets were noted a row for each table, with the offsets that bronze has; once."""
    if not exists(spark, lake.silver_batches) or "offsets" in read(spark, lake.silver_batches, SILVER_BATCHES).columns:
        return
    first = min(one.batch_id for one in read(spark, lake.silver_batches, SILVER_BATCHES).select("batch_id").collect())
    rows: list[tuple[object, ...]] = []
    for table in TABLES:
        records = records_of(read(spark, lake.bronze(table), BRONZE), f"{topic_prefix}.{table}")
        found = [one._asdict() for one in coverage.offsets_of(coverage.by_object(records, {}))]
        rows.append((table, min(0, first) - 1, 0, 0, 0, 0, 0, {}, datetime.now(UTC), found))
    append(local_rows(spark, rows, SILVER_BATCHES), lake.silver_batches, PARTITIONED, mergeSchema="true")


def load_table(spark: SparkSession, lake: Lake, table: str, topic: str, known: Mapping[int, int]) -> None:
    """Bring what is new in bronze into silver; ``known`` are the micro-batches that the audit has."""
    if not exists(spark, lake.bronze(table)):
        return
    query = (
        spark.readStream.format("delta")
        .load(lake.bronze(table))
        .writeStream.queryName(f"silver-{table}")
        .option("checkpointLocation", lake.checkpoint("silver", table))
        .trigger(availableNow=True)
        .foreachBatch(apply_batches(lake, table, topic, known))
        .start()
    )
    query.awaitTermination()


def apply_batches(lake: Lake, table: str, topic: str, known: Mapping[int, int]) -> Callable[[DataFrame, int], None]:
    """Return the ``foreachBatch``: validate each record, then quarantine -> audit -> silver."""

    def write(batch: DataFrame, batch_id: int) -> None:
        with cached(validate(batch, table, topic)) as validated:
            count = count_batch(validated, table)
            accepted = validated.where("_reject_reason IS NULL")
            keys = count_keys(accepted, lake.silver(table), table) if count.accepted else Keys(0, 0)
            if count.rejected:
                quarantine(validated.where("_reject_reason IS NOT NULL"), lake, table)
            if batch_id in known:
                require_same(count, known[batch_id], lake, MicroBatch(table, batch_id))
            elif count.records:
                audit(validated.sparkSession, lake, MicroBatch(table, batch_id), count, keys)
            if count.accepted:
                latest = newest(accepted, table, is_distinct=count.accepted == keys.distinct)
                upsert(latest, lake.silver(table), is_new=keys.known == 0)

    return write


def validate(bronze: DataFrame, table: str, topic: str) -> DataFrame:
    """Return bronze rows refined, lineage as ``_…`` columns; only a rejected row keeps its payload, each its hash."""
    broken = sf.col("_line_key").isNotNull()
    refined = refine(records_of(bronze, topic), table)
    reason = sf.when(broken, sf.lit(BROKEN_LINE)).otherwise(sf.col("_reject_reason"))
    rejected = reason.isNotNull()
    return refined.select(
        sf.when(rejected, sf.col("_topic")).alias("_topic"),
        sf.when(rejected, sf.col("_payload")).alias("_payload"),
        sf.xxhash64("_payload").alias("_payload_hash"),
        sf.when(rejected, sf.col("_line_key")).alias("_line_key"),
        "_source",
        reason.alias("_reject_reason"),
        "_defects",
        *SILVER[table].names,
        sf.col("_arrived_at").alias("_kafka_timestamp"),
        "_kafka_partition",
        "_kafka_offset",
    )


def records_of(bronze: DataFrame, topic: str) -> DataFrame:
    return bronze.select(
        sf.coalesce("topic", sf.lit(topic)).alias("_topic"),
        sf.col("partition").alias("_kafka_partition"),
        sf.col("offset").alias("_kafka_offset"),
        sf.col("kafka_timestamp").alias("_arrived_at"),
        sf.col("payload").alias("_payload"),
        sf.col("line_key").alias("_line_key"),
        sf.col("source_file").alias("_source"),
    )


@dataclass(frozen=True)
class BatchCount:
    """The rows of one micro-batch; ``offsets`` are those that they had in Kafka."""

    records: int
    rejected: int
    defects: dict[str, int]
    offsets: list[coverage.Offsets]

    @property
    def accepted(self) -> int:
        return self.records - self.rejected


def count_batch(validated: DataFrame, table: str) -> BatchCount:
    columns = dict.fromkeys(SILVER[table].names + WIRE[table].names)
    lost = {name: sf.count_if(sf.array_contains("_defects", name)) for name in columns}
    found = coverage.by_object(validated, {"_rejected": sf.count_if(sf.col("_reject_reason").isNotNull()), **lost})
    total = {name: sum(one[name] for one in found) for name in ("_records", "_rejected", *lost)}
    defects = {name: total[name] for name in lost if total[name]}
    return BatchCount(total["_records"], total["_rejected"], defects, coverage.offsets_of(found))


def quarantine(rejected: DataFrame, lake: Lake, table: str) -> None:
    """MERGE rejected records by where they came from; the literal table name keeps the three streams apart."""
    rows = quarantine_rows(rejected, table)
    with create_once(rows.sparkSession, lake.quarantine) as is_there:
        if not is_there:
            append(rows, lake.quarantine, PARTITIONED)
            return
    same = sf.col("known.table_name") == table
    for name in IDENTITY:
        same &= sf.col(f"known.{name}").eqNullSafe(sf.col(f"new.{name}"))
    known = DeltaTable.forPath(rows.sparkSession, lake.quarantine).alias("known")
    known.merge(rows.alias("new"), same).whenNotMatchedInsertAll().execute()


def quarantine_rows(validated: DataFrame, table: str, *more: str) -> DataFrame:
    return validated.select(
        sf.lit(table).alias("table_name"),
        sf.col("_topic").alias("topic"),
        sf.col("_kafka_partition").alias("partition"),
        sf.col("_kafka_offset").alias("offset"),
        sf.col("_kafka_timestamp").alias("kafka_timestamp"),
        sf.col("_payload").alias("payload"),
        sf.col("_reject_reason").alias("reject_reason"),
        sf.col("_source").alias("source"),
        sf.col("_line_key").alias("line_key"),
        *more,
    )


@dataclass(frozen=True)
class MicroBatch:
    """Which one, of a table's stream."""

    table: str
    number: int


def audit(spark: SparkSession, lake: Lake, batch: MicroBatch, count: BatchCount, keys: "Keys") -> None:
    """Write down once what a micro-batch is about to do to silver, *before* it does it.

    A replay after silver was written could no longer tell a new key from a known one, so the first count stands.
    """
    new_keys = keys.distinct - keys.known
    row = (
        batch.table, batch.number, count.records, count.accepted, count.rejected, new_keys, count.accepted - new_keys,
        count.defects, datetime.now(UTC), [one._asdict() for one in count.offsets],
    )  # fmt: skip
    append_row(spark, row, SILVER_BATCHES, lake.silver_batches)


def require_same(count: BatchCount, audited_records: int, lake: Lake, batch: MicroBatch) -> None:
    """Raise where a micro-batch that the audit has is another one."""
    if count.records != audited_records:
        raise StageError(
            f"Silver {batch.table}, micro-batch {batch.number}: {count.records} records, but the audit has "
            f"{audited_records}. The checkpoint {lake.checkpoint('silver', batch.table)} was lost or replaced. Restore "
            f"it, or remove it with {lake.silver(batch.table)} and this table's rows in {lake.silver_batches} and "
            f"{lake.quarantine}, and run again."
        )


class Keys(NamedTuple):
    """The ids of a micro-batch's accepted rows, each counted once, and how many of them silver has already."""

    distinct: int
    known: int


def count_keys(accepted: DataFrame, path: str, table: str) -> Keys:
    spark = accepted.sparkSession
    keys = accepted.select("ind").distinct()
    if not exists(spark, path):
        return Keys(keys.count(), 0)
    # An inner join, so that Spark may send the batch's few keys to silver's many, and not the other way round
    known = keys.join(read(spark, path, SILVER[table]).select("ind"), "ind")
    marked = keys.select(sf.lit(0).alias("is_known")).unionAll(known.select(sf.lit(1)))
    return Keys(*marked.agg(*(sf.count_if(sf.col("is_known") == value) for value in (0, 1))).collect()[0])


def upsert(latest: DataFrame, path: str, *, is_new: bool) -> None:
    """Keep the latest row of each key; where silver has none of the keys, appending costs a fifth of a MERGE."""
    if is_new:
        append(latest, path)
        return
    silver = DeltaTable.forPath(latest.sparkSession, path).alias("known")
    merge = silver.merge(latest.alias("new"), "known.ind = new.ind")
    merge.whenMatchedUpdateAll(condition=is_newer()).whenNotMatchedInsertAll().execute()


def is_newer() -> Column:
    return sf.struct(*(sf.col(f"new.{name}") for name in LATEST)) > sf.struct(
        *(sf.col(f"known.{name}") for name in LATEST)
    )


def newest(accepted: DataFrame, table: str, *, is_distinct: bool = False) -> DataFrame:
    """Return the latest row of each key in the columns of silver; all of them where each key is there once."""
    rows = accepted.select(*(sf.col(field.name).cast(field.dataType) for field in silver_table(table)))
    if is_distinct:
        return rows
    by_age = Window.partitionBy("ind").orderBy(*(sf.desc(name) for name in LATEST))
    return rows.withColumn("_rank", sf.row_number().over(by_age)).where("_rank = 1").drop("_rank")
