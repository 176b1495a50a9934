"""Airflow's four components, as MWAA runs them, with the sandbox's connections and the pipeline's one Variable."""

import base64
import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from sandbox.run.server import Server, http_get
from sandbox.run.settings import CALL_SECONDS, PROJECT, SandboxError, Settings, write_private
from sandbox.servers.airflow.api import USERNAME, AirflowApi
from sandbox.servers.airflow.connections import POOLS_FILE, VARIABLE, connection_environment, pipeline_variable
from sandbox.servers.ministack import answers

PYTHON = PROJECT / ".venv" / "airflow" / "bin" / "python"
PRELOADED = Path(__file__).with_name("preloaded.py")
BESIDE_THE_SCHEDULER = {("dags", "test"), ("tasks", "test"), ("tasks", "run")}
NEEDS = ("postgres", "ministack", "kinesis", "kafka_rest", "msk_connect", "databricks")


def servers(settings: Settings) -> tuple[Server, ...]:
    """Return the api-server, which migrates the metadata database first, and the three that follow it."""
    api_url = settings.url("airflow")

    def component(name: str, *arguments: str, forks: bool = False) -> Server:
        start = (str(PRELOADED),) if forks else ("-m", "airflow")
        return Server(
            name=f"airflow_{name}",
            command=(str(PYTHON), *start, *arguments),
            environment=lambda: environment(settings),
            is_ready=lambda: is_healthy(api_url, name),
            needs=("airflow_api_server",),
        )

    api_server = Server(
        name="airflow_api_server",
        command=(
            str(PYTHON),
            "-m",
            "airflow",
            "api-server",
            "--host",
            "127.0.0.1",
            "--port",
            str(settings.ports["airflow"]),
        ),
        environment=lambda: environment(settings),
        is_ready=lambda: answers(f"{api_url}/api/v2/monitor/health"),
        needs=NEEDS,
        prepare=lambda: prepare(settings),
        provision=lambda: provision(settings),
    )
    return (
        api_server,
        component("scheduler", "scheduler", "--skip-serve-logs", forks=True),
        component("dag_processor", "dag-processor", forks=True),
        component("triggerer", "triggerer", "--skip-serve-logs"),
    )


def is_healthy(api_url: str, component: str) -> bool:
    status, body = http_get(f"{api_url}/api/v2/monitor/health")
    return status == 200 and (json.loads(body).get(component) or {}).get("status") == "healthy"


def environment(settings: Settings) -> dict[str, str]:
    """Everything that differs from MWAA: where things are, and how small the machine is."""
    home = settings.folder("airflow")
    api_url = settings.url("airflow")
    fernet_key = base64.urlsafe_b64encode(sha256(settings.secrets["airflow_api_secret_key"].encode()).digest())
    configuration = {
        "CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__FERNET_KEY": fernet_key.decode(),
        "CORE__EXECUTION_API_SERVER_URL": f"{api_url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USERNAME}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "CORE__TEST_CONNECTION": "Enabled",
        "API__BASE_URL": api_url,
        "API__HOST": "127.0.0.1",
        "API__PORT": str(settings.ports["airflow"]),
        "API__WORKERS": "1",
        "API__SECRET_KEY": settings.secrets["airflow_api_secret_key"],
        "API_AUTH__JWT_SECRET": settings.secrets["airflow_jwt_secret"],
        "DATABASE__SQL_ALCHEMY_CONN": settings.postgres_url("airflow").replace("postgresql:", "postgresql+psycopg2:"),
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
        # A killed scheduler's tasks are scheduled again once it has been silent for 30 s. The default looks each 300
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
        # Limits that a loaded machine, or an api-server that starts again, must not reach; the defaults are 30, 50, 30,
        # 5 and 15 s
        "CORE__DAGBAG_IMPORT_TIMEOUT": "300",
        "DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "360",
        "TRIGGERER__RUNNER_HEALTH_CHECK_THRESHOLD": "120",
        "WORKERS__EXECUTION_API_TIMEOUT": str(CALL_SECONDS),
        "WORKERS__EXECUTION_API_RETRIES": "8",
        "WORKERS__MAX_FAILED_HEARTBEATS": "24",
        "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # An edited DAG file is parsed within a second whatever this says. The default of 30 s parses the seven files
        # twice a minute for nothing: 0.13 of a core
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
        "OPERATORS__DEFAULT_DEFERRABLE": "True",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return {
        "AIRFLOW_HOME": str(home),
        **{f"AIRFLOW__{name}": value for name, value in configuration.items()},
        **connection_environment(settings),
        **settings.aws_environment,
        "PYTHONDONTWRITEBYTECODE": "",
    }


def prepare(settings: Settings) -> None:
    """Give the one user a password and bring the metadata database to this Airflow's version."""
    home = settings.folder("airflow")
    write_private(home / "passwords.json", json.dumps({USERNAME: settings.secrets["airflow_password"]}))
    run_cli(settings, ["db", "migrate"])


def command_line(settings: Settings, arguments: Sequence[str]) -> int:
    """Run Airflow's own command line in this sandbox, on this terminal; return its exit code.

    :raises SandboxError: for what would run a task beside the scheduler: Airflow then says "timed out", and exits 0.
    """
    if tuple(arguments[:2]) in BESIDE_THE_SCHEDULER:
        raise SandboxError(
            f"airflow {' '.join(arguments[:2])} runs tasks without the scheduler, which the sandbox has. Trigger a run "
            'instead (make airflow ARGS="dags trigger …"), or clear the task in the UI.'
        )
    command = [str(PYTHON), "-m", "airflow", *arguments]
    variables = {"PATH": os.environ["PATH"], **environment(settings)}
    return subprocess.run(command, env=variables, cwd=PROJECT, check=False).returncode


def run_cli(settings: Settings, arguments: Iterable[str], timeout_seconds: float = 300) -> str:
    """Run Airflow's own command line in this sandbox and return what it printed."""
    done = subprocess.run(
        [str(PYTHON), "-m", "airflow", *arguments],
        env={"PATH": os.environ["PATH"], **environment(settings)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    if done.returncode:
        raise SandboxError(f"airflow {' '.join(arguments)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def provision(settings: Settings) -> None:
    """Create, through the public API, the pools that the DAGs name, and the Variable.

    The Variable is in Airflow's database, where a person edits it; what only they have put there stays.
    """
    pools = json.loads(POOLS_FILE.read_text())
    with AirflowApi(settings) as api:
        for name, pool in pools.items():
            api.ensure_pool(name, **pool)
        api.set_variable(VARIABLE, {**(api.variable(VARIABLE) or {}), **pipeline_variable(settings)})
