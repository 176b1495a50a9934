"""docs/data-contract.md says what the code does: columns, sentinels, reasons to reject."""

import re
from pathlib import Path

import pytest

from pinterest_spark.lakehouse import silver
from pinterest_spark.rows import cleaning, schemas
from pinterest_spark.rows import rules as quality

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-contract.md"
NAME = re.compile(r"`([^`]+)`")


def rows(heading: str, header: str) -> list[list[str]]:
    """Return the cells of the table with this header under a heading."""
    section = PAGE.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = section.split(f"\n| {header} |\n", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[1:]]


def columns(heading: str, header: str) -> dict[str, list[str]]:
    """Return by table, the first cell, the names in the last cell."""
    return {NAME.findall(cells[0])[0]: NAME.findall(cells[-1]) for cells in rows(heading, header)}


def test_wire_columns() -> None:
    told = columns("On the wire", "table | columns, with the type of their JSON value")

    assert {table: [name for name in names if name != "985k"] for table, names in told.items()} == {
        table: schema.names for table, schema in schemas.WIRE.items()
    }


def test_silver_columns() -> None:
    assert columns("Silver", "table | columns") == {table: schema.names for table, schema in schemas.SILVER.items()}


def test_sentinels() -> None:
    told = {
        column: tuple(NAME.findall(cells[1]))
        for cells in rows('"No data", written as text', "column | text")
        for column in NAME.findall(cells[0])
    }

    assert told == cleaning.SENTINELS


@pytest.mark.usefixtures("spark")
def test_reasons_to_reject() -> None:
    told = {
        reason for cells in rows("Quarantine", "`reject_reason` | table | when") for reason in NAME.findall(cells[0])
    }
    known = {rule.reason for table in schemas.TABLES for rule in quality.rules(table)}

    assert told == known | {silver.BROKEN_LINE}
