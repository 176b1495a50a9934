"""The Databricks stand-in as the sandbox starts it."""

import contextlib
import json
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from sandbox.run.server import Server
from sandbox.run.settings import CALL_SECONDS, PROJECT, Settings, write_private

CLUSTER = {"spark_version": "18.x-scala2.13", "node_type_id": "sandbox", "num_workers": 0}
# Another specification is another driver: the stream must not wait for the batch, nor die with it.
STREAM_CLUSTER = {
    **CLUSTER,
    "spark_env_vars": {"PINTEREST_SPARK_SIZE": "stream"},
}
NOTEBOOK_ROOT = "/Workspace/Shared/pinterest"


def server(settings: Settings) -> Server:
    state = settings.folder("databricks")
    return Server(
        name="databricks",
        command=(sys.executable, "-m", "sandbox.servers.databricks"),
        environment={
            "DATABRICKS_PORT": str(settings.ports["databricks"]),
            "DATABRICKS_TOKEN": settings.secrets["databricks_token"],
            "DATABRICKS_STATE_DIR": str(state),
            "DATABRICKS_SPARK_PYTHON": str(PROJECT / ".venv" / "spark" / "bin" / "python"),
            "DATABRICKS_WORKSPACE_ROOT": json.dumps(
                {
                    NOTEBOOK_ROOT: str(PROJECT / "include" / "spark"),
                    f"{NOTEBOOK_ROOT}/answers": str(PROJECT / "include" / "sql" / "answers"),
                }
            ),
            "PINTEREST_SPARK_JARS": str(PROJECT / ".jars" / "spark"),
            **settings.aws_environment,
        },
        is_ready=lambda: is_ready(settings),
        prepare=lambda: write_secrets(settings),
        provision=lambda: warm(settings),
    )


def write_secrets(settings: Settings) -> None:
    """Put what ``dbutils.secrets`` gives into a file that only its owner can read."""
    file = settings.folder("databricks") / "secrets.json"
    scopes = json.loads(file.read_text()) if file.exists() else {}
    scopes.setdefault("pinterest", {})["warehouse_url"] = settings.postgres_url("pinterest_warehouse")
    write_private(file, json.dumps(scopes))


def call(settings: Settings, method: str, path: str, body: object = None) -> int:
    request = Request(  # noqa: S310 - our own loopback address
        f"{settings.url('databricks')}/api/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {settings.secrets['databricks_token']}"},
        method=method,
    )
    with urlopen(request, timeout=CALL_SECONDS) as response:  # noqa: S310 - as above
        return int(response.status)


def is_ready(settings: Settings) -> bool:
    with contextlib.suppress(HTTPError):
        return call(settings, "GET", "2.1/clusters/spark-versions") == 200
    return False


def warm(settings: Settings) -> None:
    """Start the default cluster's Spark now, in the background: the first batch run need not wait for a cold JVM."""
    call(settings, "POST", "2.0/sandbox/clusters/warm", {"new_cluster": CLUSTER})
