"""The Databricks runs that write the lake: a batch (bronze, silver, gold), and a reprocessing (reprocess, gold).

Each stage names its cluster, since the service refuses shared job clusters in ``runs/submit``. Equal specs share one
warm driver in the sandbox; in the cloud an instance pool (``instance_pool_id`` in the spec) keeps the starts short.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset

from pinterest_pipeline.dag import assets
from pinterest_pipeline.dag.settings import setting, text_setting
from pinterest_pipeline.databricks.sensors import DatabricksTaskRunSensor
from pinterest_pipeline.warehouse.operators import PostgresMigrateOperator, PostgresPublishAnswersOperator

RUN_NAME = "pinterest_daily_batch"  # of both: a submission waits while another run of its name is active
# What pinterest_spark needs and a Databricks Runtime lacks; the stream's job names the same in include/databricks
LIBRARIES = [{"pypi": {"package": package}} for package in ("psycopg[binary]==3.3.9", "pgpq==0.12.0")]


GOLD = {
    "lake_uri": text_setting("lake_uri"),
    "secret_scope": text_setting("databricks.warehouse_url_scope"),
    "secret_key": text_setting("databricks.warehouse_url_key"),
}


LAKE = {"lake_uri": text_setting("lake_uri"), "topic_prefix": text_setting("topic_prefix")}


def batch_tasks(acknowledged: Any, *, stage_limit: timedelta) -> list[dict[str, Any]]:
    """Return the tasks of a Jobs API 2.1/2.2 run: one per stage, each after the one before, each its own notebook.

    :param acknowledged: What ``reconciliation.offsets_by_table`` returns, or the task that returns it; the operator
        encodes it as JSON.
    :param stage_limit: Databricks ends a stage that runs longer.
    """
    return sequential_tasks(
        {"bronze": LAKE, "silver": {**LAKE, "acknowledged": acknowledged}, "gold": GOLD}, stage_limit
    )


def reprocess_tasks(request: Mapping[str, str], *, stage_limit: timedelta) -> list[dict[str, Any]]:
    """Return the tasks of a run that validates landed records again, and computes the answers again.

    :param request: Widgets of the reprocess notebook.
    """
    return sequential_tasks({"reprocess": {**LAKE, **request}, "gold": GOLD}, stage_limit)


def preview_tasks(request: Mapping[str, str], *, stage_limit: timedelta) -> list[dict[str, Any]]:
    """Return the task of a run that counts what :func:`reprocess_tasks` would change."""
    return sequential_tasks({"reprocess": {**LAKE, **request, "dry_run": "true"}}, stage_limit)


def redrive_tasks(acknowledged: Any, request: Mapping[str, str], *, stage_limit: timedelta) -> list[dict[str, Any]]:
    """Return the tasks of a run that takes what was sent again, and validates landed records again."""
    silver = {**LAKE, "acknowledged": acknowledged}
    return sequential_tasks(
        {"bronze": LAKE, "silver": silver, "reprocess": {**LAKE, **request}, "gold": GOLD}, stage_limit
    )


def sequential_tasks(widgets: Mapping[str, Mapping[str, Any]], stage_limit: timedelta) -> list[dict[str, Any]]:
    """Return a task for each stage, each after the one before.

    :param widgets: By stage, which is the name of its notebook. Values may be templates or the output of a task.
    """
    tasks: list[dict[str, Any]] = []
    for stage, given in widgets.items():
        task: dict[str, Any] = {
            "task_key": stage,
            "new_cluster": setting("databricks.cluster"),
            "libraries": LIBRARIES,
            "notebook_task": {
                "notebook_path": f"{setting('databricks.notebook_root')}/{stage}",
                "base_parameters": dict(given),
            },
            "timeout_seconds": int(stage_limit.total_seconds()),
        }
        if tasks:
            task["depends_on"] = [{"task_key": tasks[-1]["task_key"]}]
        tasks.append(task)
    return tasks


def follow_stages(
    run_id: Any, outlets: Mapping[str, Sequence[Asset]], *, stage_limit: timedelta
) -> dict[str, DatabricksTaskRunSensor]:
    """Return a task for each stage of a run that waits for it.

    :param outlets: By stage, what is new once it has succeeded.
    """
    return {
        stage: DatabricksTaskRunSensor(
            task_id=stage,
            run_id=run_id,
            task_key=stage,
            outlets=list(made),
            pool="pinterest_lakehouse",
            deferrable=True,
            poke_interval=5,
            timeout=stage_limit,
            execution_timeout=stage_limit,
        )
        for stage, made in outlets.items()
    }


def migrate_warehouse(sql: Path) -> PostgresMigrateOperator:
    """Return the task that brings the warehouse to this version; it comes before whatever writes there."""
    return PostgresMigrateOperator(
        task_id="migrate_warehouse",
        conn_id="pinterest_warehouse",
        folder=sql / "migrations",
        pool="pinterest_warehouse",
    )


def publish_gold(sql: Path) -> PostgresPublishAnswersOperator:
    """Return the task that makes schema ``gold`` equal to the answers that were staged, if they pass their checks."""
    return PostgresPublishAnswersOperator(
        task_id="publish_gold",
        conn_id="pinterest_warehouse",
        folder=sql / "answers",
        checks=sql / "checks",
        gates=setting("gates", ""),
        pool="pinterest_warehouse",
        outlets=[assets.WAREHOUSE_GOLD],
    )
