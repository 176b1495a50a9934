"""A service that loses answers, repeats itself, changes its form or is replaced by a proxy: each with its outcome."""

import asyncio
import json
import time
from itertools import islice

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common import polling
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.databricks import answers
from pinterest_pipeline.databricks.hook import DatabricksRunHook
from pinterest_pipeline.databricks.jobs_hook import DatabricksJobHook
from pinterest_pipeline.databricks.runs import run_from
from pinterest_pipeline.databricks.sensors import DatabricksTaskRunSensor
from pinterest_pipeline.databricks.triggers import DatabricksRunTrigger
from tests.support.dag_run import RETRIES, DagRun
from tests.unit.scripted_databricks import Fault, task

GET, LIST, REPAIR = "jobs/runs/get", "jobs/runs/list", "jobs/runs/repair"
LOGIN_PAGE = "<!doctype html>\n<html><title>Sign in</title></html>"
SENTENCE = "Token is disabled by the workspace's admin."


@pytest.fixture
def databricks(databricks, monkeypatch):
    """A run of which stage silver has failed; nothing waits long."""
    monkeypatch.setattr(polling, "FIRST_POLL_SECONDS", 0)
    monkeypatch.setattr(answers, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr("pinterest_pipeline.databricks.hook.EXPIRED_PAUSE_SECONDS", 0.01)
    bronze = task("bronze", "TERMINATED", "SUCCESS", run_id=200)
    failed = task("silver", "TERMINATED", "FAILED", run_id=300, depends_on=[{"task_key": "bronze"}])
    databricks.add_run("batch", bronze, failed, life="TERMINATED", result="FAILED")
    return databricks


@pytest.fixture
def retry():
    """Begin a retry of the sensor of silver, which waits; return the sensor and what it left for its next poll."""

    def execute():
        run = DagRun()
        run.task("silver")
        run.retry("silver")
        sensor = DatabricksTaskRunSensor(
            task_id="silver", run_id=1, task_key="silver", deferrable=True, retries=RETRIES
        )
        with pytest.raises(TaskDeferred) as deferred:
            sensor.execute(run.context("silver"))

        def resume():
            event = {"status": "ready", "result": {}}
            return sensor.resume(run.context("silver"), event=event, **deferred.value.kwargs)

        return resume

    return execute


def succeed(databricks, key, run_id):
    databricks.outputs[run_id] = {"notebook_output": {"result": json.dumps({"stage": key})}}
    databricks.runs[1]["tasks"][-1]["state"] = {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
    databricks.end(1, "SUCCESS")


def test_a_repair_whose_answer_was_lost_is_followed_and_not_asked_for_again(databricks, retry):
    databricks.faults = [Fault(REPAIR, status=503, takes_effect=True)]

    resume = retry()
    succeed(databricks, "silver", 301)

    assert resume() == {"stage": "silver"}
    assert len(databricks.runs[1]["repair_history"]) == 1


def test_a_person_who_repaired_the_stage_meanwhile_is_followed(databricks, retry):
    def repaired_by_a_person(given):
        del databricks.repair
        databricks.repair({"run_id": 1, "rerun_tasks": ["silver"]})
        return databricks.repair(given)

    databricks.repair = repaired_by_a_person

    resume = retry()
    succeed(databricks, "silver", 301)

    assert resume() == {"stage": "silver"}
    assert len(databricks.calls(REPAIR)) == 1


def test_a_person_who_repaired_another_stage_meanwhile_is_waited_for_and_then_ours_is_repaired(databricks, retry):
    def repaired_by_a_person(given):
        del databricks.repair
        databricks.repair({"run_id": 1, "rerun_tasks": ["bronze"]})
        return databricks.repair(given)

    databricks.repair = repaired_by_a_person

    resume = retry()
    databricks.end(1, "FAILED")
    with pytest.raises(TaskDeferred):
        resume()

    assert [call["rerun_tasks"] for call in databricks.calls(REPAIR)] == [["silver"], ["silver"]]
    assert databricks.calls(REPAIR)[-1]["latest_repair_id"] == 77
    assert databricks.runs[1]["tasks"][-1]["task_key"] == "silver"


def test_a_repair_that_is_refused_while_nothing_happens_fails_with_the_services_words(databricks):
    databricks.faults = [Fault(REPAIR, status=400, body='{"error_code": "INVALID_STATE", "message": "Not now."}')]
    run = DagRun()
    run.task("silver")
    run.retry("silver")

    with pytest.raises(PermanentError, match="repairing run 1 from silver: 400 INVALID_STATE Not now"):
        DatabricksTaskRunSensor(task_id="silver", run_id=1, task_key="silver").execute(run.context("silver"))


def test_a_run_that_was_deleted_says_what_to_clear(databricks):
    databricks.delete(1)

    with pytest.raises(PermanentError, match=r"Run 1 does not exist.*clear the task that started it"):
        DatabricksTaskRunSensor(task_id="silver", run_id=1, task_key="silver").execute(DagRun().context("silver"))


def poll_once():
    trigger = DatabricksRunTrigger(
        databricks_conn_id="pinterest_databricks", run_id=1, task_key="silver", replaced=0,
        deadline=time.time() + 5, poll_seconds=0.01, cancel_on_kill=True,
    )  # fmt: skip

    async def events():
        return [event.payload async for event in trigger.run()]

    [event] = asyncio.run(events())
    return event


def test_one_401_while_polling_is_passed_over(databricks):
    databricks.faults = [Fault(GET, status=401)]

    assert poll_once()["status"] == "ready"
    assert len(databricks.calls(GET)) == 2


def test_a_token_that_stays_refused_ends_the_wait_with_the_services_sentence(databricks):
    body = json.dumps({"error_code": "UNAUTHENTICATED", "message": SENTENCE})
    databricks.faults = [Fault(GET, status=401, body=body)] * 2

    event = poll_once()

    assert event["status"] == "failed"
    assert SENTENCE in event["message"]
    assert "check the token of connection pinterest_databricks" in event["message"]


@pytest.mark.parametrize("body", [LOGIN_PAGE, "[]", "{}", ""], ids=["html", "list", "no run", "nothing"])
def test_a_200_that_is_no_answer_is_waited_out(databricks, body):
    databricks.faults = [Fault(GET, body=body, headers={"Content-Type": "text/html"})]

    assert poll_once()["status"] == "ready"


def test_a_login_page_says_where_to_look(databricks):
    databricks.faults = [Fault(GET, body=LOGIN_PAGE, headers={"Content-Type": "text/html"})]

    with pytest.raises(TransientError, match=r"reading run 1: 200, but no JSON object.*Sign in.*proxy or login page"):
        DatabricksRunHook().run(1)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_services_sentence_is_kept_when_its_answer_stays_the_same(databricks, status):
    body = json.dumps({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "Runs of this minute are used up."})
    databricks.faults = [Fault(GET, status=status, body=body)] * 3

    with pytest.raises(TransientError, match=f"{status} REQUEST_LIMIT_EXCEEDED Runs of this minute are used up"):
        DatabricksRunHook().run(1)
    assert len(databricks.calls(GET)) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for(databricks, status):
    databricks.faults = [Fault(GET, status=status, headers={"Retry-After": "1"})]
    began = time.monotonic()

    assert DatabricksRunHook().run(1).run_id == 1

    assert time.monotonic() - began >= 1


def test_a_retry_after_of_a_day_is_not_waited_for_whole():
    class State:
        attempt_number = 1

        class outcome:  # noqa: N801 - tenacity's name
            @staticmethod
            def exception():
                error = OSError()
                error.response = type("Answer", (), {"headers": {"Retry-After": "86400"}})
                return error

    assert answers.attempts()["wait"](State) == 60


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda: DatabricksRunHook().run(1), id="run"),
        pytest.param(lambda: list(islice(DatabricksRunHook().list_runs(), 9)), id="runs"),
        pytest.param(lambda: DatabricksJobHook().jobs_named("j"), id="jobs"),
    ],
)
def test_pages_that_lead_back_are_refused(databricks, read):
    page = Fault("", body='{"run_id": 1, "next_page_token": "same"}')
    databricks.faults = [Fault(on, body=page.body) for on in (GET, LIST, "jobs/list") for _ in range(5)]

    with pytest.raises(TransientError, match="after page 'same' comes the same page again"):
        read()


def test_databricks_own_retry_that_is_not_listed_yet_is_waited_for(databricks):
    databricks.runs[1]["state"] = {"life_cycle_state": "RUNNING"}
    run = DagRun()
    sensor = DatabricksTaskRunSensor(task_id="silver", run_id=1, task_key="silver", deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(run.context("silver"))

    databricks.add_attempt(1, "silver")
    succeed(databricks, "silver", 301)

    event = {"status": "ready", "result": {}}
    assert sensor.resume(run.context("silver"), event=event, **deferred.value.kwargs) == {"stage": "silver"}


@pytest.mark.parametrize(
    ("status", "life", "result"),
    [
        ({"state": "RUNNING"}, "RUNNING", ""),
        ({"state": "BLOCKED"}, "BLOCKED", ""),
        ({"state": "WAITING"}, "WAITING_FOR_RETRY", ""),
        ({"state": "TERMINATED", "termination_details": {"code": "SUCCESS"}}, "TERMINATED", "SUCCESS"),
        ({"state": "TERMINATED", "termination_details": {"code": "USER_CANCELED"}}, "TERMINATED", "CANCELED"),
        ({"state": "TERMINATED", "termination_details": {"code": "DRIVER_ERROR"}}, "TERMINATED", "FAILED"),
        ({"state": "TERMINATED", "termination_details": {"code": "SKIPPED"}}, "SKIPPED", "UPSTREAM_FAILED"),
        ({"state": "TERMINATED", "termination_details": {"code": "of next year"}}, "TERMINATED", "FAILED"),
        ({}, "PENDING", ""),
    ],
)
def test_an_answer_with_status_alone_is_read(status, life, result):
    answer = {"run_id": 1, "status": status, "tasks": [{"task_key": "a", "run_id": 2, "status": status}]}

    run = run_from([answer])

    for state in (run.state, run.task("a").state):
        assert (state.life_cycle, state.result) == (life, result)


def test_the_message_of_a_status_is_kept():
    details = {"code": "CLUSTER_ERROR", "type": "CLOUD_FAILURE", "message": "No instances left. "}

    run = run_from([{"run_id": 1, "status": {"state": "TERMINATED", "termination_details": details}}])

    assert str(run.state) == "TERMINATED FAILED (No instances left.)"
