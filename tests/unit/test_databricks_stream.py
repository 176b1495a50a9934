"""Launching, attaching and stopping against a scripted Databricks: whatever is there already, one run comes of it."""

import json
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common.compat import AirflowSkipException
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.stream.operators import DatabricksLaunchStreamOperator, DatabricksStopStreamOperator
from pinterest_pipeline.stream.policy import StreamEndedError
from tests.unit.scripted_databricks import task

TASKS = [{"task_key": "a", "notebook_task": {"notebook_path": "/n", "base_parameters": {"x": "1"}}}]


@pytest.fixture
def launch(databricks, tmp_path):
    def run(continuous=None, **arguments):
        settings = {"name": "stream", "max_concurrent_runs": 1, "tasks": TASKS}
        file = tmp_path / "job.json"
        file.write_text(json.dumps(settings | ({"continuous": continuous} if continuous is not None else {})))
        defaults = {
            "task_id": "t", "job_file": file, "job_values": {}, "deferrable": False, "poll_seconds": 0.01,
            "launch_within": timedelta(seconds=2), "platform_grace": timedelta(seconds=0.05),
        }  # fmt: skip
        return DatabricksLaunchStreamOperator(**{**defaults, **arguments}).execute({"ti": TaskInstance()})

    return run


def test_a_launch_that_waits_hands_over_to_a_run_with_a_request(databricks, launch, monkeypatch):
    databricks.add_job("stream", max_concurrent_runs=1, tasks=TASKS)
    now = time.time()
    for n in range(2):
        databricks.add_job_run(500, "TERMINATED", "FAILED", start=now - 20 + n, end=now + 300)
    monkeypatch.setattr("pinterest_pipeline.stream.triggers.count_dag_runs", lambda dag_id, state: 1)

    with pytest.raises(AirflowSkipException, match="hand over to the run of this DAG that waits with a request"):
        launch(launch_within=timedelta(minutes=10))

    assert not databricks.calls("jobs/run-now")


@pytest.mark.parametrize(("count", "is_loop"), [(2, False), (3, True), (11, True)])
def test_runs_that_die_before_they_are_watched_are_a_crash_loop(databricks, launch, count, is_loop):
    databricks.add_job("stream", max_concurrent_runs=1, tasks=TASKS)
    ended = time.time() + (60 if is_loop else 0)  # after the launch has begun, however slow the machine
    for n in range(count):
        run_id = databricks.add_job_run(500, "TERMINATED", "FAILED", start=ended - 20 + n, end=ended + n / 100)
        databricks.runs[run_id]["tasks"] = [task("stream_posts", "TERMINATED", "FAILED", run_id=1000 + run_id)]
    databricks.outputs[1000 + count] = {"error": "StageError: the warehouse lacks stream.lag"}

    if not is_loop:
        assert launch(launch_within=timedelta(seconds=10))["run_id"] == count + 1
        return
    with pytest.raises(StreamEndedError, match=f"crash loop: run {count} ended: .*StageError: the warehouse") as caught:
        launch()
    alarm = caught.value.alarm
    assert (alarm["stream"], alarm["state"], alarm["failed_runs"]) == ("stream", "crash loop", count)
    assert (alarm["error"], alarm["databricks_run_id"]) == ("StageError: the warehouse lacks stream.lag", count)
    assert not databricks.calls("jobs/run-now")


def stop(request, **arguments):
    defaults = {"task_id": "t", "job_name": "stream", "deferrable": False, "poll_seconds": 0.01}
    return DatabricksStopStreamOperator(request=request, **{**defaults, **arguments}).execute({"ti": TaskInstance()})


class TaskInstance(SimpleNamespace):
    def __init__(self):
        super().__init__(dag_id="d", run_id="r", task_id="t", map_index=-1)

    def xcom_push(self, key, value):
        assert (key, value[:12]) == ("run_page_url", "http://page/")


def status_of(databricks):
    return databricks.jobs[500]["settings"]["continuous"]["pause_status"]


def test_a_missing_job_is_created_paused_let_go_and_started_where_the_platform_does_not(databricks, launch):
    launched = launch(continuous={"task_retry_mode": "NEVER"})

    assert launched == {"run_id": 1, "job_id": 500, "run_page_url": "http://page/1", "attached": False}
    assert databricks.calls("jobs/create")[0]["continuous"]["pause_status"] == "PAUSED"
    assert status_of(databricks) == "UNPAUSED"


def test_a_second_launch_attaches_and_changes_nothing(databricks, launch):
    launch(continuous={})
    requests = len(databricks.calls("jobs/run-now"))

    assert launch(continuous={})["attached"] is True
    assert len(databricks.calls("jobs/run-now")) == requests
    assert not databricks.calls("jobs/reset")
    assert len(databricks.runs) == 1


def test_a_job_that_differs_is_reset_and_stays_unpaused(databricks, launch):
    continuous = {"pause_status": "UNPAUSED"}
    databricks.add_job("stream", tasks=TASKS, max_concurrent_runs=3, continuous=continuous)
    databricks.add_job_run(500, "RUNNING")

    launch(continuous={"task_retry_mode": "NEVER"})

    settings = databricks.jobs[500]["settings"]
    assert settings["max_concurrent_runs"] == 1
    assert settings["continuous"] == {"task_retry_mode": "NEVER", "pause_status": "UNPAUSED"}
    assert len(databricks.runs) == 1


def test_two_jobs_of_the_name_are_refused_also_when_they_are_on_two_pages(databricks, launch):
    databricks.add_job("stream", tasks=TASKS)
    databricks.add_job("stream", tasks=TASKS)

    with pytest.raises(PermanentError, match="2 jobs named stream"):
        launch()

    assert not databricks.runs


def test_a_job_that_another_created_meanwhile_wins_if_it_is_older(databricks, launch):
    create = databricks.add_job

    def create_after_another(name, **settings):
        databricks.add_job = create
        create(name, **settings)
        return create(name, **settings)

    databricks.add_job = create_after_another

    assert launch()["job_id"] == 500
    assert list(databricks.jobs) == [500]


@pytest.mark.parametrize("life", ["PENDING", "QUEUED", "BLOCKED", "WAITING_FOR_RETRY", "RUNNING"])
def test_an_active_run_is_attached_to_whatever_its_state_and_behind_a_page_of_ended_ones(databricks, launch, life):
    databricks.add_job("stream", tasks=TASKS, max_concurrent_runs=1)
    active = databricks.add_job_run(500, life)
    for _ in range(30):
        databricks.add_job_run(500, "TERMINATED", "FAILED", start=time.time() - 5, end=time.time())

    assert launch()["run_id"] == active


def test_another_jobs_run_is_none_of_ours(databricks, launch):
    databricks.add_job_run(999, "RUNNING")

    assert launch()["run_id"] == 2


def test_two_launchers_that_saw_no_active_run_start_the_same_one(databricks, launch, monkeypatch):
    monkeypatch.setattr(databricks, "list_runs", lambda given: {"runs": []})

    first, second = launch(), launch()

    assert first["run_id"] == second["run_id"]
    assert len(databricks.calls("jobs/run-now")) == 2
    assert len(databricks.runs) == 1


def test_after_an_end_the_next_launch_starts_a_new_run(databricks, launch):
    first = launch()["run_id"]
    databricks.end(first, "FAILED")

    assert launch()["run_id"] != first


def test_failures_in_a_row_delay_the_next_start(databricks, launch):
    databricks.add_job("stream", tasks=TASKS, max_concurrent_runs=1)
    for _ in range(2):
        databricks.add_job_run(500, "TERMINATED", "FAILED", start=time.time() - 1, end=time.time())
    began = time.monotonic()

    launch(launch_within=timedelta(seconds=10))

    assert 1.5 < time.monotonic() - began < 8


def test_a_run_that_is_being_cancelled_is_waited_for_in_the_triggerer(databricks, launch):
    databricks.add_job("stream", tasks=TASKS, max_concurrent_runs=1)
    databricks.add_job_run(500, "TERMINATING")

    with pytest.raises(TaskDeferred) as deferred:
        launch(deferrable=True)

    assert deferred.value.method_name == "resume"
    json.dumps(deferred.value.kwargs)
    assert not databricks.calls("jobs/run-now")


def test_no_run_within_the_limit_is_an_error_that_says_where_to_look(databricks, launch):
    databricks.add_job("stream", tasks=TASKS, max_concurrent_runs=1)
    databricks.add_job_run(500, "TERMINATING")

    with pytest.raises(TransientError, match="Job stream \\(500\\) has no active run after"):
        launch(launch_within=timedelta(seconds=0.05))


def test_a_paused_stream_is_not_even_looked_at(databricks, launch):
    with pytest.raises(AirflowSkipException, match="not launched: paused by me"):
        launch(unwanted="paused by me")

    assert not databricks.requests


def test_a_missing_notebook_is_named_before_a_job_is_made(databricks, launch):
    del databricks.notebooks["/n"]

    with pytest.raises(PermanentError, match="Notebook /n does not exist"):
        launch()

    assert not databricks.jobs


@pytest.fixture
def running(databricks):
    databricks.add_job("stream", tasks=TASKS, continuous={"pause_status": "UNPAUSED", "task_retry_mode": "NEVER"})
    return databricks.add_job_run(500, "RUNNING")


def test_a_pause_lets_the_run_go_on_but_no_other_begin(databricks, running):
    assert stop("pause") == {"job_id": 500, "cancelled": []}

    assert databricks.jobs[500]["settings"]["continuous"] == {"pause_status": "PAUSED", "task_retry_mode": "NEVER"}
    assert not databricks.calls("jobs/runs/cancel")


@pytest.mark.parametrize("request_", ["stop", "restart"])
def test_a_stop_waits_for_the_clean_end(databricks, running, request_):
    with pytest.raises(TaskDeferred) as deferred:
        stop(request_, deferrable=True)
    assert deferred.value.trigger.until_idle

    databricks.end(running, "SUCCESS")

    assert stop(request_) == {"job_id": 500, "cancelled": []}
    assert not databricks.calls("jobs/runs/cancel")


def test_a_run_that_does_not_stop_is_cancelled(databricks, running):
    assert stop("stop", patience=timedelta(seconds=0.05)) == {"job_id": 500, "cancelled": [running]}

    assert status_of(databricks) == "PAUSED"


@pytest.mark.parametrize("request_", ["nothing", "resume"])
def test_without_such_a_request_it_is_skipped(databricks, running, request_):
    with pytest.raises(AirflowSkipException):
        stop(request_)

    assert not databricks.requests


def test_a_job_that_does_not_exist_is_nothing_to_stop(databricks):
    with pytest.raises(AirflowSkipException, match="nothing to stop"):
        stop("stop")
