"""Servers that a contract test wants for itself, in every environment: the standard library and pytest only."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.support.databricks import DatabricksApi
from tests.support.gateway_faults import GatewayFaults
from tests.support.kinesis import KinesisFaults
from tests.support.waiting import read_until

PROJECT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def databricks_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabricksApi]:
    api = DatabricksApi(tmp_path_factory.mktemp("databricks"))
    api.start()
    yield api
    api.stop()


@contextmanager
def printing_its_url(*arguments: str, **settings: str) -> Iterator[str]:
    """Run a module of the sandbox that prints its URL first, and yield that."""
    python = PROJECT / ".venv" / "sandbox" / "bin" / "python"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **settings}
    command = [str(python), "-m", *arguments]
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.fixture(scope="session")
def kinesis_fault_proxy(stand_ins: Callable[..., dict[str, str]]) -> Iterator[KinesisFaults]:
    sandbox = stand_ins("kinesis")
    upstream = sandbox["AWS_ENDPOINT_URL_KINESIS"]
    with printing_its_url("sandbox.servers.kinesis.faults", "--upstream", upstream, **sandbox) as url:
        yield KinesisFaults(url)


@pytest.fixture
def kinesis_faults(kinesis_fault_proxy: KinesisFaults) -> Iterator[KinesisFaults]:
    """Yield the proxy without a rule: ``.url`` is the endpoint, ``.set(rule, …)`` makes it fail, ``.fired()`` tells."""
    kinesis_fault_proxy.clear()
    yield kinesis_fault_proxy
    kinesis_fault_proxy.clear()


@pytest.fixture(scope="session")
def gateway_fault_proxy(stand_ins: Callable[..., dict[str, str]]) -> Iterator[GatewayFaults]:
    gateway = stand_ins("kafka_rest")["KAFKA_REST_URL"]
    upstream = urlunsplit(urlsplit(gateway)._replace(path=""))
    with printing_its_url("sandbox.servers.api_gateway.faults", "--upstream", upstream) as url:
        yield GatewayFaults(url, gateway)


@pytest.fixture
def gateway_faults(gateway_fault_proxy: GatewayFaults) -> Iterator[GatewayFaults]:
    """Yield the proxy before API Gateway without a rule."""
    gateway_fault_proxy.clear()
    yield gateway_fault_proxy
    gateway_fault_proxy.clear()


@pytest.fixture(scope="session")
def gateway_of(stand_ins: Callable[..., dict[str, str]]) -> Callable[..., AbstractContextManager[str]]:
    """Return a context manager: API Gateway before another integration, which it gives up after ``seconds``."""
    gateway = stand_ins("kafka_rest")["KAFKA_REST_URL"]
    settings = {"API_GATEWAY_AUTHORIZER": stand_ins("ministack")["AWS_ENDPOINT_URL"], "API_GATEWAY_PORT": "0"}

    @contextmanager
    def before(integration: str, seconds: float = 29) -> Iterator[str]:
        own = {"API_GATEWAY_INTEGRATION": integration, "API_GATEWAY_INTEGRATION_SECONDS": str(seconds)}
        with printing_its_url("sandbox.servers.api_gateway", **settings, **own) as url:
            yield url + urlsplit(gateway).path

    return before


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
