"""Gold: the answers, as Delta tables in the lake and as staged tables in the warehouse."""

import time
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as sf

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import staging
from pinterest_spark.lakehouse.answers import Answer, Facts, answers_folder, facts, read_answers, registered
from pinterest_spark.lakehouse.tables import Lake, local_rows, read, run_in_threads
from pinterest_spark.rows.schemas import TABLES, silver_table


def run(spark: SparkSession, lake: Lake, warehouse_url: str) -> dict[str, Any]:
    """Compute the answers from silver and replace their tables, in the lake and in ``gold_staging``; safe to repeat.

    An answer has at most a few thousand rows (countries x categories), so each is computed once, collected, and written
    from the driver as one file and one COPY.
    Result: ``{"stage", "tables": {answer: rows}, "versions": {answer: sha256}, "notes", "seconds"}``.
    """
    started = time.monotonic()
    answers = read_answers(answers_folder())
    built = facts(*(read(spark, lake.silver(table), silver_table(table)) for table in TABLES))
    cached = Facts(**{name: frame.persist() for name, frame in vars(built).items()})
    try:
        with registered(cached):
            rows = run_in_threads(spark, answers, lambda answer: compute(spark, answer))
        notes = count_left_out(cached)
    finally:
        for frame in vars(cached).values():
            frame.unpersist()
    computed = dict(zip(answers, rows, strict=True))
    run_in_threads(spark, answers, lambda answer: overwrite(spark, lake.gold(answer.name), answer, computed[answer]))
    staging.stage(warehouse_url, computed)
    return {
        "stage": "gold",
        "tables": {answer.name: len(rows) for answer, rows in computed.items()},
        "versions": {answer.name: answer.version for answer in answers},
        "notes": notes,
        "seconds": round(time.monotonic() - started, 3),
    }


def compute(spark: SparkSession, answer: Answer) -> list[Row]:
    """Return the rows of an answer in its declared columns and types; the facts must be registered.

    :raises StageError: naming the file whose SELECT does not fit the views or its declaration.
    """
    columns = [sf.col(field.name).cast(field.dataType).alias(field.name) for field in answer.schema]
    try:
        selected = spark.sql(answer.sql).select(*columns)
    except AnalysisException as error:
        raise StageError(
            f"include/sql/answers/{answer.name}.sql does not fit the views or its own declaration: {error}"
        ) from error
    rows: list[Row] = selected.collect()
    return rows


def overwrite(spark: SparkSession, path: str, answer: Answer, rows: list[Row]) -> None:
    """Replace a Delta table as one file; its columns become the declared ones."""
    frame = local_rows(spark, rows, answer.schema).coalesce(1)
    frame.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(path)


def count_left_out(tables: Facts) -> dict[str, int]:
    """Count the posts that no answer could use, by the column that they lack."""

    def lacking(rows: DataFrame, prefix: str, *columns: str) -> dict[str, int]:
        counts = [sf.count(sf.when(sf.col(name).isNull(), 1)).alias(f"{prefix}_without_{name}") for name in columns]
        found = rows.agg(*counts).head()
        return found.asDict() if found else {}

    return lacking(tables.pin_geo, "posts", "country", "post_year", "category", "follower_count") | lacking(
        tables.pin_user, "posts", "age_group"
    )
