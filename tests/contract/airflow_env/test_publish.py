"""Publishing audits what it publishes, in its own transaction: where a check fails readers keep what they had."""

import json

import psycopg
import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.warehouse.answers import read_answers
from pinterest_pipeline.warehouse.operators import PostgresPublishAnswersOperator
from tests.support.postgres import SQL, create_answers, create_tables, fresh_database

DECLARED = read_answers(SQL / "answers")
STAGED = "INSERT INTO gold_staging.load (loaded_at, table_rows, versions) VALUES (now(), '{}', %s)"
TABLES = ("category_count_by_year", "popular_category_by_year")
ROWS = "INSERT INTO gold_staging.{} SELECT 2018, 'category ' || n, 1 FROM generate_series(1, 30) AS n"


@pytest.fixture
def warehouse(stand_ins, monkeypatch):
    """A warehouse with staged answers, of which two have 30 rows, that were published once."""
    with fresh_database(stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]) as url:
        create_tables(url)
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_TO_PUBLISH", url)
        with psycopg.connect(url, autocommit=True) as connection:
            create_answers(connection)
            connection.execute(STAGED, [json.dumps({answer.name: answer.version for answer in DECLARED})])
            for table in TABLES:
                connection.execute(ROWS.format(table))
            yield connection


def publish(**arguments):
    operator = PostgresPublishAnswersOperator(
        task_id="publish", conn_id="warehouse_to_publish", folder=SQL / "answers", checks=SQL / "checks", **arguments
    )
    return operator.execute({})


def published(connection):
    rows = connection.execute("SELECT category FROM gold.category_count_by_year").fetchall()
    counts = connection.execute("SELECT row_count FROM audit.answers WHERE name = 'category_count_by_year'").fetchall()
    return len(rows), counts


def test_answers_that_pass_are_published_with_their_counts(warehouse):
    assert publish()["category_count_by_year"] == 30
    assert published(warehouse) == (30, [(30,)])


@pytest.mark.parametrize(
    ("defect", "message"),
    [
        ("UPDATE gold_staging.category_count_by_year SET post_year = 1999 WHERE category = 'category 1'",
         r"category_count_by_year_post_year_is_possible \(1 rows, e.g. \(1999, 'category 1', 1\)\)"),
        ("DELETE FROM gold_staging.popular_category_by_year WHERE category = 'category 1'",
         "popular_category_by_year_agrees_with_category_count_by_year"),
        ("TRUNCATE gold_staging.category_count_by_year, gold_staging.popular_category_by_year",
         "none of the 10 answers has a row; category_count_by_year has 0 rows, published are 30"),
    ],
    ids=["out of bounds", "two answers differ", "all empty"],
)  # fmt: skip
def test_a_defect_of_the_staged_answers_leaves_readers_what_they_had(warehouse, defect, message):
    publish()
    warehouse.execute(defect)

    with pytest.raises(PermanentError, match=f"{message}.*Nothing was published"):
        publish()

    assert published(warehouse) == (30, [(30,)])


def test_an_answer_that_shrinks_is_not_published_unless_the_limit_is_lowered(warehouse):
    publish()
    for table in TABLES:
        warehouse.execute(f"DELETE FROM gold_staging.{table} WHERE category > 'category 20'")

    with pytest.raises(
        PermanentError, match=r"category_count_by_year has 13 rows, published are 30 .*0\.43, limit 0\.5"
    ):
        publish()
    publish(gates={"answer_rows_share": {"fail": 0.4}})

    assert published(warehouse) == (13, [(13,)])


def test_a_wrong_limit_is_refused_before_anything_is_read(warehouse):
    with pytest.raises(PermanentError, match=r"answer_rows_share.fail: expected a share from 0 to 1, got 'half'"):
        publish(gates={"answer_rows_share": {"fail": "half"}})
    assert published(warehouse) == (0, [(0,)])
