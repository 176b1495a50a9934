"""A DAG run's tries, clears and XComs, counted as Airflow counts them: tests/unit/test_tries.py holds it to them."""

from types import SimpleNamespace
from typing import Any

RETRIES = 2


class TaskInstance:
    """As much of a task instance as operators use; XComs go when a try begins, not when a deferred one goes on."""

    dag_id, map_index = "d", -1

    def __init__(self, task_id: str = "t", run: "DagRun | None" = None, *, retries: int = RETRIES) -> None:
        self.task_id = task_id
        self.run = run or DagRun()
        self.run_id = self.run.run_id
        self.retries = retries
        self.try_number, self.max_tries = 1, retries
        self.xcom: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcom[key] = value

    def xcom_pull(self, task_ids: list[str], key: str) -> list[Any]:
        return [self.run.tasks[one].xcom[key] for one in task_ids if key in self.run.tasks[one].xcom]

    def try_again(self) -> None:
        self.try_number += 1
        self.xcom.clear()


class DagRun:
    """One run, whose tasks come to be as they are asked for."""

    def __init__(self, run_id: str = "manual__1", *, retries: int = RETRIES) -> None:
        self.run_id = run_id
        self.retries = retries
        self.clear_number = 0
        self.tasks: dict[str, TaskInstance] = {}

    def task(self, task_id: str) -> TaskInstance:
        return self.tasks.setdefault(task_id, TaskInstance(task_id, self, retries=self.retries))

    def context(self, task_id: str) -> dict[str, Any]:
        return {"ti": self.task(task_id), "dag_run": SimpleNamespace(clear_number=self.clear_number)}

    def retry(self, task_id: str) -> None:
        """Begin another try of a task whose last one failed, or died."""
        self.task(task_id).try_again()

    def clear(self, *task_ids: str) -> None:
        """Clear tasks that are not running and begin their next try."""
        self.clear_number += 1
        for task_id in task_ids:
            ti = self.task(task_id)
            ti.max_tries = ti.try_number + ti.retries
            ti.try_again()
