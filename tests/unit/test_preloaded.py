"""What the sandbox's Airflow imports before it forks for a task."""

import runpy
from importlib import import_module
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "sandbox" / "servers" / "airflow" / "preloaded.py"


def test_every_module_exists_and_none_is_of_the_pipeline_whose_edits_count_from_the_next_task_on() -> None:
    modules = runpy.run_path(str(FILE))["MODULES"]

    assert [import_module(name).__name__ for name in modules] == list(modules)
    assert not [name for name in modules if name.startswith("pinterest")]
