"""Reprocess: records that landed before, judged anew by the rules of today; nothing is sent and bronze stays as it is.

A window names records by their Kafka timestamp, the one time that every record has, a broken one too. A rule concerns
whole keys: what it rejects may uncover an older record of its key, what it accepts may replace another. So all records
of the keys in the window are judged, and what silver and quarantine hold of them becomes what a first run by these
rules had left. Every write can be repeated. The audit says that a reprocessing has begun before it changes anything,
and its numbers when it is done, so that one that was cut short is known and is finished by the next.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.types import StructField, StructType

from pinterest_spark import reconcile, silver
from pinterest_spark.lake import Lake, append, at_once, exists, made_once, read
from pinterest_spark.parsing import STRICT_JSON
from pinterest_spark.schemas import BRONZE, LONG, QUARANTINE, SILVER_BATCHES, TABLES, WIRE_KEY, silver_table

NOTHING = {"records": 0, "silver": 0, "duplicates": 0, "quarantined": 0}


@dataclass(frozen=True)
class Window:
    """Kafka timestamps from ``start`` up to, not including, ``end``, in UTC; None for no bound."""

    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def read(cls, start: str, end: str) -> "Window":
        """Read two widgets: ISO 8601, UTC unless an offset is given; empty for no bound."""
        window = cls(time_of("window_start", start), time_of("window_end", end))
        if window.start and window.end and window.end <= window.start:
            raise ValueError(f"The window ends at {window.end}, which is not after its start {window.start}.")
        return window

    def holds(self, timestamp: Column) -> Column:
        after = timestamp >= sf.lit(self.start) if self.start else sf.lit(True)
        return after & (timestamp < sf.lit(self.end) if self.end else sf.lit(True))


def time_of(name: str, given: str) -> datetime | None:
    if not given:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise ValueError(f"{name} is {given!r}; expected ISO 8601, for example 2026-11-25T02:00:00.") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def run(spark: SparkSession, lake: Lake, topic_prefix: str, window: Window) -> dict[str, Any]:
    """Judge again what the window names, then prove that no record was lost; safe to repeat.

    Result: ``{"stage", "tables": {table: {"records", "silver", "duplicates", "quarantined"}}, "totals",
    "quarantine_reasons", "defects", "counted_at", "seconds"}``; of ``tables``, ``records`` were judged, and the others
    say by how many rows each place grew. ``defects`` stay as the records were first judged.

    :raises StageError: when bronze is not silver + duplicates + quarantined, before or after.
    """
    started = time.monotonic()
    changes = at_once(spark, TABLES, lambda table: redo(spark, lake, table, f"{topic_prefix}.{table}", window))
    found = reconcile.count(spark, lake, topic_prefix, {})
    return {
        "stage": "reprocess",
        "tables": dict(zip(TABLES, changes, strict=True)),
        **{name: found[name] for name in ("totals", "quarantine_reasons", "defects", "counted_at")},
        "seconds": round(time.monotonic() - started, 3),
    }


def redo(spark: SparkSession, lake: Lake, table: str, topic: str, window: Window) -> dict[str, int]:
    if not exists(spark, lake.bronze(table)):
        return dict(NOTHING)
    silver.load_table(spark, lake, table, topic)  # else silver would count what is judged here once more
    batch_id, astray = begin(spark, lake, table)
    bronze, keys = affected(spark, lake, table, window)
    with silver.kept(keys) as keys, silver.kept(silver.judge(bronze, table, topic)) as judged:
        count = silver.count_batch(judged, table)
        before_silver = known_rows(spark, lake.silver(table), table).join(keys, "ind", "left_semi").count()
        before_quarantine = known_rejects(spark, lake, table, topic, judged).count()
        before_duplicates = count.records - before_silver - before_quarantine
        change = {
            "records": count.records,
            "silver": count.keys - before_silver,
            "duplicates": count.accepted - count.keys - before_duplicates + astray,
            "quarantined": count.rejected - before_quarantine,
        }
        settle_quarantine(judged, lake, table, topic)
        settle_silver(judged, keys, lake.silver(table), table)
    finish(spark, lake, table, batch_id, change)
    return change


def affected(spark: SparkSession, lake: Lake, table: str, window: Window) -> tuple[DataFrame, DataFrame]:
    """Return the bronze rows to judge, and their keys as ``ind``: those of the window, and all others of its keys.

    A line whose envelope is broken is left out: no rule judges it. The key is read by the reader that judges, so that
    both find the same in a payload that names it twice.
    """
    key = WIRE_KEY[table]
    only_key = sf.from_json("payload", StructType([StructField(key, LONG)]), STRICT_JSON)
    rows = read(spark, lake.bronze(table), BRONZE).where("line_key IS NULL").withColumn("ind", only_key[key])
    is_named = window.holds(sf.col("kafka_timestamp"))
    named = rows.where(is_named)
    keys = named.select("ind").where("ind IS NOT NULL").distinct()
    others = rows.where(~is_named).join(keys, "ind", "left_semi")
    return named.unionByName(others).drop("ind"), keys


def known_rows(spark: SparkSession, path: str, table: str) -> DataFrame:
    return read(spark, path, silver_table(table)).select("ind")


def known_rejects(spark: SparkSession, lake: Lake, table: str, topic: str, judged: DataFrame) -> DataFrame:
    """Return the rows that quarantine holds of the judged records."""
    of_table = (sf.col("table_name") == table) & (sf.col("topic") == topic)
    places = judged.select(sf.col("_kafka_partition").alias("partition"), sf.col("_kafka_offset").alias("offset"))
    return read(spark, lake.quarantine, QUARANTINE).where(of_table).join(places, ["partition", "offset"], "left_semi")


def settle_quarantine(judged: DataFrame, lake: Lake, table: str, topic: str) -> None:
    """Free what is accepted now, put in what is rejected now, and give what stays the reason of today."""
    spark = judged.sparkSession
    with made_once(spark, lake.quarantine) as is_there:
        if not is_there:
            rejected = judged.where("_reject_reason IS NOT NULL")
            append(silver.quarantine_rows(rejected, table), lake.quarantine, silver.PARTITIONED)
            return
    rows = silver.quarantine_rows(judged, table).withColumn("topic", sf.lit(topic))
    same = sf.col("known.table_name") == table  # a literal, so that the tables' merges do not conflict
    for name in ("topic", "partition", "offset"):
        same &= sf.col(f"known.{name}") == sf.col(f"new.{name}")
    merge = DeltaTable.forPath(spark, lake.quarantine).alias("known").merge(rows.alias("new"), same)
    merge = merge.whenMatchedDelete("new.reject_reason IS NULL")
    merge = merge.whenMatchedUpdate("new.reject_reason <> known.reject_reason", {"reject_reason": "new.reject_reason"})
    merge.whenNotMatchedInsertAll("new.reject_reason IS NOT NULL").execute()


def settle_silver(judged: DataFrame, keys: DataFrame, path: str, table: str) -> None:
    """Give each key the latest of its accepted records, and no row where it has none."""
    fields = silver_table(table).fields
    accepted = judged.where("_reject_reason IS NULL")
    latest = silver.newest(accepted.select(*(sf.col(field.name).cast(field.dataType) for field in fields)))
    if not exists(judged.sparkSession, path):
        append(latest, path)
        return
    wanted = keys.withColumnRenamed("ind", "_key").join(latest, sf.col("_key") == sf.col("ind"), "left")
    new, known = (sf.struct(*(sf.col(f"{side}.{field.name}") for field in fields)) for side in ("new", "known"))
    values: dict[str, str | Column] = {field.name: f"new.{field.name}" for field in fields}
    merge = DeltaTable.forPath(judged.sparkSession, path).alias("known").merge(wanted.alias("new"), "known.ind = _key")
    merge = merge.whenMatchedDelete("new.ind IS NULL").whenMatchedUpdate(~new.eqNullSafe(known), values)
    merge.whenNotMatchedInsert("new.ind IS NOT NULL", values).execute()


def begin(spark: SparkSession, lake: Lake, table: str) -> tuple[int, int]:
    """Write down that this table is about to change.

    Returns the number of its audit row, negative, and by how many records its totals are astray because an earlier
    reprocessing was cut short.
    """
    audits = read(spark, lake.silver_batches, SILVER_BATCHES).where(sf.col("table_name") == table).collect()
    duplicates = sum(one.duplicates for one in audits)
    quarantined = read(spark, lake.quarantine, QUARANTINE).where(sf.col("table_name") == table).count()
    totals = reconcile.totals_of(spark, lake, table, duplicates, quarantined)
    for one in audits:
        if one.written_at is None:
            return one.batch_id, totals["bronze"] - totals["silver"] - duplicates - quarantined
    reconcile.check_totals({table: totals})
    batch_id = min([0, *(one.batch_id for one in audits)]) - 1
    row: tuple[object, ...] = (table, batch_id, 0, 0, 0, 0, 0, {}, None)
    with made_once(spark, lake.silver_batches):
        append(spark.createDataFrame([row], SILVER_BATCHES).coalesce(1), lake.silver_batches, silver.PARTITIONED)
    return batch_id, 0


def finish(spark: SparkSession, lake: Lake, table: str, batch_id: int, change: dict[str, int]) -> None:
    """Write down what has changed; the sums over the audit are the lake's again."""
    row = {
        "accepted": -change["quarantined"],
        "rejected": change["quarantined"],
        "new_keys": change["silver"],
        "duplicates": change["duplicates"],
    }
    values: dict[str, str | Column] = {name: sf.lit(value).cast("bigint") for name, value in row.items()}
    this = (sf.col("table_name") == table) & (sf.col("batch_id") == batch_id)
    DeltaTable.forPath(spark, lake.silver_batches).update(this, values | {"written_at": sf.current_timestamp()})
