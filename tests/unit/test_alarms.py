"""What an alarm says, who raises it, and when it is silent."""

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag import alarm_memory, alerts, sink_connector
from pinterest_pipeline.dag.deadlines import PARSED_BY_SERVER, ends_within
from pinterest_pipeline.stream.policy import StreamEndedError

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Airflow:
    """Its Variables, and how many runs of the DAG have succeeded."""

    def __init__(self):
        self.variables, self.successes = {}, 0

    def get(self, name, default=None, **_):
        return json.loads(self.variables[name]) if name in self.variables else default

    def set(self, name, value, **_):
        self.variables[name] = json.dumps(value)


@pytest.fixture
def airflow(monkeypatch):
    found = Airflow()
    monkeypatch.setattr("airflow.sdk.Variable", found)
    monkeypatch.setattr(alarm_memory, "count_dag_runs", lambda dag_id, state: found.successes)
    return found


@pytest.fixture
def fail(caplog):
    """Return a function that fails a task, and returns the alarm, None where it was silent."""

    def run(error, *, run_id="r1", task_id="t", map_index=-1, try_number=1, **context):
        ti = SimpleNamespace(dag_id="d", task_id=task_id, run_id=run_id, map_index=map_index, try_number=try_number)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            alerts.log_failure({"ti": ti, "exception": error, **context})
        lines = [line for line in caplog.messages if line.startswith("pipeline_task_failed ")]
        assert len(lines) <= 1
        return json.loads(lines[0].removeprefix("pipeline_task_failed ")) if lines else None

    return run


def test_eleven_failures_in_a_row_are_one_alarm_and_the_log_counts_them(airflow, fail, caplog):
    alarms = [fail(PermanentError(f"run {n} ended: no space"), run_id=f"r{n}") for n in range(11)]

    assert [alarm is not None for alarm in alarms] == [True] + [False] * 10
    assert alarms[0]["failures"] == 1
    assert "No other alarm: failed so 11 times in a row, reported before: run 10 ended: no space" in caplog.messages


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"error": PermanentError("access denied")}, id="another reason"),
        pytest.param({"task_id": "u"}, id="another task"),
        pytest.param({"map_index": 2}, id="another of its instances"),
    ],
)
def test_an_alarm_comes_again_where_something_changes(airflow, fail, change):
    given = {"error": PermanentError("no space")}
    assert fail(**given, run_id="r1")
    assert not fail(**given, run_id="r2")

    assert fail(**{**given, **change}, run_id="r3")


def test_an_alarm_comes_again_after_a_run_that_succeeded(airflow, fail):
    assert fail(PermanentError("no space"), run_id="r1")
    airflow.successes += 1

    assert fail(PermanentError("no space"), run_id="r2")


def test_a_task_that_fails_each_day_is_an_alarm_each_day():
    fields = {"reason": "no space", "run_id": "r1", "task_id": "t", "try_number": 1}
    known, _ = alarm_memory.note(None, fields, now=NOON, successes=0)

    for later, is_news in ((timedelta(hours=1), False), (timedelta(hours=1, seconds=1), True)):
        assert alarm_memory.note(known, {**fields, "run_id": "r2"}, now=NOON + later, successes=0)[1] is is_news


def test_two_tasks_that_see_the_same_crash_loop_raise_one_alarm(airflow, fail):
    def ended(task_id, run_id, state):
        alarm = {"stream": "posts", "state": state, "error": f"StageError: disk full after {run_id}"}
        return fail(StreamEndedError(f"by {task_id}", alarm), task_id=task_id, run_id=run_id)

    assert ended("watch_stream", "r1", "dead")
    assert ended("launch_stream", "r2", "crash loop")["reason"] == "by launch_stream"
    assert not ended("watch_stream", "r3", "crash loop")
    assert not ended("launch_stream", "r4", "crash loop")


def test_one_failure_that_two_processes_report_is_one_alarm(airflow, fail):
    assert fail(PermanentError("no space"), run_id="r1", try_number=3)

    assert not fail(None, run_id="r1", try_number=3)


def test_a_task_that_fails_because_another_has_raises_no_second_alarm(airflow, fail):
    with pytest.raises(alerts.ReportedError) as caught:
        sink_connector.alert.function("c")

    assert fail(caught.value) is None


def test_where_the_memory_fails_the_alarm_goes_out(airflow, fail, monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("no Airflow")

    monkeypatch.setattr(airflow, "set", refuse)

    assert [bool(fail(PermanentError("no space"), run_id=run_id)) for run_id in ("r1", "r2")] == [True, True]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(ValueError("bad\ntrace"), "bad", id="its first line"),
        pytest.param(ValueError(), "ValueError, without a message: read the task's log", id="no message"),
        pytest.param(ValueError(" \n "), "ValueError, without a message: read the task's log", id="blank"),
        pytest.param(None, alerts.NO_REASON, id="a worker that died"),
    ],
)
def test_a_reason_is_never_empty(airflow, fail, error, reason):
    assert fail(error)["reason"] == reason


def test_the_dag_processor_raises_the_alarm_of_a_worker_that_died_on_its_last_try(airflow, caplog):
    """Airflow's own function, called as the dag-processor does."""
    import structlog
    from airflow.callbacks.callback_requests import TaskCallbackRequest
    from airflow.dag_processing.processor import _execute_task_callbacks
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
    from uuid6 import uuid7

    with DAG("d", schedule=None) as dag:
        EmptyOperator(task_id="t", on_failure_callback=alerts.log_failure)
    ids = {"id": uuid7(), "dag_version_id": uuid7()}
    request = TaskCallbackRequest(
        filepath="d.py", bundle_name="b", bundle_version=None, msg="killed",
        ti={**ids, "dag_id": "d", "task_id": "t", "run_id": "r", "try_number": 3, "map_index": -1},
    )  # fmt: skip

    with caplog.at_level(logging.ERROR):
        _execute_task_callbacks(SimpleNamespace(dags={"d": dag}), request, structlog.get_logger())

    [line] = [line for line in caplog.messages if line.startswith("pipeline_task_failed ")]
    alarm = json.loads(line.removeprefix("pipeline_task_failed "))
    assert (alarm["task_id"], alarm["try_number"], alarm["reason"]) == ("t", 3, alerts.NO_REASON)


LATE = {"dag_id": "d", "dag_run_id": "r", "run_type": "scheduled", "state": "running", "start_date": NOON.isoformat()}


@pytest.mark.parametrize(
    ("dag_run", "said"),
    [
        pytest.param({}, "its run is running and began at 2026-11-25T12:00:00+00:00", id="runs"),
        pytest.param({"state": "queued", "start_date": None}, "is queued and has not begun", id="waits"),
        pytest.param({"state": "success"}, None, id="over"),
        pytest.param({"state": "failed"}, None, id="failed, which its task has reported"),
        pytest.param({"run_type": "backfill"}, "is running", id="a backfill's that is late"),
        pytest.param({"run_type": "backfill", "start_date": (NOON + timedelta(seconds=1)).isoformat()}, None,
                     id="a backfill's that waited"),
        pytest.param({"run_type": "backfill", "state": "queued", "start_date": None}, None, id="which waits"),
    ],
)  # fmt: skip
def test_a_run_that_misses_its_time_raises_an_alarm(dag_run, said):
    alarm = alerts.late_run({**LATE, **dag_run}, timedelta(hours=6), NOON + timedelta(hours=6))

    assert (alarm is None) is (said is None)
    if said:
        assert alarm["reason"].startswith("d has missed its deadline; ")
        assert said in alarm["reason"]


def test_a_deadline_calls_what_logs_the_alarm(caplog, monkeypatch):
    """By Airflow's own trigger, as the triggerer does."""
    from airflow.triggers.callback import CallbackTrigger

    monkeypatch.setenv(PARSED_BY_SERVER, "client")
    arguments = ends_within(timedelta(hours=2))
    deadline = arguments["deadline"]
    trigger = CallbackTrigger(deadline.callback.path, {**deadline.callback.kwargs, "context": {"dag_run": LATE}})

    async def states():
        return [event.payload["state"] async for event in trigger.run()]

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(states()) == ["running", "success"]

    assert (arguments["dagrun_timeout"], deadline.interval) == (timedelta(hours=2), timedelta(hours=1))
    assert type(deadline.reference).__name__ != "DagRunQueuedAtDeadline"  # with it no task can be cleared on 3.3
    assert deadline.callback.path == "pinterest_pipeline.dag.alerts.log_late_run"
    assert json.loads(caplog.messages[-1].removeprefix("pipeline_task_failed "))["state"] == "late"


def test_a_dag_that_is_run_by_dag_test_has_no_deadline(monkeypatch):
    monkeypatch.delenv(PARSED_BY_SERVER, raising=False)

    assert ends_within(timedelta(hours=2)) == {"dagrun_timeout": timedelta(hours=2)}


def test_airflow_3_0_has_no_deadlines_and_reads_the_dags_all_the_same(monkeypatch):
    monkeypatch.setenv(PARSED_BY_SERVER, "client")
    monkeypatch.setitem(sys.modules, "airflow.sdk.definitions.deadline", None)

    assert ends_within(timedelta(hours=2)) == {"dagrun_timeout": timedelta(hours=2)}
