"""What Airflow's own clear does to the count of tries, and what is told from it."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from airflow.models import taskinstance
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.utils.state import TaskInstanceState

from pinterest_pipeline.common.tries import is_first_since_clear, was_cleared
from tests.support.dag_run import DagRun


class AirflowTries:
    """The counts of one task instance, moved by Airflow's functions as its scheduler calls them."""

    def __init__(self, monkeypatch, retries):
        self.task = SimpleNamespace(task_id="t", retries=retries)
        dag = SimpleNamespace(has_task=lambda _: True, get_task=lambda _: self.task)
        bag = SimpleNamespace(get_dag_for_run=lambda **_: dag)
        monkeypatch.setattr("airflow.models.dagbag.DBDagBag", lambda **_: bag)
        monkeypatch.setattr(TaskInstance, "prepare_db_for_next_try", lambda *_: None)
        monkeypatch.setattr(TaskInstance, "refresh_from_task", lambda *_, **__: None)
        self.ti = MagicMock(spec=TaskInstance, task_id="t", dag_id="d", run_id="r", try_number=1, max_tries=retries)
        self.ti.dag_run = SimpleNamespace(context_carrier={})

    def retry(self):
        self.ti.try_number += 1

    def clear(self, state=TaskInstanceState.SUCCESS):
        self.ti.state = state
        clear_task_instances([self.ti], session=MagicMock(), dag_run_state=False)
        self.ti.try_number += 1  # the scheduler, when it queues the task


@pytest.mark.parametrize("retries", [0, 2])
def test_the_counts_of_these_tests_move_as_airflows(monkeypatch, retries):
    real, run = AirflowTries(monkeypatch, retries), DagRun(retries=retries)

    for move in ("retry", "clear", "retry", "retry", "clear", "clear"):
        getattr(real, move)()
        getattr(run, move)("t")
        assert (real.ti.try_number, real.ti.max_tries) == (run.task("t").try_number, run.task("t").max_tries)


@pytest.mark.parametrize("retries", [0, 2])
def test_the_first_try_after_a_clear_is_told_from_the_first_of_all_and_from_retries(monkeypatch, retries):
    airflow = AirflowTries(monkeypatch, retries)

    def told():
        ti = airflow.ti
        counts = {"max_tries": ti.max_tries, "retries": retries}
        return is_first_since_clear(try_number=ti.try_number, **counts), was_cleared(**counts)

    assert told() == (False, False)
    if retries:
        airflow.retry()
        assert told() == (False, False)
    for _ in range(2):
        airflow.clear()
        assert told() == (True, True)
    if retries:
        airflow.retry()
        assert told() == (False, True)


def test_a_task_that_is_cleared_while_it_runs_has_its_count_left_alone(monkeypatch):
    airflow = AirflowTries(monkeypatch, 2)

    airflow.clear(TaskInstanceState.RUNNING)

    assert airflow.ti.state is taskinstance.TaskInstanceState.RESTARTING
    assert airflow.ti.max_tries == 2
