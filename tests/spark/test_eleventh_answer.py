"""An answer is one file: an eleventh, added to a copy of the project with its golden SQL, goes from silver to the page.

Nothing else of the copy changes, so a consumer that knows the answers by heart fails here.
"""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from pinterest_spark.lakehouse.tables import append, local_rows
from pinterest_spark.rows.schemas import silver_table
from tests.support.postgres import create_tables, fresh_database

PROJECT = Path(__file__).resolve().parents[2]
COPIED = ("include/sql", "include/spark/pinterest_spark", "plugins", "tests/golden")
NAME = "posts_by_country"
ANSWER = """/*
question = "Posts by country"
chart = { kind = "bars", labels = ["country"], value = "post_count" }

[key]
country = "text"

[value]
post_count = "bigint"

[bounds]
post_count = { least = 1 }
*/
SELECT country, count(*) AS post_count FROM pin_geo WHERE country IS NOT NULL GROUP BY country;
"""
GOLDEN = """
SELECT geo.country, count(*) FROM pinterest_data AS pin JOIN geolocation_data AS geo ON geo.ind = pin."index"
GROUP BY geo.country ORDER BY geo.country
"""
POSTED = datetime(2020, 5, 6, 7, 8, 9, tzinfo=UTC)
COUNTRIES = {1: "Korea", 2: "Korea", 3: "Chad", 4: "Peru"}  # post: its country


@pytest.fixture
def copy(tmp_path):
    for folder in COPIED:
        shutil.copytree(PROJECT / folder, tmp_path / "copy" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "copy/include/sql/answers" / f"{NAME}.sql").write_text(ANSWER)
    (tmp_path / "copy/tests/golden" / f"{NAME}.sql").write_text(GOLDEN)
    return tmp_path / "copy"


@pytest.fixture
def warehouse(stand_ins):
    with fresh_database(stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]) as url:
        create_tables(url)
        yield url


@contextmanager
def package_in(folder):
    """Import the package from a copy while the block runs: a driver of its own took 40 s of processor time."""

    def taken_out():
        names = [name for name in sys.modules if name.partition(".")[0] == "pinterest_spark"]
        return {name: sys.modules.pop(name) for name in names}

    ours = taken_out()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        copied = taken_out()
        sys.modules.update(ours)
    assert all(module.__file__.startswith(str(folder)) for module in copied.values())


def result_of(*command, **environment):
    done = subprocess.run(
        list(map(str, command)), env={**os.environ, **environment}, capture_output=True, text=True, timeout=240,
        check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(lines[-1].removeprefix("RESULT "))


@pytest.fixture
def silver(spark, lake):
    """A post of each country in silver, written as it is: the stages that fill silver have tests of their own."""
    values = {
        "pin": {"category": "art", "poster_name": "Ada", "follower_count": 5},
        "geo": {"timestamp": POSTED},
        "user": {"user_name": "Ada Byron", "age": 30, "date_joined": POSTED},
    }
    for table, known in values.items():
        names = silver_table(table).names
        posts = [{"ind": ind, "country": country, **known} for ind, country in COUNTRIES.items()]
        rows = [tuple(post.get(name) for name in names) for post in posts]
        append(local_rows(spark, rows, silver_table(table)), lake.silver(table))


def test_one_file_and_its_golden_sql_go_from_silver_to_the_page(spark, lake, silver, copy, warehouse, tmp_path):
    airflow = (PROJECT / ".venv/airflow/bin/python", PROJECT / "tests/support/publish_and_draw.py")
    as_airflow = {
        "PYTHONPATH": str(copy / "plugins"),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW_CONN_PINTEREST_WAREHOUSE": warehouse,
    }

    with package_in(copy / "include/spark"):
        from pinterest_spark.lakehouse import gold as gold_of_the_copy

        computed = gold_of_the_copy.run(spark, lake, warehouse)
    published = result_of(*airflow, copy / "include/sql", **as_airflow)

    with psycopg.connect(warehouse) as connection:
        connection.execute(
            'CREATE TABLE pinterest_data AS SELECT * FROM unnest(%s::int[]) AS t ("index")', [[*COUNTRIES]]
        )
        connection.execute(
            "CREATE TABLE geolocation_data AS SELECT * FROM unnest(%s::int[], %s::text[]) AS t (ind, country)",
            [[*COUNTRIES], [*COUNTRIES.values()]],
        )
        golden = connection.execute((copy / "tests/golden" / f"{NAME}.sql").read_text()).fetchall()
        gold = connection.execute(f"SELECT country, post_count FROM gold.{NAME} ORDER BY country").fetchall()
    names = {file.stem for file in (copy / "include/sql/answers").glob("*.sql")}
    drawn = {answer["table"]: answer for answer in published["panel"]["answers"]}
    assert gold == golden == [("Chad", 1), ("Korea", 2), ("Peru", 1)]
    assert set(computed["tables"]) == set(published["published"]) == set(drawn) == names
    assert spark.read.format("delta").load(lake.gold(NAME)).count() == published["published"][NAME] == 3
    assert {f"{NAME}_has_the_staged_rows", f"{NAME}_post_count_is_possible"} <= set(published["checks"])
    assert drawn[NAME]["question"] == "Posts by country"
    assert [tuple(row) for row in drawn[NAME]["rows"]] == golden
