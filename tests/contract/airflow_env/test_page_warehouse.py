"""How the page's queries meet a real PostgreSQL: read-only, bounded in time, one moment for a panel."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

from pinterest_pipeline.ui import warehouse
from pinterest_pipeline.ui.warehouse import Query, answer, connect, read
from tests.support.postgres import as_superuser


@pytest.fixture(scope="module")
def warehouse_url(stand_ins: Callable[..., dict[str, str]]) -> str:
    return stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]


@pytest.fixture(autouse=True)
def connection(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_WAREHOUSE", warehouse_url)


@pytest.fixture
def table() -> Iterator[str]:
    """A table with one row, made by another connection than the page's."""
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook

    hook, name = PipelinePostgresHook("pinterest_warehouse"), f"t_{uuid4().hex[:8]}"
    hook.run(f"CREATE TABLE {name} AS SELECT 1 AS a")
    yield name
    hook.run(f"DROP TABLE {name}")


def shown(found: Any, _now: Any) -> dict[str, Any]:
    return dict(found)


def test_it_cannot_write(table: str) -> None:
    refused = pytest.raises(Exception, match="read-only transaction")
    with closing(connect()) as connection, closing(connection.cursor()) as cursor, refused:
        cursor.execute(f"INSERT INTO {table} VALUES (2)")


def test_a_query_that_takes_too_long_is_ended_and_reported(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(warehouse.SESSION, "statement_timeout", "50ms")

    panel = answer({"slow": Query(table, "SELECT pg_sleep(20)")}, shown)

    assert panel["state"] == "unavailable"
    assert "statement timeout" in panel["why"]
    assert "check PostgreSQL for locks" in panel["remedy"]


def test_the_bounds_are_those_that_the_page_promises() -> None:
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('transaction_isolation')")

        assert cursor.fetchone() == ("5s", "repeatable read")


def test_a_table_that_is_not_there_yet_is_no_failure(table: str) -> None:
    assert read({"a": Query(table, f"SELECT a FROM {table}"), "b": Query("gold.nowhere", "SELECT 1")}) == {
        "a": [{"a": 1}],
        "b": None,
    }


def test_a_right_that_is_missing_is_named(table: str, warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_WAREHOUSE", as_superuser(warehouse_url))
    monkeypatch.setitem(warehouse.SESSION, "role", "pg_monitor")

    panel = answer({"a": Query(table, f"SELECT a FROM {table}")}, shown)

    assert panel["state"] == "unavailable"
    assert f"permission denied for table {table}" in panel["why"]
    assert "Give the role of connection pinterest_warehouse the right to read it" in panel["remedy"]
