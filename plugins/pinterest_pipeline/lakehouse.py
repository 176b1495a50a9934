"""The Databricks run of one batch: bronze, then silver, then gold.

Each stage names its cluster, since the service refuses shared job clusters in ``runs/submit``. Equal specs share one
warm driver in the sandbox; in the cloud an instance pool (``instance_pool_id`` in the spec) keeps the starts short.
"""

from datetime import timedelta
from typing import Any

from pinterest_pipeline.pipeline_variable import setting

STAGES = ("bronze", "silver", "gold")
# What pinterest_spark needs and a Databricks Runtime lacks; the stream's job names the same in include/databricks
LIBRARIES = [{"pypi": {"package": package}} for package in ("psycopg[binary]==3.3.9", "pgpq==0.12.0")]


def batch_tasks(
    acknowledged: Any,
    *,
    stage_limit: timedelta,
    new_cluster: str = setting("databricks.cluster"),
    notebook_root: str = setting("databricks.notebook_root"),
    lake_uri: str = setting("lake_uri"),
    topic_prefix: str = setting("topic_prefix"),
    secret_scope: str = setting("databricks.warehouse_url_scope"),
    secret_key: str = setting("databricks.warehouse_url_key"),
) -> list[dict[str, Any]]:
    """Return the tasks of a Jobs API 2.1/2.2 run: one per stage, each after the one before, each its own notebook.

    Every value may be a template or the output of a task: nothing is looked into here.

    :param acknowledged: What ``reconciliation.offsets_by_table`` returns; the operator makes JSON text of it.
    :param stage_limit: Databricks ends a stage that runs longer.
    """
    lake = {"lake_uri": lake_uri}
    widgets = {
        "bronze": {**lake, "topic_prefix": topic_prefix},
        "silver": {**lake, "topic_prefix": topic_prefix, "acknowledged": acknowledged},
        "gold": {**lake, "secret_scope": secret_scope, "secret_key": secret_key},
    }
    tasks: list[dict[str, Any]] = []
    for stage in STAGES:
        task: dict[str, Any] = {
            "task_key": stage,
            "new_cluster": new_cluster,
            "libraries": LIBRARIES,
            "notebook_task": {"notebook_path": f"{notebook_root}/{stage}", "base_parameters": widgets[stage]},
            "timeout_seconds": int(stage_limit.total_seconds()),
        }
        if tasks:
            task["depends_on"] = [{"task_key": tasks[-1]["task_key"]}]
        tasks.append(task)
    return tasks
