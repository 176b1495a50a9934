"""Submitting: one run, whatever happens to the worker and whatever became of earlier runs."""

import time
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.databricks.operators import MAX_SUBMISSIONS, DatabricksBatchRunOperator
from tests.support.dag_run import DagRun, TaskInstance

NAME = "batch (manual__1)"


def operator(**arguments):
    tasks = [{"task_key": "bronze", "notebook_task": {"notebook_path": "/n"}}]
    defaults = {
        "task_id": "t",
        "run_name": "batch",
        "tasks": tasks,
        "deferrable": False,
        "poll_seconds": 0.01,
        "wait_for_others": timedelta(seconds=5),
    }
    return DatabricksBatchRunOperator(**{**defaults, **arguments})


def submit(ti=None, **arguments):
    """Execute as a fresh process of the same task instance would."""
    return operator(**arguments).execute({"ti": ti or TaskInstance()})


def test_it_returns_the_run_and_its_page(databricks):
    ti = TaskInstance()

    assert submit(ti) == 1
    assert databricks.runs[1]["run_name"] == NAME
    assert ti.xcom == {"run_page_url": "http://page/1"}


def test_a_retry_after_a_dead_worker_attaches_to_the_run_that_is_active(databricks):
    submit()

    assert submit() == 1
    assert len(databricks.runs) == 1


def test_a_run_that_succeeded_is_attached_to(databricks):
    submit()
    databricks.end(1, "SUCCESS")

    assert submit() == 1


@pytest.mark.parametrize("result", ["FAILED", "CANCELED", "TIMEDOUT"])
def test_a_retry_after_a_run_without_success_starts_a_new_one_each_time(databricks, result):
    submit()
    databricks.end(1, result)
    assert submit() == 2
    databricks.end(2, result, life="INTERNAL_ERROR")

    assert submit() == 3
    assert submit() == 3


def test_other_inputs_and_other_task_instances_start_runs_of_their_own(databricks):
    submit()
    databricks.end(1, "SUCCESS")

    assert submit(settings={"timeout_seconds": 5}) == 2
    databricks.end(2, "SUCCESS")
    assert submit(DagRun("manual__2").task("t")) == 3


def test_submissions_are_bounded(databricks):
    for run_id in range(1, MAX_SUBMISSIONS + 1):
        assert submit() == run_id
        databricks.end(run_id, "FAILED")

    with pytest.raises(PermanentError, match=r"batch \(manual__1\): 20 submissions ended without success"):
        submit()
    assert len(databricks.runs) == MAX_SUBMISSIONS


def test_it_waits_while_another_run_of_the_name_is_active_on_any_page(databricks):
    databricks.page_size = 1
    other = databricks.add_run("batch (manual__0)")
    databricks.add_run("something else")

    with pytest.raises(TransientError, match=r"run 1 \(batch \(manual__0\)\) is RUNNING still"):
        submit(wait_for_others=timedelta(seconds=-1))
    assert not databricks.calls("jobs/runs/submit")

    databricks.end(other, "SUCCESS")
    assert submit() == 3


def test_its_own_active_run_is_not_waited_for(databricks):
    databricks.add_run("batch_hourly")
    submit()

    assert submit(wait_for_others=timedelta(seconds=-1)) == 2


def test_deferred_it_waits_for_the_other_run_without_owning_it(databricks):
    databricks.add_run("batch (manual__0)")
    waiting = operator(deferrable=True)

    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute({"ti": TaskInstance()})
    arguments = deferred.value.trigger.serialize()[1]
    databricks.end(1, "FAILED")

    assert (arguments["run_id"], arguments["task_key"], arguments["cancel_on_kill"]) == (1, None, False)
    assert arguments["deadline"] > time.time()
    resume = getattr(waiting, deferred.value.method_name)
    assert resume({"ti": TaskInstance()}, event={"status": "ready", "result": {}}, **deferred.value.kwargs) == 2


def test_its_own_run_that_is_being_cancelled_is_waited_out(databricks):
    submit()
    databricks.runs[1]["state"] = {"life_cycle_state": "TERMINATING"}
    deferring = operator(deferrable=True)

    with pytest.raises(TaskDeferred):
        deferring.execute({"ti": TaskInstance()})
    databricks.end(1, "CANCELED")

    assert submit() == 2


def test_a_notebook_that_does_not_exist_fails_before_anything_is_submitted(databricks):
    with pytest.raises(PermanentError, match=r"Notebook /nowhere does not exist .* notebook_root"):
        submit(tasks=[{"task_key": "a", "notebook_task": {"notebook_path": "/nowhere"}}])

    assert not databricks.runs


def test_a_folder_is_no_notebook(databricks):
    databricks.notebooks["/n"] = {"object_type": "DIRECTORY"}

    with pytest.raises(PermanentError, match="/n in the Databricks workspace is a DIRECTORY, not a NOTEBOOK"):
        submit()


def test_a_token_that_may_not_read_the_workspace_skips_the_check(databricks):
    databricks.notebooks["/n"] = 403

    assert submit() == 1


def test_killing_it_cancels_what_it_submitted_and_nothing_else(databricks):
    idle, busy = operator(), operator()
    idle.on_kill()
    busy.execute({"ti": TaskInstance()})
    busy.on_kill()

    assert databricks.calls("jobs/runs/cancel") == [{"run_id": 1}]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ('{"conn_type": "databricks", "password": "t"}', "Connection pinterest_databricks lacks host"),
        ('{"conn_type": "databricks", "host": "h"}', "Connection pinterest_databricks lacks password"),
        ('{"conn_type": "databricks", "host": "http://localhost:1", "password": "t"}', "write the host name alone"),
    ],
)
def test_a_connection_that_cannot_work_is_named(databricks, monkeypatch, fields, said):
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DATABRICKS", fields)

    with pytest.raises(PermanentError, match=said):
        submit()


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_is_not_tried_again(databricks, status):
    databricks.failures = [status]

    with pytest.raises(PermanentError, match=f"submitting run r: {status}"):
        operator().hook.submit({"run_name": "r"}, "token")
    assert len(databricks.requests) == 1
