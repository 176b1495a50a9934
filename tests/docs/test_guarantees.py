"""Each guarantee names the tests that hold it, and they exist."""

import re

import pytest

from tests.conftest import PROJECT

PAGE = PROJECT / "docs" / "guarantees.md"
TEST = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)


def rows() -> list[str]:
    lines = PAGE.read_text().splitlines()
    return [line for line in lines if line.startswith("|") and not set(line) <= set("|- ") and "test |" not in line]


@pytest.fixture(scope="module")
def tests() -> set[str]:
    return {name for file in (PROJECT / "tests").rglob("test_*.py") for name in TEST.findall(file.read_text())}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip())
def test_a_guarantee_names_tests_that_exist(row: str, tests: set[str]) -> None:
    named = re.findall(r"`(test_\w+)`", row)

    assert named
    assert set(named) <= tests


def test_every_table_is_read() -> None:
    assert len(rows()) > 25
