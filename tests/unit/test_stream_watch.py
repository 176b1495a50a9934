"""Watching a stream: what one check asks for, how the watch ends, and what the alarm says."""

import asyncio
import json
import logging
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import psycopg2
import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common import polling
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.dag import alerts
from pinterest_pipeline.stream import triggers
from pinterest_pipeline.stream.monitor import StreamMonitor, Watched
from pinterest_pipeline.stream.policy import StreamEndedError
from pinterest_pipeline.stream.sensors import DatabricksStreamSensor
from pinterest_pipeline.stream.triggers import DatabricksJobTrigger, DatabricksStreamTrigger
from tests.unit.scripted_databricks import ScriptedDatabricks, task

STREAMS = {"stream_pin": "streaming-pin", "stream_geo": "streaming-geo"}


class Warehouse:
    """As much of a PostgresHook as is asked: three tables in memory."""

    def __init__(self):
        self.progress, self.control, self.positions, self.failure = [], [], {}, None
        self.troubles, self.lag = [], []

    def get_records(self, sql, parameters):
        if self.failure:
            raise self.failure
        if "stream.position" in sql:
            return self.positions.get(parameters["stream"], [])
        if "stream.data_loss" in sql:
            return self.troubles
        return self.control if "control" in sql else [row for row in self.progress if row[0] in parameters["queries"]]

    def run(self, _sql, parameters):
        self.lag.append((parameters["query"], parameters["level"]))

    def committed(self, query, seconds_ago, batch=3):
        at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        self.progress.append((query, batch, at))


class Kinesis:
    """Ages of the oldest unread records by stream; remembers who asked, from which positions on."""

    def __init__(self):
        self.ages, self.asked, self.failure = {}, [], None

    def milliseconds_behind_latest(self, name, positions):
        self.asked.append((name, positions))
        if self.failure:
            raise self.failure
        return self.ages.get(name, 0)

    def find(self, _name):
        if self.failure:
            raise self.failure
        return SimpleNamespace(retention_hours=24)


@pytest.fixture
def world(monkeypatch):
    scripted = ScriptedDatabricks()
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DATABRICKS", scripted.connection)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(polling, "FIRST_POLL_SECONDS", 0)
    scripted.add_job("stream")
    scripted.add_job_run(500, "RUNNING", start=time.time() - 3600)
    found = SimpleNamespace(databricks=scripted, warehouse=Warehouse(), kinesis=Kinesis(), queued=0)
    monkeypatch.setattr("pinterest_pipeline.warehouse.hook.PipelinePostgresHook", lambda _: found.warehouse)
    monkeypatch.setattr("pinterest_pipeline.kinesis.hook.KinesisStreamHook", lambda **_: found.kinesis)
    monkeypatch.setattr(triggers, "count_dag_runs", lambda dag_id, state: found.queued)
    for query in STREAMS:
        found.warehouse.committed(query, 1)
    yield found
    scripted.close()


def sensor(**arguments):
    defaults = {
        "task_id": "watch", "launched": {"run_id": 1}, "job_name": "stream", "streams": STREAMS,
        "stale_after_seconds": 60, "start_within_seconds": 120, "deferrable": False, "poke_interval": 0.01,
        "timeout": 0.05,
    }  # fmt: skip
    return DatabricksStreamSensor(**{**defaults, **arguments})


def watch(**arguments):
    return sensor(**arguments).execute({"ti": SimpleNamespace(dag_id="d")})


def silence(world, query="stream_pin", seconds=100):
    world.warehouse.progress = [row for row in world.warehouse.progress if row[0] != query]
    world.warehouse.committed(query, seconds, batch=7)


def test_a_watch_over_a_healthy_stream_waits_and_then_succeeds(world, monkeypatch):
    queued = iter([0, 0, 1])
    monkeypatch.setattr(triggers, "count_dag_runs", lambda dag_id, state: next(queued))

    report = watch(timeout=60)

    assert report["state"] == "watch over"
    assert len(world.databricks.calls("jobs/runs/get")) == 3
    assert json.loads(json.dumps(report)) == report


def test_kinesis_is_not_asked_while_the_queries_commit(world):
    world.kinesis.ages = {"streaming-pin": 999_000}

    StreamMonitor(sensor().watched, sensor().hook).check(watch_until=time.time() + 60)

    assert not world.kinesis.asked


def test_a_dead_run_ends_the_watch_with_the_alarm(world, caplog):
    world.databricks.end(1, "FAILED", "INTERNAL_ERROR")
    world.kinesis.ages = {"streaming-pin": 4200}

    with pytest.raises(StreamEndedError, match=r"Stream stream is dead: run 1 ended: INTERNAL_ERROR FAILED") as caught:
        watch(timeout=60)
    with caplog.at_level(logging.ERROR, "pinterest_pipeline.dag.alerts"):
        ti = SimpleNamespace(dag_id="d", task_id="watch", run_id="r", map_index=-1, try_number=1)
        alerts.log_failure({"ti": ti, "exception": caught.value})

    alarm = json.loads(caplog.messages[-1].removeprefix("pipeline_task_failed "))
    assert (alarm["stream"], alarm["run_page_url"], alarm["run_id"]) == ("stream", "http://page/1", "r")
    assert alarm["last_good_batch"]["stream_geo"]["batch_id"] == 3
    assert alarm["lag_ms"] == {"stream_geo": 0, "stream_pin": 4200}
    assert "http://page/1" in alarm["reason"]


TRACE = "Traceback …\n  File x\n\x1b[0;31mStageError\x1b[0m: stream_pin failed: no space left\n"


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ({"error": "\x1b[31mStageError: stream_pin failed: no space left\x1b[0m\nmore"}, "no space left"),
        ({"error": "Workload failed, see run output for details", "error_trace": TRACE}, "no space left"),
        ({"error": "StageError: " + "x" * 600}, "x" * 488),
        ({}, ""),
    ],
    ids=["its error", "its trace", "a long one", "none"],
)
def test_the_alarm_of_a_dead_run_has_the_notebooks_own_error(world, output, error):
    failed = task("stream_posts", "TERMINATED", "FAILED")
    world.databricks.runs[1]["tasks"] = [task("other", "TERMINATED", "SUCCESS", run_id=99), failed]
    world.databricks.outputs[100] = output
    world.databricks.end(1, "FAILED", "INTERNAL_ERROR")

    with pytest.raises(StreamEndedError, match="its notebook said: ") as caught:
        watch(timeout=60)

    said = caught.value.alarm["error"]
    assert said.endswith(error)
    assert said.startswith("StageError: ") is bool(error)
    assert (said or "nothing, see its page") in str(caught.value)
    assert caught.value.alarm["failed_runs"] == 1


def test_runs_that_failed_between_two_polls_are_a_crash_loop_with_their_number(world):
    now = time.time()
    for n in range(2, 12):
        world.databricks.add_job_run(500, "TERMINATED", "FAILED", start=now - 200 + n, end=now - 199 + n)
    world.databricks.runs[1] |= {"start_time": int((now - 210) * 1000), "end_time": int((now - 205) * 1000)}
    world.databricks.end(1, "FAILED")

    with pytest.raises(StreamEndedError, match=r"is crash loop: run 1 ended: .*; 11 runs failed in a row; ") as caught:
        watch(timeout=60)

    assert (caught.value.alarm["state"], caught.value.alarm["failed_runs"]) == ("crash loop", 11)


def test_the_alarm_goes_out_though_databricks_does_not_say_why(world, monkeypatch):
    def refuse(*_):
        raise TransientError("no answer")

    monkeypatch.setattr("pinterest_pipeline.databricks.hook.DatabricksRunHook.error_of", refuse)
    world.databricks.end(1, "FAILED")

    with pytest.raises(StreamEndedError, match="is dead") as caught:
        watch(timeout=60)

    assert (caught.value.alarm["error"], caught.value.alarm["failed_runs"]) == ("", 1)


def test_the_alarm_goes_out_though_kinesis_does_not_answer(world):
    world.databricks.end(1, "FAILED")
    world.kinesis.failure = TransientError("no answer")

    with pytest.raises(StreamEndedError) as caught:
        watch(timeout=60)

    assert caught.value.alarm["lag_ms"] == {"stream_geo": None, "stream_pin": None}


def test_a_silent_query_with_an_old_unread_record_is_stale_and_its_run_is_cancelled(world):
    silence(world)
    world.kinesis.ages = {"streaming-pin": 61_000}
    world.warehouse.positions = {"streaming-pin": [("shard-0", Decimal(49600000000000000000000000000000000000000001))]}

    with pytest.raises(StreamEndedError, match="is stale: run 1 is RUNNING and commits nothing; records wait: stream_"):
        watch(timeout=60)

    assert world.databricks.calls("jobs/runs/cancel") == [{"run_id": 1}]
    assert world.kinesis.asked[0] == ("streaming-pin", {"shard-0": "49600000000000000000000000000000000000000001"})


@pytest.mark.parametrize(
    ("age", "begun"), [(0, 3600), (59_000, 3600), (61_000, 60)], ids=["quiet", "fresh backlog", "young run"]
)
def test_a_silent_query_without_a_late_record_is_left_alone(world, age, begun):
    silence(world)
    world.kinesis.ages = {"streaming-pin": age}
    world.databricks.runs[1]["start_time"] = int((time.time() - begun) * 1000)

    assert watch()["state"] == "watch over"
    assert not world.databricks.calls("jobs/runs/cancel")


def test_where_nothing_was_ever_committed_every_record_counts(world):
    world.warehouse.progress.clear()
    world.kinesis.ages = {"streaming-geo": 61_000}

    with pytest.raises(StreamEndedError, match="records wait: stream_geo"):
        watch(timeout=60)

    assert ("streaming-geo", {}) in world.kinesis.asked


def test_a_query_that_waits_for_a_user_is_not_stale_and_the_others_are_watched(world):
    silence(world)
    world.kinesis.ages = {"streaming-pin": 999_000}
    world.warehouse.troubles = [("stream_pin", "records lost", False)]

    report = watch()

    assert (report["state"], report["troubles"]) == ("watch over", {"stream_pin": "records lost"})
    silence(world, "stream_geo")
    world.kinesis.ages["streaming-geo"] = 61_000
    with pytest.raises(StreamEndedError, match="records wait: stream_geo since"):
        watch()


@pytest.mark.parametrize(
    ("trouble", "state"),
    [(("stream_pin", "records lost", True), "records lost"), (("stream_geo", "at risk", True), "behind")],
)
def test_news_of_a_query_end_the_watch_so_that_the_next_run_raises_the_alarm(world, trouble, state):
    world.warehouse.troubles = [("stream_pin", "behind", False), trouble]

    report = watch(timeout=60)

    assert (report["state"], report["reason"]) == (state, f"{trouble[0]}: {trouble[1]}")
    assert not world.databricks.calls("jobs/runs/cancel")


def test_the_lag_of_every_query_is_measured_once_a_minute_and_no_answer_does_not_blind_the_watch(world, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("pinterest_pipeline.stream.monitor.time", SimpleNamespace(monotonic=lambda: clock.now))
    monitor = StreamMonitor(sensor().watched, sensor().hook)
    world.kinesis.ages = {"streaming-pin": 301_000, "streaming-geo": 13 * 3_600_000}
    measured = []
    for clock.now in (59, 60, 61, 119, 120):
        monitor.check(watch_until=time.time() + 60)
        measured.append(len(world.warehouse.lag))
    clock.now, world.kinesis.failure = 180, TransientError("no answer")
    assert monitor.check(watch_until=time.time() + 60).health.state == "healthy"

    assert measured == [0, 2, 2, 2, 4]
    assert world.warehouse.lag[:2] == [("stream_pin", "behind"), ("stream_geo", "at risk")]


def test_a_run_that_stopped_as_asked_is_no_alarm(world):
    world.databricks.end(1, "SUCCESS")
    world.warehouse.control = [(None, "", datetime.now(UTC))]

    assert watch(timeout=60)["state"] == "stopped as asked"


def test_a_queued_run_of_the_dag_ends_the_watch(world):
    world.queued = 1

    assert watch(timeout=60)["reason"] == "another run of this DAG waits with a request"


def test_an_airflow_that_does_not_count_its_runs_does_not_blind_the_watch(world, monkeypatch):
    def refuse(*_):
        raise AttributeError("'ErrorResponse' object has no attribute 'count'")

    monkeypatch.setattr(triggers, "count_dag_runs", refuse)
    world.databricks.end(1, "FAILED")

    with pytest.raises(StreamEndedError, match="is dead"):
        watch(timeout=60)


def test_a_look_that_fails_in_passing_is_no_death(world):
    world.warehouse.failure = psycopg2.OperationalError("server closed the connection")
    deferred = defer(timeout=60)

    async def looks_twice():
        waiting = asyncio.ensure_future(anext(deferred.trigger.run()))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        world.warehouse.failure = None
        world.queued = 1
        return await waiting

    event = asyncio.run(asyncio.wait_for(looks_twice(), 20)).payload

    assert event["result"]["state"] == "watch over"


def defer(**arguments):
    with pytest.raises(TaskDeferred) as caught:
        watch(deferrable=True, **arguments)
    return caught.value


def test_the_triggers_report_comes_home_as_from_the_sensor(world):
    world.databricks.end(1, "FAILED")
    deferred = defer(timeout=60)
    path, stored = deferred.trigger.serialize()
    again = DatabricksStreamTrigger(**json.loads(json.dumps(stored)))

    async def first():
        return await anext(again.run())

    event = asyncio.run(asyncio.wait_for(first(), 20)).payload

    assert path.endswith("stream.triggers.DatabricksStreamTrigger")
    with pytest.raises(StreamEndedError, match="is dead"):
        sensor().resume({}, json.loads(json.dumps(event)))


def test_a_watch_whose_end_nobody_saw_is_tried_again(world):
    with pytest.raises(TransientError, match="saw nothing at its end"):
        sensor().resume({}, {"status": "timed_out", "message": "an answer"})


def test_a_launch_that_left_no_run_is_named(world):
    with pytest.raises(PermanentError, match="expected the output of DatabricksLaunchStreamOperator"):
        watch(launched=None)


@pytest.mark.parametrize(
    ("life", "idle", "expected"),
    [("RUNNING", False, "attach to the active run"), ("TERMINATING", False, None), ("RUNNING", True, None)],
)
def test_the_job_trigger_fires_when_something_can_be_done(world, life, idle, expected):
    world.databricks.runs[1]["state"] = {"life_cycle_state": life}
    trigger = DatabricksJobTrigger(
        databricks_conn_id="pinterest_databricks", job_id=500, unpaused_at=0, platform_grace=0, until_idle=idle,
        deadline=time.time() + 60, poll_seconds=1,
    )  # fmt: skip

    seen = trigger.check()

    assert seen.result == (expected and {"step": expected})


def test_the_watched_is_json():
    watched = Watched(1, "s", STREAMS, 60, 120, "d", "p", None, None)

    assert Watched(**json.loads(json.dumps(watched.as_json()))) == watched
