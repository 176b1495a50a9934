"""Which failure of a task was reported last, so that a failure in each run is one alarm and not one a minute.

It is kept in an Airflow Variable a task, ``alarm.<dag>.<task>``, since a task, and the dag-processor in place of a
worker that died, reach those also where the warehouse is down. Nothing but a repeated alarm depends on it: where it
cannot be read or written, the alarm goes out. Two tasks that see the same stream end share one memory.
"""

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pinterest_pipeline.common.compat import count_dag_runs

SILENT_FOR = timedelta(hours=1)  # since the last failure: a daily run that fails each day is an alarm each day
VARYING = re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\d+")  # ids, times and counts differ from failure to failure

log = logging.getLogger(__name__)


def remember(fields: Mapping[str, Any]) -> tuple[int, bool]:
    """Take note of a failure.

    :param fields: Of the alarm, with ``reason`` and the task's place.
    :returns: How often the task has failed so in a row, and whether that is news.
    """
    try:
        from airflow.sdk import Variable  # noqa: PLC0415 - Airflow is not loaded while a test imports this

        name = f"alarm.{fields['dag_id']}.{fields.get('stream', fields['task_id'])}"
        name += f".{fields['map_index']}" * (fields["map_index"] >= 0)
        known = Variable.get(name, default=None, deserialize_json=True)
        noted, is_news = note(known, fields, now=datetime.now(UTC), successes=successful_runs(fields["dag_id"]))
        Variable.set(name, noted, description="The last failure that was reported", serialize_json=True)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with the memory, the alarm must go out
        log.warning("Whether this failure was reported before is not known: %r", error)
        return 1, True
    return noted["count"], is_news


def note(
    known: Mapping[str, Any] | None, fields: Mapping[str, Any], *, now: datetime, successes: int | None
) -> tuple[dict[str, Any], bool]:
    """Return what is to be remembered, and whether the failure is news.

    It is none where the task has failed for the same reason within ``SILENT_FOR`` and no run of its DAG has succeeded
    since, and where the same try is reported a second time.

    :param known: What was remembered last.
    :param successes: Runs of the DAG that have succeeded; None = not known.
    """
    noted = {
        "reason": VARYING.sub("#", f"{fields.get('state', '')} {fields.get('error') or fields['reason']}"),
        "count": 1,
        "at": now.isoformat(),
        "successes": successes,
        "try": [fields["run_id"], fields["task_id"], fields["try_number"]],
    }
    if known is None:
        return noted, True
    if known["try"] == noted["try"]:
        return dict(known), False
    has_recovered = None not in {successes, known["successes"]} and successes != known["successes"]
    is_old = now - datetime.fromisoformat(known["at"]) > SILENT_FOR
    if known["reason"] != noted["reason"] or has_recovered or is_old:
        return noted, True
    return {**noted, "count": known["count"] + 1}, False


def successful_runs(dag_id: str) -> int | None:
    try:
        return count_dag_runs(dag_id, "success")
    except Exception as error:  # noqa: BLE001 - the dag-processor cannot ask
        log.info("How many runs of %s have succeeded is not known: %r", dag_id, error)
        return None
