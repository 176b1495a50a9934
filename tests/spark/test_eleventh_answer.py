"""An answer is one file: an eleventh, added to a copy of the project with its golden SQL, goes from silver to the page.

Nothing else of the copy changes, so a consumer that knows the answers by heart fails here.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from pinterest_spark.lakehouse import bronze, silver
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
RUN_GOLD = """
import json, sys
from pinterest_spark.lakehouse import gold
from pinterest_spark.lakehouse.tables import Lake
from pinterest_spark.session import build_session
spark = build_session("eleventh", size="test", jars=sys.argv[1], environment={})
print("RESULT " + json.dumps(gold.run(spark, Lake(sys.argv[2]), sys.argv[3])))
spark.stop()
"""
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


def result_of(*command, **environment):
    done = subprocess.run(
        list(map(str, command)), env={**os.environ, **environment}, capture_output=True, text=True, timeout=240,
        check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(lines[-1].removeprefix("RESULT "))


def test_one_file_and_its_golden_sql_go_from_silver_to_the_page(
    spark, lake, land, envelope_of, copy, warehouse, tmp_path
):
    for table in ("pin", "geo", "user"):
        values = {ident: {"country": country} if table == "geo" else {} for ident, country in COUNTRIES.items()}
        land(table, *(envelope_of(table, ident, ident, **values[ident]) for ident in COUNTRIES))
    bronze.run(spark, lake, "pinterest")
    silver.run(spark, lake, "pinterest", {})
    airflow = (PROJECT / ".venv/airflow/bin/python", PROJECT / "tests/support/publish_and_draw.py")
    as_airflow = {
        "PYTHONPATH": str(copy / "plugins"),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW_CONN_PINTEREST_WAREHOUSE": warehouse,
    }

    computed = result_of(
        sys.executable, "-c", RUN_GOLD, PROJECT / ".jars/spark", lake.uri, warehouse,
        PYTHONPATH=str(copy / "include/spark"),
    )  # fmt: skip
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
