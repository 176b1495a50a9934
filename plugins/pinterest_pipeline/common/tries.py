"""What Airflow's count of tries tells: a clear looks like a retry, and means something else."""

from collections.abc import Collection
from typing import Any

RAN_AGAIN_KEY = "ran_again_for_clear"  # XCom: the number of the DAG run's clear for which what follows ran again


def was_cleared(*, max_tries: int, retries: int) -> bool:
    """Tell whether a task was ever cleared in its DAG run.

    :param max_tries: Of the task instance: the task's retries, which each clear raises by the tries so far.
    :param retries: Of the task.
    """
    return max_tries > retries


def is_first_since_clear(*, try_number: int, max_tries: int, retries: int) -> bool:
    """Tell whether a try is the first after a clear; false for retries, and for the first of all.

    Not for a task that was cleared while it ran: Airflow kills that try, and counts the next as a retry.
    """
    return try_number > 1 and try_number == max_tries - retries + 1


def note_ran_again(context: Any, *, retries: int) -> None:
    """Let the tasks after a task that was cleared know that it has set their work going again for this clear."""
    if was_cleared(max_tries=context["ti"].max_tries, retries=retries):
        context["ti"].xcom_push(key=RAN_AGAIN_KEY, value=context["dag_run"].clear_number)


def ran_again_upstream(context: Any, task_ids: Collection[str]) -> bool:
    """Tell whether one of these tasks was cleared by the same clear, and has set this one's work going again."""
    found = context["ti"].xcom_pull(task_ids=sorted(task_ids), key=RAN_AGAIN_KEY)
    return context["dag_run"].clear_number in found
