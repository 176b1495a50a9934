"""The security page names every port of the sandbox, and for each the tests that go to its door."""

import re

from sandbox.run.settings import PREFERRED_PORTS
from tests.conftest import PROJECT

PAGE = (PROJECT / "docs" / "security.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE)
FOLDERS = ("contract/sandbox_env", "e2e")


def test_every_port_has_a_row() -> None:
    assert sorted(port for port, _ in ROWS) == sorted(PREFERRED_PORTS)


def test_every_row_names_tests_and_all_that_are_named_exist() -> None:
    written = {
        name
        for folder in FOLDERS
        for file in (PROJECT / "tests" / folder).glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }

    assert all("`test_" in tests for _, tests in ROWS)
    assert set(re.findall(r"`(test_\w+)`", PAGE)) <= written
