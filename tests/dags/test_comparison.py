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


@pytest.mark.parametrize("since", [None, "2026-11-25T09:00:00+00:00", "20261125"])
def test_the_notebook_is_given_the_lake_the_warehouse_and_the_time(dags, since):
    dag = dags["pinterest_stream_comparison"]
    task = copy.copy(dag.get_task("submit_comparison"))
    variable = {"json": SimpleNamespace(pinterest_pipeline=VARIABLE)}

    task.render_template_fields({"params": {"since": since}, "var": variable, "task": task, "dag": dag})

    (submitted,) = task.tasks
    assert submitted["new_cluster"] == {"num_workers": 2}
    assert submitted["notebook_task"] == {
        "notebook_path": "/Workspace/notebooks/compare_stream_with_silver",
        "base_parameters": {
            "lake_uri": "s3a://a-lake", "secret_scope": "s", "secret_key": "k", "since": since or "",
        },
    }  # fmt: skip


def test_the_backfill_is_given_its_window(dags):
    dag = dags["pinterest_stream_backfill"]
    task = copy.copy(dag.get_task("submit_backfill"))
    variable = {"json": SimpleNamespace(pinterest_pipeline=VARIABLE)}
    window = {"since": "2026-11-25T09:00:00+00:00", "until": "2026-11-25T10:00:00+00:00"}

    task.render_template_fields({"params": window, "var": variable, "task": task, "dag": dag})

    (submitted,) = task.tasks
    assert submitted["notebook_task"] == {
        "notebook_path": "/Workspace/notebooks/backfill_stream_from_silver",
        "base_parameters": {"lake_uri": "s3a://a-lake", "secret_scope": "s", "secret_key": "k", **window},
    }
    assert dag.get_task("backfill_stream_from_silver").upstream_task_ids == {"submit_backfill"}
    assert dag.get_task("submit_backfill").upstream_task_ids == {"check_window"}


def test_the_stages_follow_each_other_and_never_beside_a_batch(dags):
    dag = dags["pinterest_stream_comparison"]

    assert dag.get_task("compare_stream_with_silver").upstream_task_ids == {"submit_comparison"}
    assert dag.get_task("agree").upstream_task_ids == {"compare_stream_with_silver"}
    assert {dag.get_task(name).pool for name in ("submit_comparison", "compare_stream_with_silver")} == {
        "pinterest_lakehouse"
    }
