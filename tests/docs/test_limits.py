"""The limits page tells the numbers that the code keeps to."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT

PAGE = PROJECT / "docs" / "limits.md"
ROW = re.compile(
    r"^\| [^|]+ \| (?P<number>[\d,.]+) \| `(?P<name>[A-Z_]+)` (?:of \[[^]]+\]\((?P<file>[^)]+)\)|there) \|$"
)


def told() -> Iterator[tuple[str, Path, float]]:
    file = Path()
    for row in filter(None, map(ROW.match, PAGE.read_text().splitlines())):
        file = PAGE.parent / row["file"] if row["file"] else file
        yield row["name"], file, float(row["number"].replace(",", ""))


def constant(file: Path, name: str) -> float:
    for statement in ast.parse(file.read_text()).body:
        if isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == [name]:
            return float(eval(compile(ast.Expression(statement.value), str(file), "eval"), {}))  # noqa: S307 - our own
    raise AssertionError(f"{file} has no {name}: correct docs/limits.md")


@pytest.mark.parametrize(("name", "file", "number"), [pytest.param(*limit, id=limit[0]) for limit in told()])
def test_a_limit_is_the_code_s(name: str, file: Path, number: float) -> None:
    assert constant(file, name) == number


def test_every_row_of_the_limits_is_read() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if re.search(r"\| `[A-Z_]+` ", line)]

    assert len(rows) == len(list(told())) > 20
