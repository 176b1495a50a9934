"""What the sandbox tells of itself, as Airflow's connections and AWS' clients read it."""

import json
from collections.abc import Callable, Mapping

import pytest


@pytest.fixture
def use_aws(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], None]:
    """Return a function that makes connection ``aws_default``, and boto3, talk to the sandbox."""

    def use(environment: Mapping[str, str]) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://")
        for name, value in environment.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)

    return use


@pytest.fixture
def use_kafka_rest(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that fills the connection of the Kafka REST proxy; ``fields`` replace the sandbox's own."""

    def use(environment: Mapping[str, str], **fields: object) -> None:
        rest = {
            "conn_type": "http",
            "host": environment["KAFKA_REST_URL"],
            "password": environment["KAFKA_REST_API_KEY"],
        }
        monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_KAFKA_REST", json.dumps({**rest, **fields}))

    return use


@pytest.fixture
def connections(
    environment: Mapping[str, str],
    use_aws: Callable[[Mapping[str, str]], None],
    use_kafka_rest: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fill the connections of a task that sends rows: source, Kafka REST and the lake, of the module's environment."""
    use_aws(environment)
    use_kafka_rest(environment)
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_SOURCE", environment["PINTEREST_SOURCE_URL"])
