"""When a run of a DAG must be over: Airflow ends it then, and from 3.1 on raises an alarm, as no task would."""

from datetime import timedelta
from typing import Any

from pinterest_pipeline.dag.alerts import log_late_run


def ends_within(limit: timedelta) -> dict[str, Any]:
    """Return the arguments of ``DAG`` for runs that may take so long, and be queued and take so long together.

    Airflow before 3.1 has no deadline: it ends the run at its limit, without an alarm.
    """
    arguments: dict[str, Any] = {"dagrun_timeout": limit}
    try:
        from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference  # noqa: PLC0415 - not in 3.0

        try:
            from airflow.sdk.definitions.callback import AsyncCallback  # noqa: PLC0415
        except ImportError:  # Airflow 3.1
            from airflow.sdk.definitions.deadline import AsyncCallback  # type: ignore[attr-defined]  # noqa: PLC0415
    except ImportError:
        return arguments
    callback = AsyncCallback(log_late_run, kwargs={"limit_seconds": limit.total_seconds()})
    return {**arguments, "deadline": DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, limit, callback)}
