"""Every server says in its README how it differs from the real service, and docs/sandbox.md shows it."""

from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SERVERS = sorted(file.parent.name for file in (PROJECT / "sandbox" / "servers").glob("*/__init__.py"))


def test_the_servers_are_found():
    assert {"airflow", "kafka", "postgres"} <= set(SERVERS)


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_has_a_table_of_differences_that_the_page_includes(name):
    heading, *rest = (PROJECT / "sandbox" / "servers" / name / "README.md").read_text().splitlines()
    table = [line for line in rest if line.startswith("|")]

    assert heading == f"# {name}: differs from the real service"
    assert table[:2] == ["| the real service | here |", "|---|---|"]
    assert len(table) > 2
    assert f"{{include}} ../sandbox/servers/{name}/README.md" in (PROJECT / "docs" / "sandbox.md").read_text()
