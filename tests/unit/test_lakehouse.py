"""The Databricks run of one batch."""

from datetime import timedelta

from pinterest_pipeline.lakehouse import batch_tasks

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
    assert {task["new_cluster"] for task in TASKS} == {"{{ var.json.pinterest_pipeline.databricks.cluster }}"}
    assert [task["notebook_task"]["notebook_path"] for task in TASKS] == ["/root/bronze", "/root/silver", "/root/gold"]
    assert {task["timeout_seconds"] for task in TASKS} == {1800}


def test_each_notebook_gets_its_own_widgets_and_no_others():
    bronze, silver, gold = (task["notebook_task"]["base_parameters"] for task in TASKS)

    assert bronze == {"lake_uri": "s3://lake", "topic_prefix": "prefix"}
    assert silver == {"lake_uri": "s3://lake", "topic_prefix": "prefix", "acknowledged": {"pin": []}}
    assert gold == {"lake_uri": "s3://lake", "secret_scope": "scope", "secret_key": "key"}


def test_values_come_from_the_variable_unless_given():
    (bronze, *_) = batch_tasks({}, stage_limit=timedelta(hours=1))

    assert bronze["notebook_task"]["base_parameters"]["lake_uri"] == "{{ var.json.pinterest_pipeline.lake_uri }}"
