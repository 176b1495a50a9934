"""Servers that a contract test wants for itself, in every environment: the standard library and pytest only."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.databricks import DatabricksApi
from tests.support.kinesis import KinesisFaults
from tests.support.waiting import read_until

PROJECT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def databricks_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabricksApi]:
    api = DatabricksApi(tmp_path_factory.mktemp("databricks"))
    api.start()
    yield api
    api.stop()


@pytest.fixture(scope="session")
def kinesis_fault_proxy(stand_ins: Callable[..., dict[str, str]]) -> Iterator[KinesisFaults]:
    python = PROJECT / ".venv" / "sandbox" / "bin" / "python"
    sandbox = stand_ins("kinesis")
    command = [str(python), "-m", "sandbox.servers.kinesis.faults", "--upstream", sandbox["AWS_ENDPOINT_URL_KINESIS"]]
    environment = {**os.environ, **sandbox, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield KinesisFaults(process.stdout.readline().strip())
        finally:
            process.kill()


@pytest.fixture
def kinesis_faults(kinesis_fault_proxy: KinesisFaults) -> Iterator[KinesisFaults]:
    """Yield the proxy without a rule: ``.url`` is the endpoint, ``.set(rule, …)`` makes it fail, ``.fired()`` tells."""
    kinesis_fault_proxy.clear()
    yield kinesis_fault_proxy
    kinesis_fault_proxy.clear()


@pytest.fixture(scope="session")
def finished() -> Callable[..., Any]:
    """Return a function of a ``databricks.sdk`` client and a run id that returns the run once it is over."""
    return lambda client, run_id: read_until(lambda: client.jobs.get_run(run_id), lambda run: run.state.result_state)


@pytest.fixture(scope="session")
def running() -> Callable[..., Any]:
    """Return a function of a client and a run id that returns the run once it is RUNNING."""

    def wait(client: Any, run_id: int) -> Any:
        return read_until(
            lambda: client.jobs.get_run(run_id), lambda run: run.state.life_cycle_state.value == "RUNNING"
        )

    return wait
