"""The Databricks run of one batch: bronze, then silver, then gold, on one shared job cluster."""

from typing import Any

STAGES = ("bronze", "silver", "gold")
CLUSTER = "batch"


def job_clusters(new_cluster: Any) -> list[dict[str, Any]]:
    """Return the run's one cluster; ``new_cluster`` is the Jobs API's object, or a template that renders to it."""
    return [{"job_cluster_key": CLUSTER, "new_cluster": new_cluster}]


def batch_tasks(
    *,
    notebook_root: str,
    lake_uri: str,
    topic_prefix: str,
    acknowledged: Any,
    secret_scope: str,
    secret_key: str,
    stage_timeout_seconds: int,
) -> list[dict[str, Any]]:
    """Return the tasks of a Jobs API 2.1/2.2 run: one per stage, each after the one before, each its own notebook.

    Every value may be a template or the output of a task: nothing is looked into here.

    :param acknowledged: JSON text, the offsets that this run had acknowledged; see ``reconciliation.offsets_by_table``.
    :param stage_timeout_seconds: Databricks ends a stage that runs longer.
    """
    lake = {"lake_uri": lake_uri}
    widgets = {
        "bronze": {**lake, "topic_prefix": topic_prefix},
        "silver": {**lake, "topic_prefix": topic_prefix, "acknowledged": acknowledged},
        "gold": {**lake, "secret_scope": secret_scope, "secret_key": secret_key},
    }
    tasks: list[dict[str, Any]] = []
    for stage in STAGES:
        tasks.append(
            {
                "task_key": stage,
                "depends_on": [{"task_key": before["task_key"]} for before in tasks[-1:]],
                "job_cluster_key": CLUSTER,
                "notebook_task": {"notebook_path": f"{notebook_root}/{stage}", "base_parameters": widgets[stage]},
                "timeout_seconds": stage_timeout_seconds,
            }
        )
    return tasks
