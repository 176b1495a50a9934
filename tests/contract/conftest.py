"""Servers that a contract test wants for itself, in every environment: the standard library and pytest only."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
HEADER = "# Databricks notebook source\n"
SECRETS = {"pinterest": {"warehouse_url": "postgresql://u:hunter2@h/db"}}


class DatabricksApi:
    """A Databricks stand-in of the test's own, with an empty workspace; it can be killed and started again."""

    token = "contract-token"
    root = "/Workspace/Shared/t"

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "workspace"
        self.state = folder / "state"
        self.log = folder / "api.log"
        self.workspace.mkdir()
        self.state.mkdir()
        (self.state / "secrets.json").write_text(json.dumps(SECRETS))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "DATABRICKS_PORT": str(self.port),
            "DATABRICKS_TOKEN": self.token,
            "DATABRICKS_STATE_DIR": str(self.state),
            "DATABRICKS_SPARK_PYTHON": str(PROJECT / ".venv" / "spark" / "bin" / "python"),
            "DATABRICKS_WORKSPACE_ROOT": json.dumps({self.root: str(self.workspace)}),
            "DATABRICKS_SECRETS_FILE": str(self.state / "secrets.json"),
            "DATABRICKS_CANCEL_SECONDS": "2",
            "DATABRICKS_BACKOFF_SECONDS": "0.2",
        }
        python = PROJECT / ".venv" / "sandbox" / "bin" / "python"
        with self.log.open("ab") as log:
            command = [str(python), "-m", "sandbox.servers.databricks"]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with suppress(ConnectionError), socket.create_connection(("127.0.0.1", self.port), timeout=2):
                return
            time.sleep(0.05)
        raise AssertionError(f"The Databricks stand-in did not start:\n{self.log.read_text()}")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def notebook(self, name: str, source: str) -> str:
        """Write a notebook and return its workspace path."""
        (self.workspace / f"{name}.py").write_text(HEADER + source)
        return f"{self.root}/{name}"


@pytest.fixture(scope="module")
def databricks_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabricksApi]:
    api = DatabricksApi(tmp_path_factory.mktemp("databricks"))
    api.start()
    yield api
    api.stop()


class KinesisFaults:
    """The fault proxy of sandbox/servers/kinesis/faults.py before the tests' Kinesis; what a rule is stands there."""

    def __init__(self, url: str) -> None:
        self.url = url

    def set(self, *rules: dict[str, Any]) -> None:
        """Put these rules in force, in place of the earlier ones."""
        self.ask("POST", json.dumps(rules).encode())

    def fired(self) -> list[dict[str, str]]:
        """Return ``operation`` and ``kind`` of each call that a rule applied to, since the rules were set."""
        return self.ask("GET")["fired"]

    def ask(self, method: str, body: bytes | None = None) -> Any:
        with urlopen(Request(f"{self.url}/_faults", data=body, method=method), timeout=10) as answer:  # noqa: S310
            return json.load(answer)


@pytest.fixture(scope="session")
def kinesis_fault_proxy(stand_ins: Callable[..., dict[str, str]]) -> Iterator[KinesisFaults]:
    python = PROJECT / ".venv" / "sandbox" / "bin" / "python"
    upstream = stand_ins("kinesis")["AWS_ENDPOINT_URL_KINESIS"]
    command = [str(python), "-m", "sandbox.servers.kinesis.faults", "--upstream", upstream]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield KinesisFaults(process.stdout.readline().strip())
        finally:
            process.kill()


@pytest.fixture
def kinesis_faults(kinesis_fault_proxy: KinesisFaults) -> Iterator[KinesisFaults]:
    """Yield the proxy without a rule: ``.url`` is the endpoint, ``.set(rule, …)`` makes it fail, ``.fired()`` tells."""
    kinesis_fault_proxy.ask("DELETE")
    yield kinesis_fault_proxy
    kinesis_fault_proxy.ask("DELETE")


def wait_until(read: Callable[[], Any], is_so: Callable[[Any], bool], seconds: float = 20) -> Any:
    """Read until it is so, and return what was read."""
    deadline = time.monotonic() + seconds
    while not is_so(value := read()):
        assert time.monotonic() < deadline, f"still {value}"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    return wait_until


@pytest.fixture(scope="session")
def finished() -> Callable[..., Any]:
    """Return a function of a ``databricks.sdk`` client and a run id that returns the run once it is over."""
    return lambda client, run_id: wait_until(lambda: client.jobs.get_run(run_id), lambda run: run.state.result_state)


@pytest.fixture(scope="session")
def running() -> Callable[..., Any]:
    """Return a function of a client and a run id that returns the run once it is RUNNING."""

    def wait(client: Any, run_id: int) -> Any:
        return wait_until(
            lambda: client.jobs.get_run(run_id), lambda run: run.state.life_cycle_state.value == "RUNNING"
        )

    return wait
