"""Reprocess: validate records that landed before again, by the rules of today; nothing is sent, bronze is not changed.

A window names records by their Kafka timestamp, the one time that every record has, a broken one too. A rule concerns
whole keys: what it rejects may uncover an older record of its key, what it accepts may replace another. So all records
of the keys in the window are validated, and what silver and quarantine hold of them becomes what a first run by these
rules had left. Every write can be repeated. A window is noted before anything is changed and until all is written, so
that one which was cut short is known, and is finished by the next, whatever window that has.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf

from pinterest_spark.lakehouse import reconcile, silver
from pinterest_spark.lakehouse.tables import Lake, append, append_row, cached, exists, read, run_in_threads
from pinterest_spark.lakehouse.work import Work
from pinterest_spark.rows.parsing import read_key
from pinterest_spark.rows.schemas import (
    BRONZE,
    QUARANTINE,
    REPROCESSING,
    SILVER_BATCHES,
    TABLES,
    silver_table,
)

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


@dataclass(frozen=True)
class Request:
    """What to validate again.

    :param tables: Which tables; records of the others stay as they are.
    :param is_dry_run: Only count what would change.
    """

    window: Window
    tables: tuple[str, ...] = TABLES
    is_dry_run: bool = False

    @classmethod
    def read(cls, window_start: str = "", window_end: str = "", tables: str = "", dry_run: str = "") -> "Request":
        """Read the widgets; ``tables`` with commas, all where empty; ``none`` for none, so that the lake is counted."""
        named = tuple(TABLES) if not tables else tuple(name.strip() for name in tables.split(",") if name != "none")
        if unknown := [name for name in named if name not in TABLES]:
            raise ValueError(f"tables has {', '.join(unknown)}; expected some of {', '.join(TABLES)}, or none.")
        if dry_run.lower() not in ("", "true", "false"):
            raise ValueError(f"dry_run is {dry_run!r}; expected true or false.")
        return cls(Window.read(window_start, window_end), named, dry_run.lower() == "true")


def run(spark: SparkSession, lake: Lake, topic_prefix: str, request: Request) -> dict[str, Any]:
    """Validate again what is requested, then prove that no record was lost; safe to repeat.

    Result: ``{"stage", "tables": {table: {"records", "silver", "duplicates", "quarantined"}}, "totals",
    "quarantine_reasons", "defects", "counted_at", "seconds", "work"}``; of ``tables``, ``records`` were validated; the
    others say by how many rows each place grew, or would. ``defects`` stay as the records were first validated.

    :raises StageError: when bronze is not silver + duplicates + quarantined, before or after.
    """
    work = Work(spark)
    if not request.is_dry_run:
        silver.note_older_offsets(spark, lake, topic_prefix)
    change = preview if request.is_dry_run else redo
    changes = run_in_threads(
        spark, request.tables, lambda table: change(spark, lake, table, f"{topic_prefix}.{table}", request.window)
    )
    found = reconcile.count(spark, lake, topic_prefix, {})
    return {
        "stage": "reprocess",
        "tables": dict(zip(request.tables, changes, strict=True)),
        **{name: found[name] for name in ("totals", "quarantine_reasons", "defects", "counted_at")},
        **work.result(),
    }


def redo(spark: SparkSession, lake: Lake, table: str, topic: str, window: Window) -> dict[str, int]:
    if not exists(spark, lake.bronze(table)):
        return dict(NOTHING)
    # Else silver would count what is validated here once more
    silver.load_table(spark, lake, table, topic, silver.audited(spark, lake)[table])
    windows, unaccounted = begin(spark, lake, table, window)
    bronze, keys = affected(spark, lake, table, windows)
    with cached(keys) as keys, cached(silver.validate(bronze, table, topic)) as validated:
        change = difference(lake, table, topic, validated, keys)
        change["duplicates"] += unaccounted
        apply_to_quarantine(validated, lake, table, topic)
        apply_to_silver(validated, keys, lake.silver(table), table)
    finish(spark, lake, table, change)
    return change


def preview(spark: SparkSession, lake: Lake, table: str, topic: str, window: Window) -> dict[str, int]:
    """Return what :func:`redo` would change; nothing is written.

    Bronze rows that silver has not read yet count as changes too.
    """
    if not exists(spark, lake.bronze(table)):
        return dict(NOTHING)
    bronze, keys = affected(spark, lake, table, [window])
    with cached(keys) as keys, cached(silver.validate(bronze, table, topic)) as validated:
        return difference(lake, table, topic, validated, keys)


def difference(lake: Lake, table: str, topic: str, validated: DataFrame, keys: DataFrame) -> dict[str, int]:
    """Return by how many rows each place will grow."""
    spark = validated.sparkSession
    count = silver.count_batch(validated, table)
    accepted_keys = validated.where("_reject_reason IS NULL").select("ind").distinct().count()
    before_silver = known_rows(spark, lake.silver(table), table).join(keys, "ind", "left_semi").count()
    before_quarantine = known_rejects(spark, lake, table, topic, validated).count()
    return {
        "records": count.records,
        "silver": accepted_keys - before_silver,
        "duplicates": count.accepted - accepted_keys - (count.records - before_silver - before_quarantine),
        "quarantined": count.rejected - before_quarantine,
    }


def affected(spark: SparkSession, lake: Lake, table: str, windows: list[Window]) -> tuple[DataFrame, DataFrame]:
    """Return the bronze rows to validate, and their keys as ``ind``: those of the windows, and all others of the keys.

    A line whose envelope is broken is left out: no rule applies to it. The key is read by the reader that validation
    uses, so that both find the same in a payload that names it twice.
    """
    records = (
        read(spark, lake.bronze(table), BRONZE).where("line_key IS NULL").withColumn("_payload", sf.col("payload"))
    )
    rows = read_key(records, table).drop("_payload").withColumnRenamed("_key", "ind")
    is_named = reduce(or_, (window.holds(sf.col("kafka_timestamp")) for window in windows))
    named = rows.where(is_named)
    keys = named.select("ind").where("ind IS NOT NULL").distinct()
    others = rows.where(~is_named).join(keys, "ind", "left_semi")
    return named.unionByName(others).drop("ind"), keys


def known_rows(spark: SparkSession, path: str, table: str) -> DataFrame:
    return read(spark, path, silver_table(table)).select("ind")


def known_rejects(spark: SparkSession, lake: Lake, table: str, topic: str, validated: DataFrame) -> DataFrame:
    """Return the rows that quarantine holds of the validated records."""
    of_table = (sf.col("table_name") == table) & (sf.col("topic") == topic)
    known = read(spark, lake.quarantine, QUARANTINE).where(of_table).withColumn("_payload_hash", sf.xxhash64("payload"))
    records = silver.quarantine_rows(validated, table, "_payload_hash")
    return known.join(records, ["partition", "offset", "kafka_timestamp", "_payload_hash"], "left_semi")


def apply_to_quarantine(validated: DataFrame, lake: Lake, table: str, topic: str) -> None:
    """Free what is accepted now, put in what is rejected now, and give what stays the reason of today."""
    spark = validated.sparkSession
    if not exists(spark, lake.quarantine):
        silver.quarantine(validated.where("_reject_reason IS NOT NULL"), lake, table)
        return
    rows = silver.quarantine_rows(validated, table, "_payload_hash").withColumn("topic", sf.lit(topic))
    same = sf.col("known.table_name") == table  # a literal, so that the tables' merges do not conflict
    for name in ("topic", "partition", "offset", "kafka_timestamp"):
        same &= sf.col(f"known.{name}") == sf.col(f"new.{name}")
    same &= sf.xxhash64("known.payload") == sf.col("new._payload_hash")  # an accepted record's payload is not kept
    merge = DeltaTable.forPath(spark, lake.quarantine).alias("known").merge(rows.alias("new"), same)
    merge = merge.whenMatchedDelete("new.reject_reason IS NULL")
    merge = merge.whenMatchedUpdate("new.reject_reason <> known.reject_reason", {"reject_reason": "new.reject_reason"})
    merge.whenNotMatchedInsertAll("new.reject_reason IS NOT NULL").execute()


def apply_to_silver(validated: DataFrame, keys: DataFrame, path: str, table: str) -> None:
    """Give each key the latest of its accepted records, and no row where it has none."""
    fields = silver_table(table).fields
    accepted = validated.where("_reject_reason IS NULL")
    latest = silver.newest(accepted, table)
    if not exists(validated.sparkSession, path):
        append(latest, path)
        return
    wanted = keys.withColumnRenamed("ind", "_key").join(latest, sf.col("_key") == sf.col("ind"), "left")
    new, known = (sf.struct(*(sf.col(f"{side}.{field.name}") for field in fields)) for side in ("new", "known"))
    values: dict[str, str | Column] = {field.name: f"new.{field.name}" for field in fields}
    merge = (
        DeltaTable.forPath(validated.sparkSession, path).alias("known").merge(wanted.alias("new"), "known.ind = _key")
    )
    merge = merge.whenMatchedDelete("new.ind IS NULL").whenMatchedUpdate(~new.eqNullSafe(known), values)
    merge.whenNotMatchedInsert("new.ind IS NOT NULL", values).execute()


def begin(spark: SparkSession, lake: Lake, table: str, window: Window) -> tuple[list[Window], int]:
    """Note the window before anything is changed.

    Returns it with those of earlier reprocessings that were cut short, and by how many records these have left the
    table's totals inconsistent.

    :raises StageError: when the totals are inconsistent and no reprocessing was cut short.
    """
    audits = read(spark, lake.silver_batches, SILVER_BATCHES).where(sf.col("table_name") == table)
    duplicates = sum(one.duplicates for one in audits.select("duplicates").collect())
    quarantined = read(spark, lake.quarantine, QUARANTINE).where(sf.col("table_name") == table).count()
    totals = reconcile.totals_of(spark, lake, table, duplicates, quarantined)
    noted = read(spark, lake.reprocessing, REPROCESSING).where(sf.col("table_name") == table).collect()
    unfinished = [Window(in_utc(one.window_start), in_utc(one.window_end)) for one in noted]
    if not unfinished:
        reconcile.check_totals({table: totals})
    if window not in unfinished:
        append_row(spark, (table, window.start, window.end, datetime.now(UTC)), REPROCESSING, lake.reprocessing)
    return [window, *unfinished], totals["bronze"] - totals["silver"] - duplicates - quarantined


def in_utc(collected: datetime | None) -> datetime | None:
    """Return a collected timestamp, which has no zone and is in Python's own, as the moment that it is."""
    return None if collected is None else collected.astimezone(UTC)


def finish(spark: SparkSession, lake: Lake, table: str, change: dict[str, int]) -> None:
    """Write down what has changed, so that the sums over the audit are the lake's again; then forget the windows.

    Where the second is lost, the next reprocessing finds consistent totals and nothing to change. The rows of the
    audit that are no micro-batch's have negative numbers.
    """
    known = read(spark, lake.silver_batches, SILVER_BATCHES).where(sf.col("table_name") == table)
    batch_id = min([0, *(one.batch_id for one in known.select("batch_id").collect())]) - 1
    row: tuple[object, ...] = (
        table, batch_id, 0, -change["quarantined"], change["quarantined"], change["silver"], change["duplicates"], {},
        datetime.now(UTC), [],
    )  # fmt: skip
    append_row(spark, row, SILVER_BATCHES, lake.silver_batches)
    DeltaTable.forPath(spark, lake.reprocessing).delete(sf.col("table_name") == table)
