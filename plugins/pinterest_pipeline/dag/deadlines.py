"""When a run of a DAG must be over: Airflow ends it then, and from 3.1 on raises an alarm, as no task would."""

import os
from datetime import timedelta
from typing import Any

from pinterest_pipeline.dag.alerts import log_late_run

PARSED_BY_SERVER = "_AIRFLOW_PROCESS_CONTEXT"  # set in the dag-processor, from 3.2 on


def ends_within(limit: timedelta) -> dict[str, Any]:
    """Return the arguments of ``DAG`` for runs that may take so long, and then are ended.

    The alarm comes before: half of that after a run of average time would have been over, counted from when it was
    created; a DAG's first run has none. The moment at which a run was queued would say more, but Airflow 3.3 answers
    500 to each request to clear a task of a run with such a deadline (it takes the stored interval for a number).
    Airflow before 3.1 has no deadline: it ends the run at its limit, without an alarm. Nor has a DAG that no server has
    parsed, since ``dag.test()`` of Airflow 3.3 cannot end a run that has one ('dict' object has no attribute 'hex').
    """
    arguments: dict[str, Any] = {"dagrun_timeout": limit}
    try:
        from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference  # noqa: PLC0415 - not in 3.0
    except ImportError:
        return arguments
    reference, interval = DeadlineReference.DAGRUN_QUEUED_AT, limit
    try:
        from airflow.sdk.definitions.callback import AsyncCallback  # noqa: PLC0415 - elsewhere in 3.1
    except ImportError:
        from airflow.sdk.definitions.deadline import AsyncCallback  # type: ignore[attr-defined]  # noqa: PLC0415
    else:
        reference, interval = DeadlineReference.AVERAGE_RUNTIME(min_runs=1), limit / 2
        if PARSED_BY_SERVER not in os.environ:
            return arguments
    callback = AsyncCallback(log_late_run, kwargs={"limit_seconds": interval.total_seconds()})
    return {**arguments, "deadline": DeadlineAlert(reference, interval, callback)}
