"""The comparison's notebook gets what it needs from the Variable, and the run's time as text."""

import copy
from types import SimpleNamespace

import pytest

VARIABLE = {
    "lake_uri": "s3a://a-lake",
    "databricks": {
        "notebook_root": "/Workspace/notebooks", "cluster": {"num_workers": 2}, "warehouse_url_scope": "s",
        "warehouse_url_key": "k",
    },
}  # fmt: skip


WINDOW = {"since": "2026-11-25T09:00:00+00:00", "until": "2026-11-25T10:00:00+00:00"}


@pytest.mark.parametrize(
    ("dag_id", "task_id", "notebook", "params", "given"),
    [
        (
            "pinterest_stream_comparison", "submit_comparison", "compare_stream_with_silver",
            {"since": WINDOW["since"]}, {"since": WINDOW["since"]},
        ),
        (
            "pinterest_stream_comparison", "submit_comparison", "compare_stream_with_silver",
            {"since": None}, {"since": ""},
        ),
        (
            "pinterest_stream_comparison", "submit_comparison", "compare_stream_with_silver",
            {"since": "20261125"}, {"since": "20261125"},
        ),
        ("pinterest_stream_backfill", "submit_backfill", "backfill_stream_from_silver", WINDOW, WINDOW),
    ],
    ids=["comparison", "comparison of all", "digits", "backfill"],
)  # fmt: skip
def test_the_notebook_is_given_the_lake_the_warehouse_and_the_time(dags, dag_id, task_id, notebook, params, given):
    from pathlib import Path

    from pinterest_pipeline.databricks.jobs import read_job_file

    dag = dags[dag_id]
    task = copy.copy(dag.get_task(task_id))
    variable = {"json": SimpleNamespace(pinterest_pipeline=VARIABLE)}

    task.render_template_fields({"params": params, "var": variable, "task": task, "dag": dag})

    job = read_job_file(Path(task.job_file), task.job_values)
    (only,) = job["tasks"]
    assert (job["name"], only["task_key"]) == (f"pinterest_lakehouse_{notebook}", notebook)
    assert only["new_cluster"] == {"num_workers": 2}
    assert only["notebook_task"]["notebook_path"] == f"/Workspace/notebooks/{notebook}"
    defaults = {parameter["name"]: parameter["default"] for parameter in job["parameters"]}
    lake = {"lake_uri": "s3a://a-lake", "secret_scope": "s", "secret_key": "k"}
    assert defaults == {**lake, "since": "", "until": "", "requested_by": ""}
    assert task.job_parameters == given
    assert dag.get_task(notebook).upstream_task_ids == {task_id}


def test_a_backfill_starts_once_its_window_is_checked(dags):
    assert dags["pinterest_stream_backfill"].get_task("submit_backfill").upstream_task_ids == {"check_window"}


def test_the_stages_follow_each_other_and_never_beside_a_batch(dags):
    dag = dags["pinterest_stream_comparison"]

    assert dag.get_task("compare_stream_with_silver").upstream_task_ids == {"submit_comparison"}
    assert dag.get_task("agree").upstream_task_ids == {"compare_stream_with_silver"}
    assert {dag.get_task(name).pool for name in ("submit_comparison", "compare_stream_with_silver")} == {
        "pinterest_lakehouse"
    }
