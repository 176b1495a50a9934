"""Fixtures of the unit tests."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from tests.unit.scripted_databricks import ScriptedDatabricks
from tests.unit.scripted_kafka_rest import ScriptedKafkaRest, serving
from tests.unit.scripted_msk_connect import REQUEST, Service
from tests.unit.sending import Cursor, Store
from tests.unit.tls import Authority


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
def http() -> Iterator[ScriptedKafkaRest]:
    """A scripted Kafka REST proxy that knows topic ``t``, without a connection."""
    with serving() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., KafkaRestHook]:
    """Return a function of a connection's fields that returns a hook, on a machine without forward proxy or .netrc."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    def hook(host: str, *, seconds: float = 5, attempts: int = 1, **fields: Any) -> KafkaRestHook:
        connection = {"conn_type": "http", "host": host, "password": "the-key", **fields}
        monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(connection))
        return KafkaRestHook("mine", max_attempts=attempts, read_timeout_seconds=seconds, first_wait_seconds=0.01)

    return hook


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
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """MSK Connect and CloudWatch with queued answers, each of which a test must use up."""
    from pinterest_pipeline.msk_connect.hook import MskConnectHook

    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    scripted = Service(MskConnectHook(aws_conn_id=None))
    with scripted.connect, scripted.cloudwatch:
        yield scripted
        scripted.connect.assert_no_pending_responses()
        scripted.cloudwatch.assert_no_pending_responses()


@pytest.fixture
def msk_operator(aws: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that builds an operator or a sensor of MSK Connect on the scripted service."""
    monkeypatch.setattr("pinterest_pipeline.msk_connect.hook.MskConnectHook", lambda **_: aws.hook)
    file = tmp_path / "sink.json"

    def build(kind: type, *, request: dict[str, Any] = REQUEST, **arguments: Any) -> Any:
        file.write_text(json.dumps(request))
        ensures = kind.__name__ == "MskConnectEnsureConnectorOperator"
        own = {"connector_file": file, "connector_values": {"size": 5000}} if ensures else {"connector_name": "sink"}
        return kind(task_id="t", **{"deferrable": False, **own, **arguments})

    return build


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """The lake that operators write to, in memory."""
    lake = Store()
    monkeypatch.setattr("pinterest_pipeline.lake.hook.LakeHook", lambda *_, **__: lake)
    return lake


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Cursor]:
    """Return a function that makes rows the result of every query."""

    def use(rows: Iterable[Sequence[Any]], columns: Sequence[str] = ("index", "title")) -> Cursor:
        cursor = Cursor(columns, rows)
        connection = SimpleNamespace(cursor=lambda: cursor, close=lambda: None)
        database = SimpleNamespace(get_conn=lambda: connection)
        monkeypatch.setattr("pinterest_pipeline.source.database.database_of", lambda _: database)
        return cursor

    return use
