"""Fixtures shared by every environment's tests: here only what needs the standard library and pytest."""

import os
import shlex
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.groups import SERVER_ENVIRONMENT, TEST_HOME

PROJECT = Path(__file__).resolve().parent.parent
SANDBOX_PYTHON = PROJECT / ".venv" / "sandbox" / "bin" / "python"


@pytest.fixture(scope="session")
def stand_ins() -> Callable[..., dict[str, str]]:
    """Return a function that starts stand-ins by name and returns what ``sandbox env`` prints, as a dict.

    The sandbox of the tests has a home of its own and is left running from one test run to the next of the same
    ``make test``, which takes it down at its end: starting Kafka for each environment would cost a minute. Each call
    of the sandbox is a CPU-second, so what still runs as it was started needs none; what a test has killed does.
    """
    environment = {**os.environ, **SERVER_ENVIRONMENT}
    started: set[str] = set()
    variables: dict[str, str] = {}
    running: dict[str, int] = {}

    def sandbox(*arguments: str) -> str:
        done = subprocess.run(
            [str(SANDBOX_PYTHON), "-m", "sandbox", *arguments],
            cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"sandbox {arguments[0]} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(*names: str) -> dict[str, str]:
        if not (started.issuperset(names) and running.items() <= server_pids().items()):
            sandbox("up", "--only", ",".join(names))
            lines = (shlex.split(line) for line in sandbox("env").splitlines() if line.startswith("export "))
            variables.update(assignment.split("=", 1) for _, assignment in lines)
            started.update(names)
            running.clear()
            running.update(server_pids())
        return dict(variables)

    return start


def server_pids() -> dict[str, int]:
    """Return the process ids of the servers that live."""
    found = {file.stem: int(file.read_text() or 0) for file in (TEST_HOME / "pids").glob("*.pid")}
    return {name: pid for name, pid in found.items() if pid and is_alive(pid)}


def is_alive(pid: int) -> bool:
    with suppress(PermissionError):  # it lives, and is another user's
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
