"""The API's configuration, from its environment alone."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.servers.databricks.workspace import Workspace

PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Config:
    """What ``python -m sandbox.servers.databricks`` reads.

    :param idle_seconds: A driver that no run used for so long is ended (auto-termination).
    :param cancel_seconds: A cancelled notebook that has not stopped after so long takes its driver with it.
    :param requests_per_second: Of all clients; one more in a second is answered 429.
    :param backoff_seconds: First wait of a failing continuous job; it doubles up to ``longest_backoff_seconds``.
    """

    port: int
    token: str
    state_dir: Path
    spark_python: Path
    workspace: Workspace
    idle_seconds: float = 1800
    cancel_seconds: float = 5
    backoff_seconds: float = 2
    longest_backoff_seconds: float = 60
    requests_per_second: int = 200

    @property
    def secrets_file(self) -> Path:
        """File with the secret scopes; drivers read it for each notebook."""
        return self.state_dir / "secrets.json"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def task_log(self, run_id: int) -> Path:
        """Return the file with what a task run printed."""
        folder = self.state_dir / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{run_id}.log"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Config":
        needed = ("PORT", "TOKEN", "STATE_DIR", "SPARK_PYTHON", "WORKSPACE_ROOT")
        if missing := [f"DATABRICKS_{name}" for name in needed if not environment.get(f"DATABRICKS_{name}")]:
            raise SystemExit(f"The Databricks stand-in needs these environment variables: {', '.join(missing)}.")
        state_dir = Path(environment["DATABRICKS_STATE_DIR"]).resolve()
        uploads = state_dir / "workspace"
        uploads.mkdir(parents=True, exist_ok=True)
        return cls(
            port=int(environment["DATABRICKS_PORT"]),
            token=environment["DATABRICKS_TOKEN"],
            state_dir=state_dir,
            spark_python=Path(environment["DATABRICKS_SPARK_PYTHON"]).absolute(),
            workspace=Workspace.from_json(environment["DATABRICKS_WORKSPACE_ROOT"], uploads),
            requests_per_second=int(environment.get("DATABRICKS_REQUESTS_PER_SECOND", "200")),
            idle_seconds=float(environment.get("DATABRICKS_IDLE_SECONDS", "1800")),
            cancel_seconds=float(environment.get("DATABRICKS_CANCEL_SECONDS", "15")),
            backoff_seconds=float(environment.get("DATABRICKS_BACKOFF_SECONDS", "2")),
            longest_backoff_seconds=float(environment.get("DATABRICKS_LONGEST_BACKOFF_SECONDS", "60")),
        )
