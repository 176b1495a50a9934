"""Fixtures of the unit tests."""

from collections.abc import Iterator

import pytest

from tests.unit.scripted_databricks import ScriptedDatabricks
from tests.unit.scripted_kafka_rest import ScriptedKafkaRest


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
