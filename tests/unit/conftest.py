"""Fixtures of the unit tests."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.scripted_databricks import ScriptedDatabricks
from tests.unit.scripted_kafka_rest import ScriptedKafkaRest
from tests.unit.sending import Cursor, Store


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedKafkaRest]:
    """A scripted Kafka REST proxy, with connection ``pinterest_kafka_rest`` pointing at it."""
    scripted = ScriptedKafkaRest()
    connection = f'{{"conn_type": "http", "host": "{scripted.url}", "password": "the-key"}}'
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_KAFKA_REST", connection)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield scripted
    scripted.close()


@pytest.fixture
def databricks(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedDatabricks]:
    """A scripted workspace with notebook ``/n``, and connection ``pinterest_databricks`` pointing at it."""
    scripted = ScriptedDatabricks()
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DATABRICKS", scripted.connection)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    scripted.notebooks["/n"] = {"object_type": "NOTEBOOK", "path": "/n"}
    yield scripted
    scripted.close()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """The lake that operators write to, in memory."""
    lake = Store()
    monkeypatch.setattr("pinterest_pipeline.lake.hook.LakeHook", lambda *_: lake)
    return lake


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Cursor]:
    """Return a function that makes rows the result of every query."""

    def use(rows: Iterable[Sequence[Any]], columns: Sequence[str] = ("index", "title")) -> Cursor:
        cursor = Cursor(columns, rows)
        connection = SimpleNamespace(cursor=lambda name: cursor, close=lambda: None)
        database = SimpleNamespace(get_conn=lambda: connection)
        monkeypatch.setattr("pinterest_pipeline.warehouse.hook.PipelinePostgresHook", lambda _: database)
        return cursor

    return use
