"""The answers as Delta tables and as staged tables of a real PostgreSQL."""

import uuid

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pinterest_spark import postgres
from pinterest_spark.lakehouse import bronze, gold, silver
from pinterest_spark.lakehouse import staging as warehouse
from pinterest_spark.rows.schemas import GOLD


@pytest.fixture(scope="session")
def server(stand_ins):
    return stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]


@pytest.fixture
def warehouse_url(server):
    """The URL of a database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield make_conninfo(**{**conninfo_to_dict(server), "dbname": name})
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def staged(warehouse_url):
    def fetch(table):
        with psycopg.connect(warehouse_url) as connection:
            return sorted(connection.execute(f"SELECT * FROM gold_staging.{table}").fetchall())

    return fetch


def answers(**rows):
    return {table: rows.get(table, []) for table in GOLD}


def test_ten_tables_reach_the_lake_and_the_warehouse_and_a_second_run_replaces_them(
    spark, lake, land, envelope_of, warehouse_url, staged
):
    title = {"poster_name": 'O\'Neil\t\\N | "x" 🎨', "follower_count": "1.2M", "category": "art"}
    land("pin", envelope_of("pin", 1, 0, **title), envelope_of("pin", 2, 1, category="quotes"))
    land("geo", envelope_of("geo", 1, 0), envelope_of("geo", 2, 1, country="Chad"))
    land("user", envelope_of("user", 1, 0), envelope_of("user", 2, 1, age=17))
    bronze.run(spark, lake, "pinterest")
    silver.run(spark, lake, "pinterest", {})

    first = gold.run(spark, lake, warehouse_url)
    second = gold.run(spark, lake, warehouse_url)

    assert list(first["tables"]) == list(GOLD)
    assert second["tables"] == first["tables"]
    assert first["notes"] == {
        "posts_without_country": 0, "posts_without_post_year": 0, "posts_without_category": 0,
        "posts_without_follower_count": 1, "posts_without_age_group": 1,
    }  # fmt: skip
    assert staged("top_user_by_country") == [("Korea", title["poster_name"].replace("\t", " "), 1_200_000)]
    assert staged("median_followers_by_join_year") == [(2016, 1_200_000.0)]
    for table, schema in GOLD.items():
        stored = spark.read.format("delta").load(lake.gold(table))
        assert [(f.name, f.dataType) for f in stored.schema] == [(f.name, f.dataType) for f in schema]
        assert sorted(tuple(row) for row in stored.collect()) == staged(table)
    [(_, loaded_at, rows)] = staged("load")
    assert rows == second["tables"]
    assert loaded_at is not None


def test_an_empty_lake_gives_ten_empty_answers(spark, lake, warehouse_url, staged):
    result = gold.run(spark, lake, warehouse_url)

    assert result["tables"] == dict.fromkeys(GOLD, 0)
    assert staged("top_country") == []


def test_a_load_that_fails_half_way_leaves_the_one_before(warehouse_url, staged):
    warehouse.stage(warehouse_url, answers(top_country=[("Korea", 5)]))

    with pytest.raises(psycopg.Error):
        warehouse.stage(warehouse_url, answers(top_country=[("Chad", 9)], users_joined_by_year=[("no year", 1)]))

    assert staged("top_country") == [("Korea", 5)]
    assert staged("load")[0][2]["top_country"] == 1


def test_a_reader_that_holds_the_load_row_makes_the_next_load_wait(warehouse_url, staged, monkeypatch):
    warehouse.stage(warehouse_url, answers(top_country=[("Korea", 5)]))
    monkeypatch.setattr(postgres, "TIMEOUTS", "-c lock_timeout=200ms")
    monkeypatch.setattr(postgres, "FIRST_PAUSE_SECONDS", 0.01)

    with psycopg.connect(warehouse_url) as reader:
        reader.execute("SELECT FROM gold_staging.load FOR UPDATE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            warehouse.stage(warehouse_url, answers(top_country=[("Chad", 9)]))
        assert staged("top_country") == [("Korea", 5)]
    warehouse.stage(warehouse_url, answers(top_country=[("Chad", 9)]))

    assert staged("top_country") == [("Chad", 9)]


class Flaky:
    """Fails with an error so many times, then succeeds."""

    def __init__(self, failures, error):
        self.failures, self.error, self.calls = failures, error, 0

    def __call__(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error


@pytest.mark.parametrize("failures", [0, 1, postgres.ATTEMPTS - 1])
def test_a_server_that_comes_back_is_asked_again_after_growing_pauses(failures):
    work, pauses = Flaky(failures, psycopg.OperationalError("away")), []

    postgres.again(work, pauses.append)

    assert work.calls == failures + 1
    assert [0.5 * 2**n / 2 <= pause <= 0.5 * 2**n * 1.5 for n, pause in enumerate(pauses)] == [True] * failures


def test_a_server_that_stays_away_is_given_up():
    work = Flaky(postgres.ATTEMPTS, psycopg.OperationalError("away"))

    with pytest.raises(psycopg.OperationalError, match="away"):
        postgres.again(work, lambda _: None)

    assert work.calls == postgres.ATTEMPTS


def test_what_trying_again_cannot_mend_is_raised_at_once():
    work = Flaky(9, psycopg.errors.InsufficientPrivilege("no"))

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        postgres.again(work, lambda _: None)

    assert work.calls == 1
