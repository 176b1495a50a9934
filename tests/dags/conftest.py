"""Parse the DAG files once, as the DAG processor would, where nothing may be reached but the file system.

Run by `make integrity` on MWAA's newest Airflow 3 and on its oldest; by pytest alone in any Airflow environment.
"""

import inspect
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
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
if str(PROJECT / "plugins") not in sys.path:  # as every Airflow component does first of all
    sys.path.append(str(PROJECT / "plugins"))


class ForbiddenWhileParsingError(AssertionError):
    """A DAG file reached for what only a running task may touch."""


def forbid(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, what: str) -> None:
    def refuse(*arguments: Any, **_: Any) -> None:
        raise ForbiddenWhileParsingError(
            f"{what} while parsing: {arguments[:2]}: put it into a template or into a task"
        )

    monkeypatch.setattr(owner, name, refuse)


@pytest.fixture(scope="session")
def parse(parse_folder: Callable[[Path], Any]) -> Callable[[], Any]:
    """A function that parses the DAG folder."""
    return lambda: parse_folder(PROJECT / "dags")


@pytest.fixture(scope="session")
def parse_folder() -> Callable[[Path], Any]:
    """A function that parses a folder, with the network closed and Variables and Connections out of reach."""
    from airflow.models import DagBag
    from airflow.sdk import Connection, Variable

    real_connect = socket.socket.connect

    def only_unix(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            raise ForbiddenWhileParsingError(f"connection to {address} while parsing: move it into a task")
        real_connect(self, address)

    options: dict[str, Any] = {}
    if "include_examples" in inspect.signature(DagBag.__init__).parameters:  # until Airflow 3.2
        options["include_examples"] = False

    def parse(folder: Path) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket.socket, "connect", only_unix)
            forbid(patch, socket, "getaddrinfo", "name look-up")
            forbid(patch, Variable, "get", "Variable.get")
            forbid(patch, Connection, "get", "Connection.get")
            return DagBag(dag_folder=str(folder), **options)

    return parse


@pytest.fixture(scope="session")
def parsed(parse: Callable[[], Any]) -> Any:
    """The DagBag of the folder, and how many CPU-seconds it took."""
    began = time.process_time()
    bag = parse()
    bag.seconds_to_parse = time.process_time() - began
    return bag


@pytest.fixture(scope="session")
def dags(parsed: Any) -> dict[str, Any]:
    return dict(parsed.dags)


@pytest.fixture(scope="session")
def tasks(dags: dict[str, Any]) -> list[Any]:
    return [task for dag in dags.values() for task in dag.tasks]


@pytest.fixture(scope="session")
def expect_none() -> Callable[[Iterable[Any], str], None]:
    """A function that fails with what breaks a rule and with the fix, and without a traceback of the test."""

    def check(broken: Iterable[Any], fix: str) -> None:
        if listed := list(dict.fromkeys(map(str, broken))):
            pytest.fail("\n  ".join([f"{fix}:", *listed]), pytrace=False)

    return check
