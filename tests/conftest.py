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
    ``make test``, which takes it down at its end: starting Kafka for each environment would cost a minute.
    """

    def start(*names: str) -> dict[str, str]:
        environment = {**os.environ, **SERVER_ENVIRONMENT}
        sandbox = [str(SANDBOX_PYTHON), "-m", "sandbox"]
        started = subprocess.run(
            [*sandbox, "up", "--only", ",".join(names)],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert started.returncode == 0, f"sandbox up failed:\n{started.stdout}\n{started.stderr}"
        printed = subprocess.run(
            [*sandbox, "env"], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout
        lines = (shlex.split(line) for line in printed.splitlines() if line.startswith("export "))
        return dict(assignment.split("=", 1) for _, assignment in lines)

    return start
