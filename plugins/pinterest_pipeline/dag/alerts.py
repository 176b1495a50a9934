"""The alarm of a failed task: one line of JSON in the task's log, for any system that monitors the logs.

A log line needs no connection and cannot fail, and CloudWatch metric filters, Datadog and the like all page from one.
To mail or post instead, put a notifier of an installed provider (for example
``airflow.providers.amazon.aws.notifications.sns.SnsNotifier``) beside it in the DAG's ``default_args``.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)


def log_failure(context: Mapping[str, Any]) -> None:
    """Log what failed, as an ``on_failure_callback``; called once, when no retry is left."""
    log.error("pipeline_task_failed %s", json.dumps(describe(context), sort_keys=True))


def raise_alarm(ti: Any, fields: Mapping[str, Any]) -> None:
    """Log the alarm of a task that found something wrong and has not failed.

    :param fields: JSON values; ``reason`` is one sentence, which names the remedy.
    """
    log.error("pipeline_task_failed %s", json.dumps({**fields, **place(ti)}, sort_keys=True))


def place(ti: Any) -> dict[str, Any]:
    return {
        "dag_id": ti.dag_id,
        "task_id": ti.task_id,
        "run_id": ti.run_id,
        "map_index": getattr(ti, "map_index", -1),
        "try_number": ti.try_number,
    }


def describe(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the alarm; ``reason`` is the first line of the error, which by house rule names the remedy.

    An error with an ``alarm`` (a mapping of JSON values, as of a stream that ended) adds what only it knows.
    """
    error = context.get("exception")
    reason = str(error or "").strip().split("\n", 1)[0]
    return {
        **getattr(error, "alarm", {}),
        **place(context["ti"]),
        "reason": reason,
    }
