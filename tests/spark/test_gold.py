"""The answers as Delta tables and as staged tables of a real PostgreSQL."""

import shutil
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from delta.tables import DeltaTable
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pinterest_pipeline.warehouse.migrations import migrate, read_migrations
from pinterest_spark import postgres
from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import bronze, gold, silver, staging
from pinterest_spark.lakehouse.answers import answers_folder, parse, read_answers
from pinterest_spark.lakehouse.tables import Lake, append, local_rows
from pinterest_spark.rows.schemas import TABLES, silver_table

ANSWERS = read_answers(answers_folder())
MIGRATIONS = answers_folder().parent / "migrations"


@pytest.fixture(scope="session")
def server(stand_ins):
    return stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]


@pytest.fixture
def empty_url(server):
    """The URL of a database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield make_conninfo(**{**conninfo_to_dict(server), "dbname": name})
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def warehouse_url(empty_url):
    with psycopg.connect(empty_url) as connection:
        migrate(connection, read_migrations(MIGRATIONS), applied_by="test")
    return empty_url


@pytest.fixture
def staged(warehouse_url):
    def fetch(table):
        with psycopg.connect(warehouse_url) as connection:
            return sorted(connection.execute(f"SELECT * FROM gold_staging.{table}").fetchall())

    return fetch


def answers(**rows):
    return {answer: rows.get(answer.name, []) for answer in ANSWERS}


def test_all_tables_reach_the_lake_and_the_warehouse_and_a_second_run_replaces_them(
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

    assert list(first["tables"]) == [answer.name for answer in ANSWERS]
    assert second["tables"] == first["tables"]
    assert first["notes"] == {
        "posts_without_country": 0, "posts_without_post_year": 0, "posts_without_category": 0,
        "posts_without_follower_count": 1, "posts_without_age_group": 1,
    }  # fmt: skip
    assert staged("top_user_by_country") == [("Korea", title["poster_name"].replace("\t", " "), 1_200_000)]
    assert staged("median_followers_by_join_year") == [(2016, 1_200_000.0)]
    for answer in ANSWERS:
        stored = spark.read.format("delta").load(lake.gold(answer.name))
        assert [(f.name, f.dataType) for f in stored.schema] == [(f.name, f.dataType) for f in answer.schema]
        assert sorted(tuple(row) for row in stored.collect()) == staged(answer.name)
    [(_, loaded_at, rows, versions, *_)] = staged("load")
    assert rows == second["tables"]
    assert versions == second["versions"] == {answer.name: answer.version for answer in ANSWERS}
    assert loaded_at is not None


@pytest.fixture
def computed(spark, lake, warehouse_url):
    """Return a function that adds a post to silver, if it is given one, and computes the answers."""
    joined = datetime(2016, 1, 2, tzinfo=UTC)

    def compute(post=None, country="Korea"):
        values = {
            "pin": {"category": "art", "poster_name": "Ada", "follower_count": 5000},
            "geo": {"country": country, "timestamp": joined.replace(year=2020)},
            "user": {"user_name": "Ada", "age": 30, "date_joined": joined},
        }
        for table in TABLES if post else ():
            schema = silver_table(table)
            row = {"ind": post, "_kafka_offset": post, "_kafka_timestamp": joined, **values[table]}
            append(local_rows(spark, [tuple(row.get(name) for name in schema.names)], schema), lake.silver(table))
        return gold.run(spark, lake, warehouse_url)

    return compute


@pytest.fixture
def commits(spark, lake):
    return lambda name: DeltaTable.forPath(spark, lake.gold(name)).history().count()


def test_where_nothing_is_new_nothing_is_computed_or_written_but_the_time_of_the_load(
    computed, commits, staged, monkeypatch
):
    first = computed(1)
    [(_, loaded_at, *_)] = staged("load")
    with monkeypatch.context() as patched:
        patched.setattr(gold, "compute", None)
        second = computed()

    assert second == {**first, "written": [], "seconds": second["seconds"], "work": {"spark_jobs": 0}}
    assert {commits(name) for name in first["tables"]} == {1}
    assert staged("load")[0][1] > loaded_at


def test_only_answers_with_other_rows_are_written_to_the_lake_and_all_are_staged(computed, commits, staged):
    computed(1)

    second = computed(2)  # of the same user

    assert second["written"] == [
        "category_count_by_year", "popular_category_by_age_group", "popular_category_by_country",
        "popular_category_by_year",
    ]  # fmt: skip
    assert {name for name in second["tables"] if commits(name) == 2} == set(second["written"])
    assert staged("popular_category_by_country") == [("Korea", "art", 2)]
    assert staged("top_country") == [("Korea", 5000)]


def test_answers_that_reached_the_lake_and_not_the_warehouse_are_written_again(
    computed, warehouse_url, staged, monkeypatch
):
    computed(1)

    def away(*_):
        raise RuntimeError("the warehouse is away")

    with monkeypatch.context() as crashing:
        crashing.setattr(staging, "stage", away)
        with pytest.raises(RuntimeError):
            computed(2)
    assert staging.last_load(warehouse_url).source is None
    again = computed()

    assert "popular_category_by_country" in again["written"]
    assert staged("popular_category_by_country") == [("Korea", "art", 2)]


def test_a_table_that_was_lost_is_there_again_after_the_next_run(computed, lake, warehouse_url, staged, spark):
    def execute(statement):
        with psycopg.connect(warehouse_url) as connection:
            connection.execute(statement)

    computed(1)
    for lose in (
        lambda: shutil.rmtree(lake.gold("top_country").removeprefix("file://")),
        lambda: execute("DROP TABLE gold_staging.top_country"),
        lambda: execute("DELETE FROM gold_staging.load"),
    ):
        lose()
        computed()

        assert staged("top_country") == [("Korea", 5000)]
        assert spark.read.format("delta").load(lake.gold("top_country")).count() == 1
        assert staged("load")


def test_a_table_of_the_lake_that_is_an_older_one_is_written_again(computed, lake, spark):
    computed(1)
    computed(2)
    DeltaTable.forPath(spark, lake.gold("popular_category_by_country")).restoreToVersion(0)

    assert computed()["written"] == ["popular_category_by_country"]
    stored = spark.read.format("delta").load(lake.gold("popular_category_by_country"))
    assert [tuple(row) for row in stored.collect()] == [("Korea", "art", 2)]


def test_a_changed_package_computes_again(computed, monkeypatch):
    computed(1)
    calls = []
    compute = gold.compute_all
    monkeypatch.setattr(gold, "code_version", lambda: "another")
    monkeypatch.setattr(gold, "compute_all", lambda *given: calls.append(1) or compute(*given))

    assert computed()["written"] == []  # the rows are the same
    assert calls == [1]


def test_another_lake_or_a_changed_file_is_computed_again(computed, spark, lake, warehouse_url, monkeypatch, tmp_path):
    computed(1)
    other = gold.run(spark, Lake(f"file://{tmp_path}/other"), warehouse_url)
    back = computed()
    edited = [*ANSWERS[:-1], replace(ANSWERS[-1], sql=f"{ANSWERS[-1].sql}\n-- reviewed")]
    monkeypatch.setattr(gold, "read_answers", lambda _: edited)
    changed = computed()

    assert other["tables"]["top_country"] == 0
    assert back["tables"]["top_country"] == 1
    assert changed["versions"] == {answer.name: answer.version for answer in edited}
    assert changed["written"] == []  # the rows are the same


def test_an_empty_lake_gives_empty_answers(spark, lake, warehouse_url, staged):
    result = gold.run(spark, lake, warehouse_url)

    assert result["tables"] == {answer.name: 0 for answer in ANSWERS}
    assert staged("top_country") == []


def test_a_load_that_fails_half_way_leaves_the_one_before(warehouse_url, staged):
    staging.stage(warehouse_url, answers(top_country=[("Korea", 5)]))

    with pytest.raises(psycopg.Error):
        staging.stage(warehouse_url, answers(top_country=[("Chad", 9)], users_joined_by_year=[("no year", 1)]))

    assert staged("top_country") == [("Korea", 5)]
    assert staged("load")[0][2]["top_country"] == 1


def test_a_reader_that_holds_the_load_row_makes_the_next_load_wait(warehouse_url, staged, monkeypatch):
    staging.stage(warehouse_url, answers(top_country=[("Korea", 5)]))
    monkeypatch.setitem(postgres.SETTINGS, "lock_timeout", "200ms")
    monkeypatch.setattr(postgres, "FIRST_PAUSE_SECONDS", 0.01)

    with psycopg.connect(warehouse_url) as reader:
        reader.execute("SELECT FROM gold_staging.load FOR UPDATE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            staging.stage(warehouse_url, answers(top_country=[("Chad", 9)]))
        assert staged("top_country") == [("Korea", 5)]
    staging.stage(warehouse_url, answers(top_country=[("Chad", 9)]))

    assert staged("top_country") == [("Chad", 9)]


OTHER = """/*
[key]
country = "text"
[value]
posts = "bigint"
*/
SELECT country, count(*) AS posts FROM pin_geo GROUP BY country"""


def test_an_answer_with_other_columns_replaces_its_table_and_one_that_is_gone_loses_it(warehouse_url, staged):
    staging.stage(warehouse_url, answers(top_country=[("Korea", 5)]))

    staging.stage(warehouse_url, {parse("top_country", OTHER.replace("posts", "number")): [("Chad", 7)]})

    assert staged("top_country") == [("Chad", 7)]
    with pytest.raises(psycopg.errors.UndefinedTable):
        staged("users_joined_by_year")
    with psycopg.connect(warehouse_url) as connection:
        assert connection.execute("SELECT number FROM gold_staging.top_country").fetchone() == (7,)


def test_a_doubled_row_fails_the_load_and_not_the_readers(warehouse_url):
    with pytest.raises(psycopg.errors.UniqueViolation):
        staging.stage(warehouse_url, answers(top_country=[("Chad", 900), ("Chad", 901)]))


def test_a_delta_table_follows_a_changed_declaration(spark, tmp_path):
    path = f"file://{tmp_path}/answer"
    gold.overwrite(spark, path, parse("mine", OTHER), [])

    gold.overwrite(spark, path, parse("mine", OTHER.replace('"bigint"', '"double precision"')), [("Chad", 1.5)])

    assert [tuple(row) for row in spark.read.format("delta").load(path).collect()] == [("Chad", 1.5)]


def test_a_warehouse_that_was_not_migrated_is_refused_with_the_task_that_helps(empty_url):
    with pytest.raises(StageError, match=r"apply include/sql/migrations \(task migrate_warehouse"):
        staging.stage(empty_url, answers())


class Flaky:
    """Fails with an error so many times, then succeeds."""

    def __init__(self, failures, error):
        self.failures, self.error, self.calls = failures, error, 0

    def __call__(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error


@pytest.mark.parametrize("failures", [0, 1, postgres.ATTEMPTS - 1])
def test_a_server_that_comes_back_is_tried_again_after_growing_pauses(failures):
    work, pauses = Flaky(failures, psycopg.OperationalError("away")), []

    postgres.retry(work, pauses.append)

    assert work.calls == failures + 1
    assert [0.5 * 2**n / 2 <= pause <= 0.5 * 2**n * 1.5 for n, pause in enumerate(pauses)] == [True] * failures


def test_a_server_that_stays_away_is_given_up():
    work = Flaky(postgres.ATTEMPTS, psycopg.OperationalError("away"))

    with pytest.raises(psycopg.OperationalError, match="away"):
        postgres.retry(work, lambda _: None)

    assert work.calls == postgres.ATTEMPTS


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(psycopg.OperationalError("away"), id="away"),
        pytest.param(psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT"), id="demoted"),
        pytest.param(psycopg.errors.IdleInTransactionSessionTimeout("terminating"), id="idle in transaction"),
    ],
)
def test_a_promotion_of_two_minutes_is_waited_for_by_a_writer_with_patience(error):
    now = [0.0]

    def work():
        if now[0] < 120:
            raise error
        return "done"

    def pause(seconds):
        now[0] += seconds

    assert postgres.retry(work, pause, patience_seconds=300, clock=lambda: now[0]) == "done"
    now[0] = -1_000_000.0
    with pytest.raises(type(error)):
        postgres.retry(work, pause, patience_seconds=300, clock=lambda: now[0])
    assert 300 <= now[0] + 1_000_000 <= 312


def test_what_another_try_cannot_fix_is_raised_after_the_first():
    work = Flaky(9, psycopg.errors.InsufficientPrivilege("no"))

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        postgres.retry(work, lambda _: None)

    assert work.calls == 1
