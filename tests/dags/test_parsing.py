"""The DAG files parse, alone and quietly, and survive the way to the scheduler."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FILES = sorted((PROJECT / "dags").glob("*.py"))
HEAVY = ("boto3", "botocore", "aiohttp", "requests", "psycopg2", "pandas", "databricks")
IMPORTED = """
import json, os, runpy, sys
import airflow.sdk, airflow.models.taskmap  # what the DAG processor has loaded before it looks at a file
heavy, files = json.loads(sys.argv[1]), sys.argv[2:]
before = set(sys.modules)
for file in files:
    child = os.fork()
    if not child:
        runpy.run_path(file)
        print(json.dumps([file, [name for name in heavy if name in sys.modules and name not in before]]), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(json.dumps([file, ["(it cannot be run by itself at all)"]]), flush=True)
"""


def test_no_dag_file_fails_to_import(parsed, expect_none):
    expect_none(
        [f"{file}: {error.strip().splitlines()[-1]}" for file, error in parsed.import_errors.items()],
        "Airflow would show no DAG of this file. See it whole: .venv/airflow/bin/python <file>",
    )


def test_a_dag_file_makes_one_dag_named_like_it(parsed, expect_none):
    found = {file: {name for name, dag in parsed.dags.items() if Path(dag.fileloc) == file} for file in FILES}

    assert any(found.values()), "no DAG was found at all"
    expect_none(
        [f"{file.name}: {', '.join(ids) or 'no DAG'}" for file, ids in found.items() if ids != {file.stem}],
        "One DAG a file, its id the file's name, so that who sees it in the UI finds it",
    )


def test_every_dag_survives_serialisation_with_all_its_tasks(dags):
    serialization = dag_serialization()

    for dag_id, dag in dags.items():
        again = serialization.from_dict(serialization.to_dict(dag))

        fix = f"{dag_id}: give its tasks JSON values only; the scheduler knows the DAG by its serialised form"
        assert set(again.task_ids) == set(dag.task_ids), fix
        assert [again.get_task(t.task_id).downstream_task_ids for t in dag.tasks] == [
            t.downstream_task_ids for t in dag.tasks
        ], fix


def test_parsing_twice_gives_the_same_serialised_dag(dags, parse, expect_none):
    serialization = dag_serialization()

    again = parse()

    expect_none(
        [name for name, dag in dags.items() if serialization.to_dict(again.dags[name]) != serialization.to_dict(dag)],
        "Take now(), random values and sets out of the DAG: each parse would be a new DAG version",
    )


def test_parsing_stays_far_below_the_limit_of_the_dag_processor(parsed):
    """The goal of 1.0 CPU-second over a bare import is held by benchmarks/dag_parsing.py; this catches a slip."""
    slowest = max(parsed.dagbag_stats, key=lambda file: file.duration)

    assert parsed.seconds_to_parse < 10, f"{slowest.file} took {slowest.duration}: import less at its top"


@pytest.fixture(scope="module")
def imported():
    """The client libraries that each file imports when it is parsed in a process of its own, as the processor does."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins")}
    command = [sys.executable, "-W", "ignore", "-c", IMPORTED, json.dumps(HEAVY), *map(str, FILES)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dag_file_imports_no_client_library_to_be_parsed(file, imported, expect_none):
    expect_none(
        imported[str(file)],
        f"Import it in the function that talks to the world, not at the top of {file.name} or of what that imports "
        "(as the `hook` properties of operators do); parsing costs a process every time",
    )


def dag_serialization():
    from airflow.serialization import serialized_objects

    newer = getattr(serialized_objects, "DagSerialization", None)  # since Airflow 3.1
    return newer or serialized_objects.SerializedDAG
