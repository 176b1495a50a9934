"""The benchmarks' way into a sandbox: its commands, and what ``sandbox env`` prints."""

import os
import shlex
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PYTHON = str(PROJECT / ".venv" / "sandbox" / "bin" / "python")


def sandbox(*arguments: str) -> str:
    """Run one of its commands and return what it printed."""
    command = [PYTHON, "-m", "sandbox", *arguments]
    return subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True).stdout


def start(servers: str) -> dict[str, str]:
    """Start the named servers, take over the variables of ``sandbox env`` and return them."""
    sandbox("up", "--only", servers)
    lines = (shlex.split(line) for line in sandbox("env").splitlines() if line.startswith("export "))
    environment = dict(assignment.split("=", 1) for _, assignment in lines)
    os.environ.update(environment)
    return environment
