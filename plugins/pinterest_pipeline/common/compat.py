"""The few Airflow names that moved between 3.0.6 and 3.3.1, MWAA's oldest and newest Airflow 3."""

from typing import TYPE_CHECKING

from airflow.configuration import conf

if TYPE_CHECKING:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )
else:
    try:
        from airflow.sdk import BaseHook
        from airflow.sdk.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSensorTimeout,
            AirflowSkipException,
        )
    except ImportError:  # Airflow 3.0
        from airflow.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSensorTimeout,
            AirflowSkipException,
        )
        from airflow.hooks.base import BaseHook

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "BaseHook",
    "conf",
    "count_dag_runs",
    "task_states",
]


def count_dag_runs(dag_id: str, state: str) -> int:
    """Ask Airflow's API server how many runs of a DAG are in a state, from a task or from a trigger."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # noqa: PLC0415 - at run time only

    return int(RuntimeTaskInstance.get_dr_count(dag_id=dag_id, states=[state]))


def task_states(dag_id: str, run_id: str, task_ids: list[str]) -> dict[str, str | None]:
    """Ask Airflow's API server for the states of tasks of one run; a task that has none yet may be missing."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # noqa: PLC0415 - at run time only

    states = RuntimeTaskInstance.get_task_states(dag_id=dag_id, task_ids=task_ids, run_ids=[run_id])
    return dict(states.get(run_id, {}))
