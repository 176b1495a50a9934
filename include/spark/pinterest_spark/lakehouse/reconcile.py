"""The proof of the silver stage: where each record of bronze went, counted apart from the code that moved it."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as sf

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import coverage
from pinterest_spark.lakehouse.offsets import OffsetRange, is_within
from pinterest_spark.lakehouse.tables import Lake, read, row_count, run_in_threads
from pinterest_spark.rows.parsing import read_key
from pinterest_spark.rows.rules import refine
from pinterest_spark.rows.schemas import BRONZE, QUARANTINE, REPROCESSING, SILVER_BATCHES, TABLES, silver_table

SAMPLES = 3
SAMPLED_SHARE = 0.005  # of the records: half of the share that is warned of
LONGEST_SAMPLE = 200  # characters
NOTHING = {"landed": 0, "silver": 0, "duplicates": 0, "quarantined": 0, "lost": 0}


def count(
    spark: SparkSession, lake: Lake, topic_prefix: str, acknowledged: dict[str, list[OffsetRange]]
) -> dict[str, Any]:
    """Return the silver stage's numbers, all in rows.

    - ``run``: of the bronze records within ``acknowledged``, per table: ``landed`` = ``silver`` (the row that silver
      holds is this record) + ``duplicates`` (silver holds another record of its key) + ``quarantined`` + ``lost``.
    - ``totals``: ``bronze``, ``silver`` and ``quarantined`` counted in the tables, ``duplicates`` from the audit.
    - ``quarantine_reasons``: rows by reason. ``defects``: records by column since the first run, re-sends included.
    - ``validated``: what silver found, in any record, since the run began to send: ``records``, ``quarantined``,
      ``defects`` by column, and ``samples``, up to three records by column or, of quarantine, by ``*``.
    - ``offsets``: what bronze has of each partition in Kafka, and what is missing in between: see ``coverage.check``.
    - ``counted_at``: when, ISO 8601 in UTC, by which later totals are told from earlier ones.

    :raises StageError: when a table's totals do not add up.
    """
    counted_at = datetime.now(UTC).isoformat()
    reasons = quarantine_reasons(spark, lake)
    check_finished(spark, lake)
    audits = read(spark, lake.silver_batches, SILVER_BATCHES).collect()

    def count_table(table: str) -> tuple[dict[str, int], dict[str, int], dict[str, Any] | None]:
        ranges = acknowledged.get(table, [])
        topic, of_table = f"{topic_prefix}.{table}", [one for one in audits if one.table_name == table]
        of_run = follow(spark, lake, table, topic, ranges) if ranges else dict(NOTHING)
        duplicates = sum(one.duplicates for one in of_table)
        totals = totals_of(spark, lake, table, duplicates, sum(reasons[table].values()))
        return of_run, totals, validated_since(spark, lake, table, ranges, of_table)

    counted = dict(zip(TABLES, run_in_threads(spark, TABLES, count_table), strict=True))
    defects: dict[str, dict[str, int]] = {table: {} for table in TABLES}
    for one in audits:
        for column, records in one.defects.items():
            defects[one.table_name][column] = defects[one.table_name].get(column, 0) + records
    totals = {table: counted[table][1] for table in TABLES}
    check_totals(totals)
    return {
        "run": {table: counted[table][0] for table in TABLES},
        "totals": totals,
        "quarantine_reasons": reasons,
        "defects": defects,
        "validated": {table: counted[table][2] for table in TABLES if counted[table][2]},
        "offsets": {table: offsets_of(audits, table) for table in TABLES},
        "counted_at": counted_at,
    }


def offsets_of(audits: list[Row], table: str) -> list[dict[str, Any]]:
    of_table = (one for one in audits if one.table_name == table)
    # An audit from before offsets were noted has no such column until silver runs
    return coverage.check(coverage.Offsets(*noted) for one in of_table for noted in getattr(one, "offsets", None) or ())


def validated_since(
    spark: SparkSession, lake: Lake, table: str, ranges: list[OffsetRange], audits: list[Row]
) -> dict[str, Any] | None:
    """Return what the micro-batches since a run began to send found; None for a run that does not say when."""
    times = [one.since for one in ranges if one.since]
    if not times:
        return None
    since = min(times)
    recent = [one for one in audits if one.batch_id >= 0 and one.written_at.astimezone(UTC) >= since]
    defects: Counter[str] = Counter()
    for one in recent:
        defects.update(one.defects)
    found = {
        "records": sum(one.records for one in recent),
        "quarantined": sum(one.rejected for one in recent),
        "defects": dict(defects),
    }
    return {**found, "samples": samples_of(spark, lake, table, found, since)}


def samples_of(
    spark: SparkSession, lake: Lake, table: str, found: dict[str, Any], since: datetime
) -> dict[str, list[str]]:
    """Return records that show what is wrong; none of a column in which few have a defect, since each costs a scan."""
    fewest = found["records"] * SAMPLED_SHARE
    shown = {}
    if found["quarantined"] > fewest:
        rejected = read(spark, lake.quarantine, QUARANTINE).where(sf.col("table_name") == table)
        newest = rejected.orderBy(sf.col("kafka_timestamp").desc_nulls_last()).limit(SAMPLES).collect()
        shown["*"] = [f"{sample(one.payload)} ({one.reject_reason})" for one in newest]
    columns = [column for column, records in found["defects"].items() if records > fewest]
    if columns:
        landed = read(spark, lake.bronze(table), BRONZE).where(sf.col("landed_at") >= sf.lit(since))
        records = landed.select(sf.col("payload").alias("_payload"), sf.col("kafka_timestamp").alias("_arrived_at"))
        refined = refine(records, table).select("_payload", "_defects")
        for column in columns:
            some = refined.where(sf.array_contains("_defects", column)).limit(SAMPLES).collect()
            shown[column] = [sample(one._payload) for one in some]
    return shown


def sample(payload: str | None) -> str:
    text = payload or ""
    return text if len(text) <= LONGEST_SAMPLE else f"{text[:LONGEST_SAMPLE]} …"


def totals_of(spark: SparkSession, lake: Lake, table: str, duplicates: int, quarantined: int) -> dict[str, int]:
    return {
        "bronze": row_count(spark, lake.bronze(table)),
        "silver": row_count(spark, lake.silver(table)),
        "duplicates": duplicates,
        "quarantined": quarantined,
    }


def check_finished(spark: SparkSession, lake: Lake) -> None:
    """Refuse to count a lake whose silver is between two sets of rules."""
    unfinished = {one.table_name for one in read(spark, lake.reprocessing, REPROCESSING).collect()}
    if unfinished:
        raise StageError(
            f"Silver {', '.join(sorted(unfinished))} was being reprocessed and is not done: the run was cut short. "
            "Clear the failed task of DAG pinterest_reprocess, or start that DAG again, which finishes it."
        )


def check_totals(totals: dict[str, dict[str, int]]) -> None:
    """Refuse totals in which a record is missing or counted twice."""
    wrong = [
        f"{table}: bronze {one['bronze']} is not silver {one['silver']} + duplicates {one['duplicates']} "
        f"+ quarantined {one['quarantined']}"
        for table, one in totals.items()
        if one["bronze"] != one["silver"] + one["duplicates"] + one["quarantined"]
    ]
    if wrong:
        raise StageError(
            f"The silver stage does not add up. {'; '.join(wrong)}. Rows were changed by other hands than this "
            "pipeline's, or a checkpoint below checkpoints/silver does not belong to its tables."
        )


def quarantine_reasons(spark: SparkSession, lake: Lake) -> dict[str, dict[str, int]]:
    found = read(spark, lake.quarantine, QUARANTINE).groupBy("table_name", "reject_reason").count().collect()
    reasons: dict[str, dict[str, int]] = {table: {} for table in TABLES}
    for table, reason, rows in sorted(found):
        reasons[table][reason] = rows
    return reasons


def follow(spark: SparkSession, lake: Lake, table: str, topic: str, ranges: list[OffsetRange]) -> dict[str, int]:
    """Follow the bronze records of the ranges to where they ended; payloads are read of those not found at once.

    Of two records at one offset the older one is an earlier generation's, which the run did not send.
    """
    of_ranges = read(spark, lake.bronze(table), BRONZE).where(is_within(topic, ranges))
    records = of_ranges.groupBy("partition", "offset").agg(sf.max("kafka_timestamp").alias("kafka_timestamp"))
    silver = read(spark, lake.silver(table), silver_table(table)).select(
        sf.col("_kafka_partition").alias("partition"),
        sf.col("_kafka_offset").alias("offset"),
        sf.col("_kafka_timestamp").alias("kafka_timestamp"),
        sf.lit(True).alias("_silver"),
    )
    rejected = (
        read(spark, lake.quarantine, QUARANTINE)
        .where((sf.col("table_name") == table) & (sf.col("topic") == topic))
        .select("partition", "offset", "kafka_timestamp", sf.lit(True).alias("_rejected"))
    )
    place = ["partition", "offset", "kafka_timestamp"]
    found = records.join(silver, place, "left").join(rejected, place, "left").dropDuplicates(place)
    placed = found.groupBy("_silver", "_rejected").count().collect()
    in_silver = sum(one["count"] for one in placed if one._silver)
    in_quarantine = sum(one["count"] for one in placed if one._rejected and not one._silver)
    landed = sum(one["count"] for one in placed)
    duplicates = 0
    if landed > in_silver + in_quarantine:
        silver_ids = read(spark, lake.silver(table), silver_table(table))
        elsewhere = records.join(silver, place, "left_anti").join(rejected, place, "left_anti")
        with_payload = of_ranges.join(elsewhere, place, "left_semi").dropDuplicates(place)
        duplicates = count_superseded(with_payload, silver_ids, table)
    return {
        "landed": landed,
        "silver": in_silver,
        "duplicates": duplicates,
        "quarantined": in_quarantine,
        "lost": landed - in_silver - in_quarantine - duplicates,
    }


def count_superseded(records: DataFrame, silver: DataFrame, table: str) -> int:
    """Count the records whose key silver holds through another record."""
    keyed = read_key(records.select(sf.col("payload").alias("_payload")), table).withColumnRenamed("_key", "ind")
    return keyed.join(silver.select("ind"), "ind", "left_semi").count()
