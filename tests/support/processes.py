"""Start a program and measure it: processor time of its own, of its children, and of the sandbox's servers."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Finished:
    exit_code: int
    output: str
    wall_seconds: float
    cpu_seconds: float


def run_measured(command: Sequence[str], environment: Mapping[str, str]) -> Finished:
    """Run a program to its end; its processor time includes that of every process which ended with it."""
    command = [sys.executable, "-m", "tests.support.measured", *command]
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)  # so that Popen does not wait for it again
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Finished(process.returncode, text, time.monotonic() - began, usage.ru_utime + usage.ru_stime)


def server_cpu_seconds(home: Path) -> float:
    """Return what the running servers of the sandbox in ``home`` have used so far, ended children included."""
    import psutil

    from sandbox.run.supervision import members

    total = 0.0
    for process in members(home):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total
