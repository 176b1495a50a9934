"""The Databricks run of one batch."""

import json
from datetime import timedelta
from pathlib import Path

from pinterest_pipeline import stream_comparison
from pinterest_pipeline.lakehouse import LIBRARIES, batch_tasks

PROJECT = Path(__file__).resolve().parents[2]
OF_THE_RUNTIME = ("pyspark", "delta-spark", "pyarrow", "pandas", "boto3")

TASKS = batch_tasks(
    {"pin": []},
    stage_limit=timedelta(minutes=30),
    notebook_root="/root",
    lake_uri="s3://lake",
    topic_prefix="prefix",
    secret_scope="scope",
    secret_key="key",
)


def test_each_stage_waits_for_the_one_before():
    waits = {task["task_key"]: [d["task_key"] for d in task.get("depends_on", [])] for task in TASKS}

    assert waits == {"bronze": [], "silver": ["bronze"], "gold": ["silver"]}


def test_each_stage_runs_its_notebook_on_the_same_kind_of_cluster_within_the_limit():
    assert {task["new_cluster"] for task in TASKS} == {"{{ pipeline_variable(var)('databricks.cluster') }}"}
    assert [task["notebook_task"]["notebook_path"] for task in TASKS] == ["/root/bronze", "/root/silver", "/root/gold"]
    assert {task["timeout_seconds"] for task in TASKS} == {1800}


def test_each_notebook_gets_its_own_widgets_and_no_others():
    bronze, silver, gold = (task["notebook_task"]["base_parameters"] for task in TASKS)

    assert bronze == {"lake_uri": "s3://lake", "topic_prefix": "prefix"}
    assert silver == {"lake_uri": "s3://lake", "topic_prefix": "prefix", "acknowledged": {"pin": []}}
    assert gold == {"lake_uri": "s3://lake", "secret_scope": "scope", "secret_key": "key"}


def test_values_come_from_the_variable_unless_given():
    (bronze, *_) = batch_tasks({}, stage_limit=timedelta(hours=1))

    assert bronze["notebook_task"]["base_parameters"]["lake_uri"] == "{{ pipeline_variable(var)('lake_uri') }}"


def test_every_task_brings_the_packages_that_a_databricks_runtime_lacks_in_the_versions_that_are_tested():
    declared = (PROJECT / "requirements" / "spark.in").read_text().split("# checks")[0].splitlines()
    needed = [line for line in declared if not line.startswith(("#", *OF_THE_RUNTIME))]
    stream_job = json.loads((PROJECT / "include" / "databricks" / "stream_posts_job.json").read_text())

    assert [library["pypi"]["package"] for library in LIBRARIES] == needed
    assert all(task["libraries"] == LIBRARIES for task in [*TASKS, *stream_comparison.TASKS, *stream_job["tasks"]])
