"""Run the installers of ``.venv/tools``: bounded in time, and again after a pause: most failures are the network's."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.errors import DeployError
from deploy.versions import PROJECT

TOOLS = PROJECT / ".venv" / "tools" / "bin"
ATTEMPTS = 3
PAUSE_SECONDS = 5
TIMEOUT_SECONDS = 600


def run_tool(what: str, tool: str, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> None:
    """Run ``uv`` or ``python`` of the tools' environment.

    :param environment: Variables for it beside those of this process.
    :raises DeployError: with the end of its output, when no attempt succeeded.
    """
    if not (TOOLS / tool).exists():
        raise DeployError(f"{what} needs {tool} in .venv/tools: run `make setup`.")
    command: Sequence[str] = [str(TOOLS / tool), *map(str, arguments)]
    variables = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", **(environment or {})}
    said = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS * attempt)
        try:
            done = subprocess.run(
                command, env=variables, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
            )
        except subprocess.TimeoutExpired:
            said = f"no answer within {TIMEOUT_SECONDS} s"
            continue
        if done.returncode == 0:
            return
        said = (done.stdout + done.stderr).strip()[-1500:]
    raise DeployError(f"{what} failed {ATTEMPTS} times: {said}")
