"""Fixtures shared by every environment's tests: here only what needs the standard library and pytest."""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.groups import SERVER_ENVIRONMENT

PROJECT = Path(__file__).resolve().parent.parent
SANDBOX_PYTHON = PROJECT / ".venv" / "sandbox" / "bin" / "python"


@pytest.fixture(scope="session")
def stand_ins() -> Callable[..., dict[str, str]]:
    """Return a function that starts stand-ins by name and returns what ``sandbox env`` prints, as a dict.

    The sandbox of the tests has a home of its own and is left running from one test run to the next of the same
    ``make test``, which takes it down at its end: starting Kafka for each environment would cost a minute. What was
    started before is not started again: no test leaves a server down, and each call of the sandbox is a CPU-second.
    """
    environment = {**os.environ, **SERVER_ENVIRONMENT}
    started: set[str] = set()
    variables: dict[str, str] = {}

    def sandbox(*arguments: str) -> str:
        done = subprocess.run(
            [str(SANDBOX_PYTHON), "-m", "sandbox", *arguments],
            cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"sandbox {arguments[0]} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(*names: str) -> dict[str, str]:
        if not started.issuperset(names):
            sandbox("up", "--only", ",".join(names))
            lines = (shlex.split(line) for line in sandbox("env").splitlines() if line.startswith("export "))
            variables.update(assignment.split("=", 1) for _, assignment in lines)
            started.update(names)
        return dict(variables)

    return start
