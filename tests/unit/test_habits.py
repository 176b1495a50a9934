"""The linter holds the architecture: who imports what he may not is told why; commits and CI run the same checks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.groups import LANES

PROJECT = Path(__file__).resolve().parents[2]


def lint(name, source):
    """Return what ruff says of a file that would stand there."""
    ruff = [
        str(Path(sys.executable).with_name("ruff")),
        "check",
        "--output-format",
        "concise",
        "--stdin-filename",
        name,
    ]
    done = subprocess.run(
        [*ruff, "-"], input=source, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == (1 if done.stdout.startswith(name) else 0), done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "source", "why"),
    [
        ("dags/mine.py", "import boto3", "belongs in a hook"),
        ("dags/mine.py", "from pyspark.sql import DataFrame", "Spark runs on Databricks"),
        ("dags/mine.py", "from sandbox.run.settings import BUCKET", "stands in for the cloud"),
        ("dags/mine.py", "from airflow.sdk import Variable", "Nothing is read while a DAG file is parsed"),
        ("dags/mine.py", "from pinterest_pipeline.lake.hook import LakeHook", "use an operator"),
        ("plugins/pinterest_pipeline/kinesis/mine.py", "import pyspark", "Spark runs on Databricks"),
        ("plugins/pinterest_pipeline/mine.py", "def f():\n    import sandbox.run.settings", "stands in for the cloud"),
        ("plugins/pinterest_pipeline/mine.py", "import dags.mine", "on no path of the triggerer"),
        ("plugins/pinterest_pipeline/mine.py", "from airflow.sdk import BaseHook", "Airflow 3.0 has no such name"),
        ("plugins/pinterest_pipeline/mine.py", "from airflow.models import DagRun", "no access to its database"),
        ("include/spark/notebooks/mine.py", "import airflow", "no Airflow on a Databricks cluster"),
        ("include/spark/pinterest_spark/mine.py", "import pinterest_pipeline", "not on a Databricks cluster"),
        ("sandbox/mine.py", "from airflow.sdk import DAG", "in another environment"),
        ("tests/unit/test_mine.py", "import pandas", "need pandas"),
    ],
)
def test_a_forbidden_import_fails_with_the_reason(name, source, why):
    (told,) = [line for line in lint(name, source + "\n").splitlines() if "is banned" in line]

    assert why in told


def test_what_the_files_have_in_common_holds_in_every_folder():
    for folder in ("dags", "plugins/pinterest_pipeline", "include/spark/pinterest_spark", "sandbox"):
        assert "Line too long (121 > 120)" in lint(f"{folder}/mine.py", f"X = '{'x' * 115}'\n")


def test_a_variable_read_while_a_dag_file_is_parsed_is_refused():
    source = "from airflow.sdk import DAG, Variable\n\nX = Variable.get('x')\nDAG('a', schedule=None)\n"

    assert "Variable.get" in lint("dags/mine.py", source)


def test_the_hooks_of_a_commit_run_what_make_lint_runs():
    repositories = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = {hook["id"]: hook["entry"] for hook in repositories[0]["hooks"]}
    makefile = (PROJECT / "Makefile").read_text().replace("$(RUFF)", ".venv/airflow/bin/ruff")

    assert [repository["repo"] for repository in repositories] == ["local"]
    assert {"ruff check", "ruff format"} <= {re.sub(r".*bin/(\w+ \w+).*", r"\1", entry) for entry in hooks.values()}
    for name in ("import-linter", "mypy-plugins", "mypy-spark"):
        assert hooks[name].removeprefix("env ") in makefile


def test_each_month_everything_is_renewed_and_then_run():
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "newest.yml").read_text())
    commands = [step["run"] for step in workflow["jobs"]["newest"]["steps"] if "run" in step]

    assert commands[0] == "make lock UPGRADE=1 MWAA_IMAGES=dist/mwaa/images/airflow"
    assert commands[-2:] == ["make test", "make demo"]
    assert workflow[True]["schedule"] == [{"cron": "17 4 1 * *"}]  # YAML 1.1 reads the key `on` as true


def test_dependabot_leaves_alone_what_follows_mwaa_and_databricks():
    updates = yaml.safe_load((PROJECT / ".github" / "dependabot.yml").read_text())["updates"]
    (python,) = [update for update in updates if update["package-ecosystem"] == "uv"]

    assert (PROJECT / python["directory"].strip("/") / "airflow.in").is_file()
    assert {"apache-airflow*", "boto3", "pyspark", "pandas"} <= {one["dependency-name"] for one in python["ignore"]}


def test_ci_runs_the_two_commands_on_the_python_of_the_readme_and_every_java():
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "ci.yml").read_text())
    job = workflow["jobs"]["make"]
    given = {name: value for step in job["steps"] for name, value in step.get("with", {}).items()}

    assert [step["run"] for step in job["steps"] if "run" in step][-1] == "${{ matrix.command }}"
    matrix = job["strategy"]["matrix"]
    commands = {one["name"]: one["command"] for one in matrix["include"]}
    assert commands.keys() == {*LANES, "demo", "demo-without-java"}
    assert (set(matrix["name"]), matrix["java"]) == ({*LANES, "demo"}, ["17", "21"])
    assert all(commands[lane].endswith(f" && .venv/sandbox/bin/python tests/run.py --lane {lane}") for lane in LANES)
    assert all(command.startswith("make setup") for name, command in commands.items() if name in LANES)
    assert sum("lint" in command for command in commands.values()) == 1
    assert commands["demo"] == "make demo"
    assert commands["demo-without-java"].endswith(" && make demo")
    assert (given["python-version"], given["java-version"]) == ("3.12", "${{ matrix.java }}")
    assert all(re.search(r"@v\d+", step["uses"]) for step in job["steps"] if "uses" in step)
