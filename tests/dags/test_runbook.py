"""The runbook has every task that can raise an alarm, and no other."""

import re
from pathlib import Path
from typing import Any

import pytest

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"
SECTION = re.compile(r"^## `(\w+)`$")
FIRST_CELL = re.compile(r"^\| (`[^|]*) \|")
NAME = re.compile(r"`(\w+)`")


def described() -> dict[str, set[str]]:
    """Return by DAG the names in the first cells of its tables."""
    found: dict[str, set[str]] = {}
    dag_id = None
    for line in RUNBOOK.read_text().splitlines():
        if line.startswith("#"):
            section = SECTION.match(line)
            dag_id = section[1] if section else None
        elif dag_id and (cell := FIRST_CELL.match(line)):
            found.setdefault(dag_id, set()).update(NAME.findall(cell[1]))
    return found


def raising_alarms(dag: Any) -> set[str]:
    return {task.task_id.rpartition(".")[2] for task in dag.tasks if task.on_failure_callback}


def test_every_dag_has_its_section(parsed: Any) -> None:
    assert described().keys() == set(parsed.dags)


@pytest.mark.parametrize("dag_id", sorted(path.stem for path in (RUNBOOK.parents[1] / "dags").glob("pinterest_*.py")))
def test_every_task_that_can_raise_an_alarm_is_described(parsed: Any, dag_id: str) -> None:
    tasks, rows = raising_alarms(parsed.dags[dag_id]), described()[dag_id]

    assert tasks, f"{dag_id} raises no alarm at all"
    assert tasks - rows == set(), f"add to docs/runbook.md, section {dag_id}"
    assert rows - tasks == set(), f"docs/runbook.md, section {dag_id}, has tasks that the DAG has not"
