"""The Python tasks and the notebooks of DAGs ``pinterest_stream_comparison`` and ``pinterest_stream_backfill``."""

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Param, task

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.lakehouse import NOTEBOOK_VALUES
from pinterest_pipeline.databricks.operators import DatabricksRunJobOperator

SINCE = "UTC; compares rows whose record arrived then or later. None = all."
PARAMS = {"since": Param(None, type=["null", "string"], description=SINCE)}
BACKFILL_PARAMS = {
    "since": Param(None, type=["null", "string"], description="UTC, ISO 8601; rows that came to Kafka then or later."),
    "until": Param(None, type=["null", "string"], description="UTC, ISO 8601; rows that came to Kafka before."),
}
TASK_KEY = "compare_stream_with_silver"
BACKFILL_TASK_KEY = "backfill_stream_from_silver"
log = logging.getLogger(__name__)


def run_notebook(task_id: str, include: Path, notebook: str, parameters: Mapping[str, str]) -> DatabricksRunJobOperator:
    """Return the task that starts a run of the job of one notebook, which reads lake and warehouse."""
    return DatabricksRunJobOperator(
        task_id=task_id,
        job_file=include / "databricks" / "stream_tables_job.json",
        job_values={**NOTEBOOK_VALUES, "notebook": notebook},
        job_parameters=parameters,
        pool="pinterest_lakehouse",
        poll_seconds=5,
        execution_timeout=timedelta(hours=3),
        deferrable=True,
    )


def disagreements(compared: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each table whose rows differ, or of which none could be compared."""
    for table, found in compared["tables"].items():
        if not found["compared"]:
            yield (
                f"No row of stream.{table} was compared with silver: {found['only_in_stream']} posts are in the stream "
                f"alone and {found['only_in_silver']} in silver alone. Run the batch, or give an earlier since."
            )
        if found["differences"]:
            columns = ", ".join(f"{column} ({count})" for column, count in sorted(found["differences"].items()))
            posts = ", ".join(map(str, found["examples"]))
            yield (
                f"{found['compared'] - found['equal']} of {found['compared']} rows of stream.{table} differ from "
                f"silver in {columns}; for example posts {posts}."
            )


@task(multiple_outputs=True)
def agree(compared: Any) -> dict[str, int]:
    """Return the number of equal rows by table, or fail and name what differs."""
    for table, found in compared["tables"].items():
        if found["only_in_stream"]:
            log.warning("stream.%s has %d posts that silver does not have", table, found["only_in_stream"])
        if found["only_in_silver"]:
            log.warning(
                "stream.%s lacks %d posts that silver has from the time that the stream covers: were they sent to "
                "Kinesis? Rows that were lost on the way come back by DAG pinterest_stream_backfill",
                table,
                found["only_in_silver"],
            )
    if problems := list(disagreements(compared)):
        raise PermanentError(" ".join([*problems, "Compare these posts in both; param since leaves older rows out."]))
    return {table: found["equal"] for table, found in compared["tables"].items()}


@task(multiple_outputs=True)
def check_window(params: Any = None) -> dict[str, str]:
    """Refuse a window that is none before a cluster starts for it."""
    times = {name: moment(name, params[name]) for name in ("since", "until")}
    if times["since"] >= times["until"]:
        raise PermanentError(f"since ({times['since']}) is not before until ({times['until']}): give a window.")
    return {name: time.isoformat() for name, time in times.items()}


def moment(name: str, given: str | None) -> datetime:
    try:
        time = datetime.fromisoformat(given or "")
    except ValueError as error:
        raise PermanentError(f"Param {name} is {given!r}; write it like 2026-11-25T09:00:00+00:00.") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)
