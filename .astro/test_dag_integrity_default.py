"""Every DAG file parses: what `astro dev parse` runs, in place of Astro's own test, which fails on Airflow 3.3.

The rules that go beyond parsing are in ``tests/dags`` (`astro dev pytest tests/dags`).
"""

import inspect
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"  # before the first import of Airflow, which reads it then
PROJECT = Path(__file__).resolve().parent.parent
DAG_FILES = sorted(file.name for file in (PROJECT / "dags").glob("*.py"))


@cache
def parsed() -> Any:
    from airflow.models import DagBag  # noqa: PLC0415 - not while tests are collected

    options: dict[str, Any] = {"dag_folder": str(PROJECT / "dags")}
    if "include_examples" in inspect.signature(DagBag.__init__).parameters:  # until Airflow 3.2
        options["include_examples"] = False
    return DagBag(**options)


def test_the_project_has_dags() -> None:
    assert DAG_FILES


@pytest.mark.parametrize("name", DAG_FILES)
def test_a_dag_file_parses(name: str) -> None:
    errors = {Path(file).name: error for file, error in parsed().import_errors.items()}

    assert name not in errors, errors[name]
    assert name.removesuffix(".py") in parsed().dags
