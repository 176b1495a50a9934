"""Gold: the ten answers, as Delta tables in the lake and as staged tables in the warehouse."""

import time
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as sf

from pinterest_spark.lakehouse import staging as warehouse
from pinterest_spark.lakehouse.answers import QUESTIONS, Facts, facts
from pinterest_spark.lakehouse.tables import Lake, at_once, read
from pinterest_spark.rows.schemas import GOLD, TABLES, silver_table


def run(spark: SparkSession, lake: Lake, warehouse_url: str) -> dict[str, Any]:
    """Answer the questions from silver and replace all ten tables, in the lake and in ``gold_staging``; safe to repeat.

    An answer has at most a few thousand rows (countries x categories), so each is computed once, collected, and written
    from the driver as one file and one COPY. Result: ``{"stage", "tables": {table: rows}, "notes", "seconds"}``.
    """
    started = time.monotonic()
    asked = facts(*(read(spark, lake.silver(table), silver_table(table)) for table in TABLES))
    held = Facts(**{name: frame.persist() for name, frame in vars(asked).items()})
    try:
        answers = dict(zip(GOLD, at_once(spark, GOLD, lambda table: answer(held, table)), strict=True))
        notes = count_left_out(held)
    finally:
        for frame in vars(held).values():
            frame.unpersist()
    at_once(spark, GOLD, lambda table: overwrite(spark, lake.gold(table), table, answers[table]))
    warehouse.stage(warehouse_url, answers)
    return {
        "stage": "gold",
        "tables": {table: len(rows) for table, rows in answers.items()},
        "notes": notes,
        "seconds": round(time.monotonic() - started, 3),
    }


def answer(asked: Facts, table: str) -> list[Row]:
    """Return the rows of an answer in the contract's columns and types."""
    columns = [sf.col(field.name).cast(field.dataType).alias(field.name) for field in GOLD[table]]
    rows: list[Row] = QUESTIONS[table](asked).select(*columns).collect()
    return rows


def overwrite(spark: SparkSession, path: str, table: str, rows: list[Row]) -> None:
    frame = spark.createDataFrame(rows, GOLD[table]).coalesce(1)
    frame.write.format("delta").mode("overwrite").save(path)


def count_left_out(asked: Facts) -> dict[str, int]:
    """Count the posts that no answer could use, by what they lack."""

    def lacking(rows: DataFrame, prefix: str, *columns: str) -> dict[str, int]:
        counts = [sf.count(sf.when(sf.col(name).isNull(), 1)).alias(f"{prefix}_without_{name}") for name in columns]
        found = rows.agg(*counts).head()
        return found.asDict() if found else {}

    return lacking(asked.pin_geo, "posts", "country", "post_year", "category", "follower_count") | lacking(
        asked.pin_user, "posts", "age_group"
    )
