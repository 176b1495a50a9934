"""The alarm of a failed task: one line of JSON in the task's log, for any system that monitors the logs.

A log line needs no connection and cannot fail, and CloudWatch metric filters, Datadog and the like all page from one.
A failure that comes again, run after run, is one alarm (:mod:`pinterest_pipeline.dag.alarm_memory`).
To mail or post instead, put a notifier of an installed provider (for example
``airflow.providers.amazon.aws.notifications.sns.SnsNotifier``) beside it in the DAG's ``default_args``.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag import alarm_memory

NO_REASON = (
    "the task left no error: its worker died or was killed (memory?), or Airflow lost sight of it. Read the task's "
    "log, then clear it"
)

log = logging.getLogger(__name__)


class ReportedError(PermanentError):
    """A task failed because another has, whose alarm is the only one."""


def log_failure(context: Mapping[str, Any]) -> None:
    """Log what failed, as an ``on_failure_callback``; called once, when no retry is left.

    A worker calls it, or the dag-processor for a worker that died.
    """
    fields = describe(context)
    if isinstance(context.get("exception"), ReportedError):
        log.warning("No other alarm, the task that failed before has raised it: %s", fields["reason"])
        return
    count, is_news = alarm_memory.remember(fields)
    if is_news:
        log.error("pipeline_task_failed %s", json.dumps({**fields, "failures": count}, sort_keys=True))
    else:
        log.warning("No other alarm: failed so %s times in a row, reported before: %s", count, fields["reason"])


def raise_alarm(ti: Any, fields: Mapping[str, Any]) -> None:
    """Log the alarm of a task that found something wrong and has not failed.

    :param fields: JSON values; ``reason`` is one sentence, which names the remedy.
    """
    log.error("pipeline_task_failed %s", json.dumps({**fields, **place(ti)}, sort_keys=True))


async def log_late_run(context: Mapping[str, Any], limit_seconds: float) -> None:
    """Log that a run has missed its deadline; the triggerer calls it. A backfill's run may wait for those before it."""
    if alarm := late_run(context["dag_run"], timedelta(seconds=limit_seconds), datetime.now(UTC)):
        log.error("pipeline_task_failed %s", json.dumps(alarm, sort_keys=True))


def late_run(dag_run: Mapping[str, Any], limit: timedelta, now: datetime) -> dict[str, Any] | None:
    """Return the alarm of a run that is late, None where it is over, or is a backfill's that began less than that ago.

    :param dag_run: As Airflow's REST API describes one.
    """
    if dag_run["state"] in {"success", "failed"}:
        return None  # a task of it has raised its alarm
    began = dag_run.get("start_date")
    if dag_run.get("run_type") == "backfill" and (began is None or now - datetime.fromisoformat(began) < limit):
        return None
    since = f"began at {began}" if began else "has not begun"
    return {
        "dag_id": dag_run["dag_id"],
        "run_id": dag_run["dag_run_id"],
        "state": "late",
        "reason": f"{dag_run['dag_id']} has missed its deadline; its run is {dag_run['state']} and "
        f"{since}: look at the task that runs, or at the run before it.",
    }


def describe(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the alarm; ``reason`` is the first line of the error, which by house rule names the remedy.

    An error with an ``alarm`` (a mapping of JSON values, as of a stream that ended) adds what only it knows.
    """
    error = context.get("exception")
    said = str(error or "").strip().split("\n", 1)[0]
    unsaid = f"{type(error).__name__}, without a message: read the task's log" if error is not None else NO_REASON
    return {**getattr(error, "alarm", {}), **place(context["ti"]), "reason": said or unsaid}


def place(ti: Any) -> dict[str, Any]:
    return {
        "dag_id": ti.dag_id,
        "task_id": ti.task_id,
        "run_id": ti.run_id,
        "map_index": getattr(ti, "map_index", -1),
        "try_number": ti.try_number,
    }
