"""A Databricks stand-in of a test's own, for every environment."""

import json
import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
HEADER = "# Databricks notebook source\n"
SECRETS = {"pinterest": {"warehouse_url": "postgresql://u:hunter2@h/db"}}


class DatabricksApi:
    """A Databricks stand-in of the test's own, with an empty workspace; it can be killed and started again."""

    token = "contract-token"
    root = "/Workspace/Shared/t"

    def __init__(self, folder: Path, **environment: str) -> None:
        self.environment = environment
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
            "DATABRICKS_CANCEL_SECONDS": "2",
            "DATABRICKS_BACKOFF_SECONDS": "0.2",
            **self.environment,
        }
        python = PROJECT / ".venv" / "sandbox" / "bin" / "python"
        with self.log.open("ab") as log:
            command = [str(python), "-m", "sandbox.servers.databricks"]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_until(self.answers, 20, lambda: f"the Databricks stand-in starts:\n{self.log.read_text()}")

    def answers(self) -> bool:
        with suppress(ConnectionError), socket.create_connection(("127.0.0.1", self.port), timeout=2):
            return True
        return False

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
