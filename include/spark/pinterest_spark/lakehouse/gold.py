"""Gold: the answers, as Delta tables in the lake and as staged tables in the warehouse."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as sf

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import staging
from pinterest_spark.lakehouse.answers import Answer, Facts, answers_folder, facts, read_answers, registered
from pinterest_spark.lakehouse.staging import Load
from pinterest_spark.lakehouse.tables import Lake, exists, local_rows, read, run_in_threads
from pinterest_spark.lakehouse.work import Work
from pinterest_spark.rows.schemas import TABLES, silver_table


def run(spark: SparkSession, lake: Lake, warehouse_url: str) -> dict[str, Any]:
    """Compute the answers from silver and replace their tables, in the lake and in ``gold_staging``; safe to repeat.

    An answer has at most a few thousand rows (countries x categories), so each is computed once, collected, and written
    from the driver as one file and one COPY. Where silver, the answers' files and this code are those of the last
    load, nothing is computed; in the lake only the tables of answers with other rows are written.
    Result: ``{"stage", "tables": {answer: rows}, "versions": {answer: sha256}, "written": [answer], "notes",
    "seconds", "work"}``; ``written`` are the tables of the lake that were replaced.
    """
    work = Work(spark)
    answers = read_answers(answers_folder())
    silver = {table: state_of(spark, lake.silver(table)) for table in TABLES}
    source = {"lake": lake.uri, "silver": silver, "code": code_version()}
    last = staging.last_load(warehouse_url)
    load, written = last, list[str]()
    if is_current(spark, lake, answers, source, last):
        staging.confirm(warehouse_url)
    else:
        computed, notes = compute_all(spark, lake, answers)
        digests = {answer.name: digest(answer, rows) for answer, rows in computed.items()}
        changed = [
            one for one in answers if not is_written(spark, lake, one, last.tables.get(one.name), digests[one.name])
        ]
        written = [answer.name for answer in changed]
        if changed:
            staging.forget(warehouse_url, written)
            run_in_threads(spark, changed, lambda one: overwrite(spark, lake.gold(one.name), one, computed[one]))
        tables = {
            **last.tables,
            **{one.name: [digests[one.name], state_of(spark, lake.gold(one.name))] for one in changed},
        }
        rows = {answer.name: len(rows) for answer, rows in computed.items()}
        load = Load(source, notes, tables, rows, versions_of(answers))
        staging.stage(warehouse_url, computed, load)
    return {
        "stage": "gold",
        "tables": dict(load.rows),
        "versions": dict(load.versions),
        "written": written,
        "notes": dict(load.notes),
        **work.result(),
    }


def versions_of(answers: list[Answer]) -> dict[str, str]:
    return {answer.name: answer.version for answer in answers}


def state_of(spark: SparkSession, path: str) -> list[Any] | None:
    """Return what is another after every commit to a Delta table, as JSON has it; None where there is no table."""
    if not exists(spark, path):
        return None
    detail = spark.sql(f"DESCRIBE DETAIL delta.`{path}`").collect()[0]
    return [detail.id, detail.lastModified.isoformat(), detail.numFiles, detail.sizeInBytes]


def is_current(spark: SparkSession, lake: Lake, answers: list[Answer], source: dict[str, Any], last: Load) -> bool:
    """Say whether the last load was computed from this silver by these files, and its tables in the lake are there."""
    is_same = last.source == source and last.versions == versions_of(answers)
    return is_same and all(is_written(spark, lake, one, last.tables.get(one.name)) for one in answers)


def is_written(
    spark: SparkSession, lake: Lake, answer: Answer, noted: Sequence[Any] | None, wanted: str | None = None
) -> bool:
    """Say whether the lake's table of an answer is the noted one, and has the rows of the wanted digest.

    :param noted: Digest and state of the table, as the last load has them.
    """
    if noted is None or (wanted is not None and noted[0] != wanted):
        return False
    return noted[1] is not None and noted[1] == state_of(spark, lake.gold(answer.name))


def digest(answer: Answer, rows: Sequence[Row]) -> str:
    """Return a hash of a table of the lake: its columns and its rows, in any order."""
    text = "\n".join([repr(answer.columns), *sorted(repr(tuple(row)) for row in rows)])
    return hashlib.sha256(text.encode()).hexdigest()


def code_version() -> str:
    """Return a hash of the code that the answers are computed by, beside their own files."""
    files = (Path(__file__), Path(__file__).with_name("answers.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def compute_all(
    spark: SparkSession, lake: Lake, answers: list[Answer]
) -> tuple[dict[Answer, list[Row]], dict[str, int]]:
    """Return the rows of every answer, and how many posts no answer could use."""
    built = facts(*(read(spark, lake.silver(table), silver_table(table)) for table in TABLES))
    cached = Facts(**{name: frame.persist() for name, frame in vars(built).items()})
    try:
        with registered(cached):  # a view that is dropped takes its cached rows along
            rows = run_in_threads(spark, answers, lambda answer: compute(spark, answer))
            notes = count_left_out(cached)
    finally:
        for frame in vars(cached).values():
            frame.unpersist()
    return dict(zip(answers, rows, strict=True)), notes


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
