"""The queries that read the source and the statements that write the audit, on a real PostgreSQL."""

import psycopg
import pytest

from sandbox.data.source.load import seed
from sandbox.data.source.schema import TABLES
from tests.support.postgres import SQL, create_tables, fresh_database

ALL = {"window_start": "0001-01-01T00:00:00", "window_end": "9999-01-01T00:00:00", "include_undated": True}
YEAR = {"window_start": "2019-01-01T00:00:00", "window_end": "2020-01-01T00:00:00", "include_undated": False}
ROWS = 600


@pytest.fixture(scope="module")
def source(stand_ins):
    with fresh_database(stand_ins("postgres")["PINTEREST_SOURCE_URL"]) as url:
        seed(url, "hard", ROWS, 7)
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection


@pytest.fixture(scope="module")
def warehouse(stand_ins):
    with (
        fresh_database(stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        create_tables(url)
        yield connection


def query(connection, name, window):
    return connection.execute((SQL / "source" / f"{name}.sql").read_text(), window)


def counts(connection, window):
    return {table: (rows, undated) for table, rows, undated, *_ in query(connection, "counts", window).fetchall()}


@pytest.mark.parametrize("table", ["pin", "geo", "user"])
def test_the_columns_are_those_of_the_wire_in_their_order(source, table):
    cursor = query(source, table, ALL)

    assert tuple(column.name for column in cursor.description) == TABLES[table].columns


@pytest.mark.parametrize("table", ["pin", "geo", "user"])
def test_a_window_over_everything_with_undated_posts_leaves_no_row_behind(source, table):
    ids = [row[0] for row in query(source, table, ALL).fetchall()]

    assert ids == sorted(ids)
    assert len(ids) == ROWS
    assert counts(source, ALL)[table] == (ROWS, 0)


def test_the_three_queries_of_a_window_are_about_the_same_posts(source):
    ids = [[row[0] for row in query(source, table, YEAR).fetchall()] for table in ("pin", "geo", "user")]

    assert ids[0] == ids[1] == ids[2]
    assert 0 < len(ids[0]) < ROWS


def test_the_count_agrees_with_the_queries_and_tells_who_stays_behind(source):
    undated = source.execute("SELECT count(*) FROM geolocation_data WHERE timestamp IS NULL").fetchone()[0]

    for table, (rows, left_behind) in counts(source, YEAR).items():
        assert rows == len(query(source, table, YEAR).fetchall())
        assert left_behind == undated


def test_the_newest_post_is_the_last_before_the_windows_end_that_the_table_has(source):
    window = {**YEAR, "window_start": "2019-12-31T00:00:00"}
    for table, _, _, ind, posted_at in query(source, "counts", window).fetchall():
        name, key = {
            "pin": ("pinterest_data", "index"),
            "geo": ("geolocation_data", "ind"),
            "user": ("user_data", "ind"),
        }[table]
        newest = source.execute(
            f'SELECT t."{key}", g.timestamp FROM {name} AS t JOIN geolocation_data AS g ON g.ind = t."{key}" '
            "WHERE g.timestamp < '2020-01-01' ORDER BY g.timestamp DESC, 1 DESC LIMIT 1"
        ).fetchone()
        assert (ind, posted_at) == (newest[0], newest[1].isoformat(timespec="seconds")[:19])


def test_neighbouring_windows_share_no_post_and_miss_none(source):
    edge = source.execute("SELECT timestamp FROM geolocation_data WHERE timestamp IS NOT NULL LIMIT 1").fetchone()[0]
    before = {**ALL, "window_end": edge.isoformat(), "include_undated": False}
    behind = {**ALL, "window_start": edge.isoformat()}

    ids = [{row[0] for row in query(source, "pin", window).fetchall()} for window in (before, behind)]

    assert not ids[0] & ids[1]
    assert len(ids[0] | ids[1]) == ROWS


def test_a_post_without_a_place_and_time_is_undated_and_not_lost(source):
    with source.transaction(force_rollback=True):
        source.execute("DELETE FROM geolocation_data WHERE ind = 3")

        assert 3 in {row[0] for row in query(source, "pin", ALL).fetchall()}
        assert counts(source, YEAR)["user"][1] == counts(source, YEAR)["geo"][1] + 1


def test_recording_the_same_run_again_replaces_its_numbers(warehouse):
    record = (SQL / "audit" / "record_run_rows.sql").read_text()
    names = ["source", "acknowledged", "dead_letter", "landed", "silver", "duplicate", "quarantined", "lost"]
    row = {"dag_id": "d", "run_id": "r", "table_name": "pin", **{f"{name}_rows": 1 for name in names}}
    row["dead_letter_uri"] = "s3://lake/x-"

    warehouse.execute(record, row)
    warehouse.execute(record, {**row, "lost_rows": 5})

    assert warehouse.execute("SELECT source_rows, lost_rows FROM audit.run_rows").fetchall() == [(1, 5)]


def test_redriven_rows_are_added_up_over_objects_and_recording_an_object_again_replaces_its_numbers(warehouse):
    record = (SQL / "audit" / "record_redriven_rows.sql").read_text()
    row = {"object_name": "a", "dead_letter_uri": "s3://lake/1-", "redriven_rows": 4, "refused_rows": 1}

    for more in ({}, {"redriven_rows": 3}, {"object_name": "b"}, {"dead_letter_uri": "s3://lake/2-"}):
        warehouse.execute(record, {**row, "redriven_by": "r", **more})

    counted = (SQL / "audit" / "redriven_rows.sql").read_text()
    found = warehouse.execute(counted, {"uris": ["s3://lake/1-", "s3://lake/3-"]}).fetchall()
    assert found == [("s3://lake/1-", 7)]


def test_what_the_lake_held_last_is_kept_once_a_table_with_its_reasons(warehouse):
    record = (SQL / "audit" / "record_lake_rows.sql").read_text()
    row = {
        "table_name": "pin", "bronze_rows": 3, "silver_rows": 2, "duplicate_rows": 0, "quarantined_rows": 1,
        "quarantine_reasons": '{"no id": 1}', "defects": "{}", "counted_at": "2026-11-25T10:00:00+00:00",
    }  # fmt: skip

    warehouse.execute(record, row)
    warehouse.execute(record, {**row, "silver_rows": 9})
    warehouse.execute(record, {**row, "silver_rows": 1, "counted_at": "2026-11-25T09:59:59+00:00"})

    found = warehouse.execute("SELECT silver_rows, quarantine_reasons FROM audit.lake_rows").fetchall()
    assert found == [(9, {"no id": 1})]
