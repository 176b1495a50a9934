"""Migrations on a real PostgreSQL, under both drivers that Airflow's hook may have."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psycopg
import psycopg2
import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.warehouse import migrations as runner
from pinterest_pipeline.warehouse.migrations import migrate, read_migrations
from pinterest_pipeline.warehouse.operators import PostgresMigrateOperator
from tests.support.postgres import SQL, as_superuser, fresh_database

OLDER = Path(__file__).with_name("warehouse_before_migrations.sql")
NAMES = [file.name for file in sorted((SQL / "migrations").glob("*.sql"))]
SCHEMAS = "('gold_staging', 'stream', 'audit')"
ANSWERS = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'gold'"
RECORDED = "SELECT name, checksum, applied_by FROM audit.migrations ORDER BY name"
# Columns, defaults, keys, checks and indexes of all tables but the answers', which are not made by migrations
SHAPE = [
    f"""SELECT table_schema, table_name, column_name, ordinal_position, data_type, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema IN {SCHEMAS} AND table_name NOT IN ({ANSWERS})
    ORDER BY 1, 2, 4""",
    f"""SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace::regnamespace::text IN {SCHEMAS} AND conrelid::regclass::text NOT IN
    (SELECT 'gold_staging.' || table_name FROM ({ANSWERS}) AS answers) ORDER BY 1, 2""",
    f"""SELECT schemaname, tablename, indexdef FROM pg_indexes
    WHERE schemaname IN {SCHEMAS} AND tablename NOT IN ({ANSWERS}) ORDER BY 1, 2, 3""",
    f"""SELECT relname FROM pg_class WHERE relpersistence = 'u' AND relnamespace::regnamespace::text IN {SCHEMAS}
    ORDER BY 1""",
]


@pytest.fixture
def url(stand_ins, monkeypatch):
    with fresh_database(stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]) as database_url:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_TO_MIGRATE", database_url)
        yield database_url


@pytest.fixture
def folder(tmp_path):
    """Two migrations of a test's own."""
    (tmp_path / "0001_table.sql").write_text("CREATE SCHEMA s; CREATE TABLE s.t (a int); INSERT INTO s.t VALUES (1);")
    (tmp_path / "0002_column.sql").write_text("ALTER TABLE s.t ADD COLUMN b int NOT NULL DEFAULT 0;")
    return tmp_path


@pytest.fixture(params=[psycopg, psycopg2], ids=lambda driver: driver.__name__)
def connect(request, url):
    return lambda: request.param.connect(url)


def rows(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def run(folder=SQL / "migrations", run_id="manual__1"):
    operator = PostgresMigrateOperator(task_id="migrate_warehouse", conn_id="warehouse_to_migrate", folder=folder)
    return operator.execute({"ti": SimpleNamespace(dag_id="a_dag", run_id=run_id)})


def test_a_fresh_warehouse_gets_every_migration_and_the_second_run_does_nothing(url):
    assert run() == NAMES
    recorded = rows(url, RECORDED)
    assert run(run_id="manual__2") == []

    assert rows(url, RECORDED) == recorded
    assert [name for name, _, _ in recorded] == NAMES
    assert {applied_by for _, _, applied_by in recorded} == {"a_dag manual__1"}


def test_an_older_warehouse_keeps_its_data_and_becomes_like_a_fresh_one(url, stand_ins):
    with psycopg.connect(url) as connection:
        connection.execute(OLDER.read_text())
    tables = {
        "stream.pin": "ind, unique_id, title, follower_count, tag_list",  # a migration adds a column
        "stream.progress": "*",
        "stream.control": "*",
        "audit.run_rows": "dag_id, run_id, table_name, source_rows, lost_rows, recorded_at",  # and here
        "gold.top_country": "*",
        "gold_staging.load": "id, loaded_at, table_rows",  # and here
    }
    before = {table: rows(url, f"SELECT {columns} FROM {table}") for table, columns in tables.items()}

    assert run() == NAMES

    assert {table: rows(url, f"SELECT {columns} FROM {table}") for table, columns in tables.items()} == before
    assert rows(url, "SELECT versions FROM gold_staging.load") == [({},)]
    assert all(before.values())
    with fresh_database(stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]) as fresh:
        with psycopg.connect(fresh) as connection:
            migrate(connection, read_migrations(SQL / "migrations"), applied_by="test")
        for query in SHAPE:
            assert rows(url, query) == rows(fresh, query)


def test_a_later_migration_adds_a_column_to_a_table_with_rows(url, folder):
    later = (folder / "0002_column.sql").read_text()
    (folder / "0002_column.sql").unlink()
    run(folder)

    (folder / "0002_column.sql").write_text(later)

    assert run(folder) == ["0002_column.sql"]
    assert rows(url, "SELECT a, b FROM s.t") == [(1, 0)]


def test_two_that_start_at_once_apply_each_migration_once_and_both_succeed(url, connect):
    start = threading.Barrier(2)

    def migrate_warehouse(who):
        connection = connect()
        try:
            start.wait(10)
            return migrate(connection, read_migrations(SQL / "migrations"), applied_by=who)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        applied = list(pool.map(migrate_warehouse, ("one", "other")))

    assert sorted(applied[0] + applied[1]) == NAMES
    found = {who: [name for name, _, by in rows(url, RECORDED) if by == who] for who in ("one", "other")}
    assert [found["one"], found["other"]] == applied


def test_one_that_starts_while_a_migration_runs_waits_and_does_not_repeat_it(url, connect, folder):
    (folder / "0002_column.sql").write_text("SELECT pg_sleep(1); UPDATE s.t SET a = a + 1;")
    first = connect()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(migrate, first, read_migrations(folder), applied_by="first")
        deadline = time.monotonic() + 10
        while not rows(url, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"):
            assert time.monotonic() < deadline
        second = connect()

        assert migrate(second, read_migrations(folder), applied_by="second") == []
        assert running.result() == ["0001_table.sql", "0002_column.sql"]

    assert rows(url, "SELECT a FROM s.t") == [(2,)]
    first.close()
    second.close()


def test_a_file_that_changed_after_it_was_applied_is_refused_and_nothing_else_applied(url, folder):
    run(folder)
    (folder / "0001_table.sql").write_text("CREATE SCHEMA s; CREATE TABLE s.t (a bigint);")
    (folder / "0003_more.sql").write_text("CREATE TABLE s.more (a int);")

    with pytest.raises(PermanentError, match=r"0001_table\.sql was changed after it was applied: restore it"):
        run(folder)

    assert rows(url, "SELECT to_regclass('s.more')") == [(None,)]


def test_a_file_that_was_applied_and_is_gone_is_an_error(url, folder):
    run(folder)
    (folder / "0002_column.sql").unlink()

    with pytest.raises(
        PermanentError, match=r"0002_column\.sql was applied and is missing from include/sql/migrations"
    ):
        run(folder)


def test_a_migration_that_fails_leaves_nothing_of_itself_and_is_named_with_what_postgresql_says(url, folder):
    (folder / "0003_broken.sql").write_text("CREATE TABLE s.half (a int); ALTER TABLE s.nowhere ADD COLUMN b int;")
    (folder / "0004_after.sql").write_text("CREATE TABLE s.after (a int);")

    with pytest.raises(
        PermanentError, match=r'0003_broken\.sql failed and changed nothing: .*"s\.nowhere" does not exist'
    ):
        run(folder)
    assert [name for name, _, _ in rows(url, RECORDED)] == ["0001_table.sql", "0002_column.sql"]
    assert rows(url, "SELECT to_regclass('s.half'), to_regclass('s.after')") == [(None, None)]

    (folder / "0003_broken.sql").write_text("CREATE TABLE s.half (a int);")
    assert run(folder) == ["0003_broken.sql", "0004_after.sql"]


def test_a_table_that_stays_locked_is_tried_again_later(url, folder, monkeypatch):
    monkeypatch.setattr(runner, "LOCK_TIMEOUT", "SET LOCAL lock_timeout = '100ms'")
    (folder / "0002_column.sql").unlink()
    run(folder)
    (folder / "0002_column.sql").write_text("ALTER TABLE s.t ADD COLUMN b int;")

    with psycopg.connect(url) as reader:
        reader.execute("SELECT * FROM s.t")
        with pytest.raises(TransientError, match=r"0002_column\.sql failed and changed nothing: .*lock timeout"):
            run(folder)

    assert run(folder) == ["0002_column.sql"]


def test_a_role_that_may_only_read_can_run_a_warehouse_that_is_up_to_date(url, folder):
    run(folder)
    with psycopg.connect(as_superuser(url)) as connection:
        connection.execute("DROP ROLE IF EXISTS migrations_reader; CREATE ROLE migrations_reader")
        connection.execute("GRANT USAGE ON SCHEMA audit TO migrations_reader")
        connection.execute("GRANT SELECT ON audit.migrations TO migrations_reader")
        connection.commit()
        connection.execute("SET ROLE migrations_reader")

        assert migrate(connection, read_migrations(folder), applied_by="reader") == []
        connection.execute("RESET ROLE; DROP OWNED BY migrations_reader; DROP ROLE migrations_reader")
