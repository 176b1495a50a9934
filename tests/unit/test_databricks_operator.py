"""Starting a run of a job: one run, whatever happens to the worker and whatever became of earlier runs."""

import json
import time
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.databricks.operators import MAX_STARTS, DatabricksRunJobOperator
from tests.support.dag_run import RETRIES, DagRun

OWNER = "d.t (manual__1)"
JOB = 500


@pytest.fixture
def file(tmp_path):
    """A job file of one stage with parameters ``x`` and ``requested_by``."""
    path = tmp_path / "job.json"
    tasks = [{"task_key": "bronze", "notebook_task": {"notebook_path": "${notebook}"}}]
    parameters = [{"name": "x", "default": "0"}, {"name": "requested_by", "default": ""}]
    path.write_text(json.dumps({"name": "batch", "max_concurrent_runs": 1, "parameters": parameters, "tasks": tasks}))
    return path


@pytest.fixture
def operator(file):
    def build(x="1", notebook="/n", **arguments):
        defaults = {"deferrable": False, "poll_seconds": 0.01, "wait_for_others": timedelta(seconds=5)}
        return DatabricksRunJobOperator(
            task_id="t", job_file=file, job_values={"notebook": notebook}, job_parameters={"x": x}, retries=RETRIES,
            **{**defaults, **arguments},
        )  # fmt: skip

    return build


@pytest.fixture
def start(operator):
    """Return a function that executes as a fresh process of one DAG run's task does."""
    run = DagRun()

    def execute(dag_run=run, **arguments):
        return operator(**arguments).execute(dag_run.context("t"))

    execute.run = run
    return execute


def active(databricks, life, **parameters):
    """Add an active run of the job that this task did not start."""
    run_id = databricks.add_job_run(JOB, life)
    values = {"x": "1", "requested_by": "other.t (manual__0)", **parameters}
    databricks.runs[run_id]["job_parameters"] = [{"name": name, "value": value} for name, value in values.items()]
    return run_id


def parameters(databricks):
    return [call["job_parameters"] for call in databricks.calls("jobs/run-now")]


def test_it_makes_the_job_starts_a_run_and_tells_its_page(databricks, start):
    assert start() == 1
    assert databricks.jobs[JOB]["settings"]["max_concurrent_runs"] == 1
    assert parameters(databricks) == [{"x": "1", "requested_by": OWNER}]
    assert start.run.task("t").xcom == {"run_page_url": "http://page/1"}


def test_a_job_that_differs_from_its_file_is_reset_before_the_start(databricks, start):
    databricks.add_job("batch", max_concurrent_runs=5)

    start()

    assert databricks.jobs[JOB]["settings"]["max_concurrent_runs"] == 1
    names = [name for name, _ in databricks.requests]
    assert names.index("jobs/reset") < names.index("jobs/run-now")


def test_a_retry_after_a_dead_worker_attaches_to_the_run_that_is_active(databricks, start):
    start()
    start.run.retry("t")

    assert start() == 1
    assert len(databricks.runs) == 1


def test_a_retry_attaches_to_a_run_that_succeeded(databricks, start):
    start()
    databricks.end(1, "SUCCESS")
    start.run.retry("t")

    assert start() == 1


@pytest.mark.parametrize("result", ["FAILED", "CANCELED", "TIMEDOUT"])
def test_a_retry_after_a_run_without_success_starts_a_new_one_each_time(databricks, start, result):
    start()
    databricks.end(1, result)
    assert start() == 2
    databricks.end(2, result, life="INTERNAL_ERROR")

    assert start() == 3
    assert start() == 3


def test_a_clear_starts_a_new_run_though_the_last_succeeded_and_its_retry_attaches_to_that(databricks, start):
    start()
    databricks.end(1, "SUCCESS")

    start.run.clear("t")
    assert start() == 2
    databricks.end(2, "SUCCESS")
    start.run.retry("t")
    assert start() == 2
    start.run.clear("t")

    assert start() == 3


def test_a_clear_attaches_to_the_run_that_is_active(databricks, start):
    start()

    start.run.clear("t")

    assert start(wait_for_others=timedelta(seconds=-1)) == 1
    assert len(databricks.runs) == 1


def test_other_inputs_and_other_dag_runs_start_runs_of_their_own(databricks, start):
    start()
    databricks.end(1, "SUCCESS")

    assert start(x="2") == 2
    databricks.end(2, "SUCCESS")
    assert start(DagRun("manual__2")) == 3


def test_a_run_that_was_deleted_is_followed_by_another(databricks, start):
    start()
    databricks.end(1, "SUCCESS")
    databricks.delete(1)
    start.run.retry("t")

    assert start() == 2


def test_starts_are_bounded(databricks, start):
    for run_id in range(1, MAX_STARTS + 1):
        assert start() == run_id
        databricks.end(run_id, "FAILED")

    with pytest.raises(PermanentError, match=r"batch: 20 runs of d\.t \(manual__1\) ended without success"):
        start()
    assert len(databricks.runs) == MAX_STARTS


@pytest.mark.parametrize("life", ["PENDING", "QUEUED", "RUNNING", "BLOCKED", "WAITING_FOR_RETRY", "TERMINATING"])
def test_it_waits_while_another_run_of_the_job_is_not_over(databricks, start, life):
    databricks.add_job("batch")
    other = active(databricks, life)

    with pytest.raises(TransientError, match=rf"run {other} \(other\.t \(manual__0\)\) is {life} still"):
        start(wait_for_others=timedelta(seconds=-1))
    assert not databricks.calls("jobs/run-now")

    databricks.end(other, "SUCCESS")
    assert start() == other + 1


def test_it_waits_for_an_old_run_that_is_under_repair_behind_pages_of_others(databricks, start):
    databricks.add_job("batch")
    old = active(databricks, "RUNNING")
    for _ in range(60):
        databricks.end(active(databricks, "RUNNING"), "SUCCESS")

    with pytest.raises(TransientError, match=f"run {old} "):
        start(wait_for_others=timedelta(seconds=-1))


def test_its_own_earlier_run_with_other_parameters_is_waited_for(databricks, start):
    start(x="1")

    with pytest.raises(TransientError, match=r"run 1 \(d\.t \(manual__1\)\) is PENDING still"):
        start(x="2", wait_for_others=timedelta(seconds=-1))
    databricks.end(1, "SUCCESS")

    assert start(x="2") == 2


def test_a_run_of_another_job_is_not_waited_for(databricks, start):
    databricks.add_job("another")
    databricks.add_job_run(JOB, "RUNNING")

    assert start(wait_for_others=timedelta(seconds=-1)) == 2


def test_a_start_that_the_service_skipped_for_another_waits_for_that_and_starts_again(databricks, start):
    databricks.add_job("batch")
    started = databricks.run_now

    def another_is_faster(given):
        databricks.run_now = started
        active(databricks, "RUNNING")
        return started(given)

    databricks.run_now = another_is_faster

    with pytest.raises(TransientError, match=r"run 1 \(other\.t"):
        start(wait_for_others=timedelta(seconds=-1))
    databricks.end(1, "SUCCESS")

    assert databricks.runs[2]["state"]["life_cycle_state"] == "SKIPPED"
    assert start() == 3


def test_deferred_it_waits_for_the_other_run_without_owning_it(databricks, operator):
    databricks.add_job("batch")
    active(databricks, "RUNNING")
    waiting, run = operator(deferrable=True), DagRun()

    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute(run.context("t"))
    arguments = deferred.value.trigger.serialize()[1]
    databricks.end(1, "FAILED")

    assert (arguments["run_id"], arguments["task_key"], arguments["cancel_on_kill"]) == (1, None, False)
    assert arguments["deadline"] > time.time()
    resume = getattr(waiting, deferred.value.method_name)
    assert resume(run.context("t"), event={"status": "ready", "result": {}}, **deferred.value.kwargs) == 2


def test_its_own_run_that_is_being_cancelled_is_waited_out(databricks, start):
    start()
    databricks.runs[1]["state"] = {"life_cycle_state": "TERMINATING"}

    with pytest.raises(TaskDeferred):
        start(deferrable=True)
    databricks.end(1, "CANCELED")

    assert start() == 2


def test_a_notebook_that_does_not_exist_fails_before_anything_is_made(databricks, start):
    with pytest.raises(PermanentError, match=r"Notebook /nowhere does not exist .* notebook_root"):
        start(notebook="/nowhere")

    assert not databricks.jobs


def test_a_folder_is_no_notebook(databricks, start):
    databricks.notebooks["/n"] = {"object_type": "DIRECTORY"}

    with pytest.raises(PermanentError, match="/n in the Databricks workspace is a DIRECTORY, not a NOTEBOOK"):
        start()


def test_a_token_that_may_not_read_the_workspace_skips_the_check(databricks, start):
    databricks.notebooks["/n"] = 403

    assert start() == 1


def test_killing_it_cancels_what_it_started_and_nothing_else(databricks, operator):
    idle, busy = operator(), operator()
    idle.on_kill()
    busy.execute(DagRun().context("t"))
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
def test_a_connection_that_cannot_work_is_named(databricks, monkeypatch, start, fields, said):
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DATABRICKS", fields)

    with pytest.raises(PermanentError, match=said):
        start()


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_is_not_tried_again(databricks, operator, status):
    databricks.failures = [status]

    with pytest.raises(PermanentError, match=f"starting job {JOB}: {status}"):
        operator().hook.start_run(JOB, "token")
    assert len(databricks.requests) == 1
