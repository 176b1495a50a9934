"""Parse the DAG files once, as the DAG processor would, where nothing may be reached but the file system."""

import inspect
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
os.environ.update(  # before the first import of Airflow, which reads its configuration then
    {
        "AIRFLOW_HOME": tempfile.mkdtemp(prefix="pinterest-dags-"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////nowhere/airflow.db",
    }
)


class ForbiddenWhileParsingError(AssertionError):
    """A DAG file reached for what only a running task may touch."""


def forbid(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, what: str) -> None:
    def refuse(*arguments: Any, **_: Any) -> None:
        raise ForbiddenWhileParsingError(f"{what} while parsing: {arguments[:2]}")

    monkeypatch.setattr(owner, name, refuse)


@pytest.fixture(scope="session")
def parsed() -> Iterator[Any]:
    """The DagBag, parsed with the network closed and Variables and Connections out of reach."""
    from airflow.models import DagBag
    from airflow.sdk import Connection, Variable

    real_connect = socket.socket.connect

    def only_unix(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            raise ForbiddenWhileParsingError(f"connection to {address} while parsing")
        real_connect(self, address)

    options: dict[str, Any] = {"dag_folder": str(PROJECT / "dags")}
    if "include_examples" in inspect.signature(DagBag.__init__).parameters:  # until Airflow 3.2
        options["include_examples"] = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", only_unix)
        forbid(patch, socket, "getaddrinfo", "name look-up")
        forbid(patch, Variable, "get", "Variable.get")
        forbid(patch, Connection, "get", "Connection.get")
        began = time.process_time()
        bag = DagBag(**options)
        bag.seconds_to_parse = time.process_time() - began
        yield bag


@pytest.fixture(scope="session")
def dags(parsed: Any) -> dict[str, Any]:
    return dict(parsed.dags)


@pytest.fixture(scope="session")
def tasks(dags: dict[str, Any]) -> list[Any]:
    return [task for dag in dags.values() for task in dag.tasks]
