"""The Databricks job that writes the lake: a run of it is a batch, a reprocessing, a redrive or a preview.

Its file, ``include/databricks/lakehouse_job.json``, has one task a stage, one after the other on one cluster. Parameter
``stages`` says which of them a run takes; the notebooks of the others end at once.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from airflow.sdk import Asset

from pinterest_pipeline.dag import assets
from pinterest_pipeline.dag.reconciliation import AcknowledgedOffsets
from pinterest_pipeline.dag.settings import setting, text_setting
from pinterest_pipeline.databricks.operators import DatabricksRunJobOperator
from pinterest_pipeline.databricks.sensors import DatabricksTaskRunSensor
from pinterest_pipeline.warehouse.operators import PostgresMigrateOperator, PostgresPublishAnswersOperator

RUNS = "runs"  # folder of the lake: what runs of the job are given that is too long for a parameter
NOTEBOOK_VALUES = {
    "job_name": text_setting("databricks.job_name", "pinterest_lakehouse"),
    "cluster": setting("databricks.cluster"),
    "notebook_root": text_setting("databricks.notebook_root"),
    "lake_uri": text_setting("lake_uri"),
    "secret_scope": text_setting("databricks.warehouse_url_scope"),
    "secret_key": text_setting("databricks.warehouse_url_key"),
}
JOB_VALUES = {**NOTEBOOK_VALUES, "topic_prefix": text_setting("topic_prefix")}


def run_stages(
    task_id: str, include: Path, stages: Sequence[str], parameters: Mapping[str, Any] | None = None, **arguments: Any
) -> DatabricksRunJobOperator:
    """Return the task that starts a run of the job.

    :param include: Folder with the job's file.
    :param stages: Those that the run takes, of bronze, silver, reprocess and gold.
    :param parameters: Further job parameters, such as the widgets of the reprocess notebook.
    """
    return DatabricksRunJobOperator(
        task_id=task_id,
        job_file=include / "databricks" / "lakehouse_job.json",
        job_values=JOB_VALUES,
        job_parameters={"stages": ",".join(stages), **(parameters or {})},
        pool="pinterest_lakehouse",
        execution_timeout=timedelta(hours=3),
        deferrable=True,
        **arguments,
    )


def store_offsets(
    offsets: Mapping[str, AcknowledgedOffsets], *, bucket: str, lake_uri: str, dag_id: str, run_id: str
) -> str:
    """Write what Kafka acknowledged to a run into the lake and return its address, empty text where there is nothing.

    Its name has the hash of its content: equal offsets have one name, and no run reads what a later one has written.
    """
    from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - boto3 slows DAG parsing

    if not offsets:
        return ""
    digest = sha256(json.dumps(offsets, sort_keys=True).encode()).hexdigest()[:16]
    safe_run_id = re.sub(r"[^A-Za-z0-9._-]", "_", run_id)  # Hadoop's paths take no colon
    key = f"{RUNS}/{dag_id}/{safe_run_id}/acknowledged-{digest}.json"
    LakeHook(bucket).write_json_lines(key, [offsets])
    return f"{lake_uri}/{key}"


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
