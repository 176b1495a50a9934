"""The Databricks runs of a batch and of a reprocessing."""

import json
from datetime import timedelta
from pathlib import Path

from pinterest_pipeline.dag import stream_comparison
from pinterest_pipeline.dag.lakehouse import LIBRARIES, batch_tasks, reprocess_tasks

PROJECT = Path(__file__).resolve().parents[2]
OF_THE_RUNTIME = ("pyspark", "delta-spark", "pyarrow", "pandas", "boto3")

TASKS = batch_tasks({"pin": []}, stage_limit=timedelta(minutes=30))
AGAIN = reprocess_tasks({"window_start": "2026-11-25T00:00:00", "window_end": ""}, stage_limit=timedelta(minutes=30))


def setting(path):
    return f"{{{{ pipeline_variable(var)('{path}') }}}}"


def test_each_stage_waits_for_the_one_before():
    waits = {task["task_key"]: [d["task_key"] for d in task.get("depends_on", [])] for task in TASKS}

    assert waits == {"bronze": [], "silver": ["bronze"], "gold": ["silver"]}


def test_each_stage_runs_its_notebook_on_the_same_kind_of_cluster_within_the_limit():
    root = setting("databricks.notebook_root")

    assert {task["new_cluster"] for task in TASKS} == {setting("databricks.cluster")}
    assert [task["notebook_task"]["notebook_path"] for task in TASKS] == [
        f"{root}/{stage}" for stage in ("bronze", "silver", "gold")
    ]
    assert {task["timeout_seconds"] for task in TASKS} == {1800}


def test_each_notebook_gets_its_own_widgets_and_no_others():
    bronze, silver, gold = (task["notebook_task"]["base_parameters"] for task in TASKS)
    lake = {"lake_uri": setting("lake_uri"), "topic_prefix": setting("topic_prefix")}

    assert bronze == lake
    assert silver == {**lake, "acknowledged": {"pin": []}}
    assert gold == {
        "lake_uri": setting("lake_uri"), "secret_scope": setting("databricks.warehouse_url_scope"),
        "secret_key": setting("databricks.warehouse_url_key"),
    }  # fmt: skip


def test_a_reprocess_validates_a_window_and_computes_the_answers_again():
    reprocess, gold = AGAIN

    assert (reprocess["task_key"], gold["depends_on"]) == ("reprocess", [{"task_key": "reprocess"}])
    assert reprocess["notebook_task"]["base_parameters"] == {
        "lake_uri": setting("lake_uri"), "topic_prefix": setting("topic_prefix"),
        "window_start": "2026-11-25T00:00:00", "window_end": "",
    }  # fmt: skip
    assert gold["notebook_task"] == TASKS[-1]["notebook_task"]


def test_every_task_brings_the_packages_that_a_databricks_runtime_lacks_in_the_versions_that_are_tested():
    declared = (PROJECT / "requirements" / "spark.in").read_text().split("# checks")[0].splitlines()
    needed = [line for line in declared if not line.startswith(("#", *OF_THE_RUNTIME))]
    stream_job = json.loads((PROJECT / "include" / "databricks" / "stream_posts_job.json").read_text())

    assert [library["pypi"]["package"] for library in LIBRARIES] == needed
    tasks = [*TASKS, *AGAIN, *stream_comparison.TASKS, *stream_job["tasks"]]
    assert all(task["libraries"] == LIBRARIES for task in tasks)
