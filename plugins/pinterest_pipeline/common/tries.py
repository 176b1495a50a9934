"""What Airflow's count of tries tells: a clear looks like a retry, and means something else."""


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
