"""What a run of the supervisor makes of its params and of earlier requests."""

import json
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.api.datamodels._generated import DagRun  # what a task is given, with no other fields than these

from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.dag import stream_supervisor as stream_tasks
from pinterest_pipeline.kinesis.backlog import IteratorAge

PAUSED = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Warehouse:
    """Obeys PAUSE and RESUME as the table would."""

    def __init__(self, paused_at=None):
        self.row = (paused_at, "ann", None)
        self.statements, self.parameters = [], {}

    def run(self, sql, parameters):
        self.statements += sql
        self.parameters = parameters
        if any("paused_by = %(by)s" in statement for statement in sql):
            self.row = (self.row[0] or PAUSED, parameters["by"], None)
        if any("paused_at = NULL" in statement for statement in sql):
            self.row = (None, "", None)

    def get_records(self, sql, parameters):
        assert ("stream.control" in sql, parameters) == (True, {})
        return [self.row]


@pytest.fixture
def take(monkeypatch):
    def run(warehouse, **params):
        monkeypatch.setattr("pinterest_pipeline.warehouse.hook.PipelinePostgresHook", lambda _: warehouse)
        given = {"action": "watch", "accept_data_loss": [], **params}
        triggered_at = datetime.now(UTC) - timedelta(seconds=90)
        dag_run = DagRun.model_construct(run_id="manual__1", triggering_user_name="bob", run_after=triggered_at)
        return stream_tasks.take_request.function(params=given, dag_run=dag_run)

    return run


def test_a_scheduled_run_wants_the_stream_and_writes_nothing(take):
    warehouse = Warehouse()

    assert take(warehouse) == {"request": "watch", "unwanted": ""}
    assert not warehouse.statements


def test_a_scheduled_run_respects_a_pause_and_says_whose_it_is(take):
    seen = take(Warehouse(PAUSED))

    assert seen["request"] == "watch"
    assert seen["unwanted"].startswith("paused since 2026-11-25 12:00:00Z by ann; trigger this DAG with")


@pytest.mark.parametrize("action", ["pause", "stop"])
def test_a_pause_and_a_stop_last(take, action):
    seen = take(Warehouse(), action=action)

    assert seen["request"] == action
    assert "by bob" in seen["unwanted"]
    assert '{"action": "resume"}' in seen["unwanted"]


@pytest.mark.parametrize("action", ["resume", "restart"])
def test_a_resume_and_a_restart_end_a_pause(take, action):
    assert take(Warehouse(PAUSED), action=action) == {"request": action, "unwanted": ""}


def test_only_a_stop_and_a_restart_ask_the_notebook_to_end(take):
    for action, asks in (("pause", False), ("stop", True), ("restart", True)):
        warehouse = Warehouse()

        take(warehouse, action=action)

        assert any("stop_requested_at = now()" in statement for statement in warehouse.statements) is asks


def test_a_request_says_how_long_it_waited(take, caplog):
    with caplog.at_level(logging.INFO, stream_tasks.__name__):
        take(Warehouse(), action="stop")

    assert any("The request waited 90 s for the run before" in message for message in caplog.messages)


def test_an_accepted_loss_is_recorded_by_table_with_who_and_why(take):
    warehouse = Warehouse()

    assert take(warehouse, accept_data_loss=["pin", "user"]) == {"request": "watch", "unwanted": ""}

    assert ["stream.data_loss" in statement for statement in warehouse.statements] == [True]
    assert warehouse.parameters == {
        "queries": ["stream_pin", "stream_user"], "by": "bob", "reason": "DAG run manual__1",
    }  # fmt: skip


class Stream:
    """A Kinesis hook and a warehouse: ages of the oldest uncommitted records, and losses."""

    def __init__(self, **hours):
        self.hours = hours
        self.is_throttled, self.cloudwatch_ms = False, None
        self.lag, self.losses, self.alarmed, self.accepted, self.count = {}, [], [], [], None

    def find(self, stream):
        return SimpleNamespace(retention_hours=72) if stream in self.hours else None

    def milliseconds_behind_latest(self, stream, positions):
        assert positions == {"shard-0": "7"}
        if self.is_throttled:
            raise TransientError("ProvisionedThroughputExceededException")
        return round(self.hours[stream] * 3_600_000)

    def iterator_age(self, _stream):
        return IteratorAge(self.cloudwatch_ms, "cloudwatch" if self.cloudwatch_ms is not None else "nothing")

    def incoming_records(self, _stream, _since, _until):
        if self.count is None:
            raise TransientError("CloudWatch does not answer")
        return self.count

    def get_records(self, sql, _parameters):
        if "stream.position" in sql:
            return [("shard-0", 7)]
        if "stream.lag" in sql:
            return [
                (query,) for query, row in self.lag.items() if row["level"] == "at risk" and query not in self.alarmed
            ]
        return [row for row in self.losses if row[0] not in self.alarmed]

    def run(self, sql, parameters):
        if "INSERT INTO stream.lag" in sql[0]:
            self.lag[parameters["query"]] = parameters
            if parameters["level"] != "at risk" and parameters["query"] in self.alarmed:
                self.alarmed.remove(parameters["query"])
        elif "INSERT INTO stream.data_loss" in sql[0]:
            self.accepted.append(parameters)
        else:
            self.alarmed.append(parameters.get("id", parameters.get("query")))


@pytest.fixture
def check(monkeypatch, caplog):
    """Return a function that checks the backlogs of two queries, and returns the alarms."""

    def run(stream):
        monkeypatch.setattr("pinterest_pipeline.warehouse.hook.PipelinePostgresHook", lambda _: stream)
        monkeypatch.setattr("pinterest_pipeline.kinesis.hook.KinesisStreamHook", lambda: stream)
        ti = SimpleNamespace(dag_id="d", task_id="check_backlog", run_id="r", map_index=-1, try_number=1)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            stream_tasks.check_backlog.function({"stream_pin": "pin", "stream_geo": "geo"}, "300", "0.5", ti=ti)
        lines = [line for line in caplog.messages if line.startswith("pipeline_task_failed ")]
        return [json.loads(line.removeprefix("pipeline_task_failed ")) for line in lines]

    return run


@pytest.mark.parametrize(
    ("hours", "level", "warns"),
    [
        pytest.param(0, "keeps up", False, id="nothing unread"),
        pytest.param(300 / 3600, "keeps up", False, id="at the warning"),
        pytest.param(301 / 3600, "behind", True, id="above it"),
        pytest.param(36, "behind", True, id="half of the retention"),
        pytest.param(36.01, "at risk", True, id="more than half"),
        pytest.param(80, "at risk", True, id="more than all of it"),
    ],
)
def test_a_backlog_has_a_level_by_its_age_and_the_hours_left(check, caplog, hours, level, warns):
    stream = Stream(pin=hours, geo=0)

    alarms = check(stream)

    row = stream.lag["stream_pin"]
    assert (row["level"], row["hours_left"]) == (level, pytest.approx(max(0, 72 - hours)) if hours else None)
    [metric] = [record for record in caplog.records if record.getMessage().startswith("stream_lag query=stream_pin")]
    assert (metric.levelno == logging.WARNING) is warns
    assert [alarm["state"] for alarm in alarms] == (["behind"] if level == "at risk" else [])


def test_a_query_at_risk_raises_one_alarm_until_it_has_caught_up(check):
    stream = Stream(pin=40, geo=0)

    [alarm] = check(stream)
    again = check(stream)
    stream.hours["pin"] = 1
    better = check(stream)
    stream.hours["pin"] = 50

    assert (alarm["query"], alarm["hours_left"], alarm["dag_id"]) == ("stream_pin", 32, "d")
    assert "drops the oldest record that it has not committed in 32.0 h" in alarm["reason"]
    assert (again, better) == ([], [])
    assert [one["hours_left"] for one in check(stream)] == [22]


@pytest.mark.parametrize(
    ("milliseconds", "level", "source"), [(400_000, "behind", "cloudwatch"), (None, "keeps up", "nothing")]
)
def test_where_the_shards_are_read_at_their_limit_cloudwatch_tells_the_age(check, milliseconds, level, source):
    stream = Stream(pin=50, geo=50)
    stream.is_throttled, stream.cloudwatch_ms = True, milliseconds

    assert check(stream) == []
    row = stream.lag["stream_pin"]
    assert (row["lag_ms"], row["level"], row["source"]) == (milliseconds, level, source)


def test_a_stream_that_does_not_exist_has_no_backlog(check):
    stream = Stream(geo=0)
    stream.lag["stream_pin"] = {"level": "at risk"}  # before it was deleted

    assert check(stream) == []
    assert stream.alarmed == ["stream_pin"]


def test_a_loss_is_reported_also_where_kinesis_does_not_answer(check, caplog):
    stream = Stream(pin=0, geo=0)
    stream.losses = [(7, "stream_pin", "The checkpoint is older", PAUSED, PAUSED)]
    stream.find = lambda _: stream.incoming_records(None, None, None)  # which raises

    with pytest.raises(TransientError):
        check(stream)

    assert stream.alarmed == [7]
    assert sum(line.startswith("pipeline_task_failed ") for line in caplog.messages) == 1


def test_a_loss_of_no_record_by_cloudwatch_is_accepted_without_a_user(check):
    stream = Stream(pin=0, geo=0)
    stream.losses, stream.count = [(7, "stream_pin", "The checkpoint is older", PAUSED, PAUSED)], 0

    assert check(stream) == []
    assert stream.accepted == [
        {"queries": ["stream_pin"], "by": "CloudWatch", "reason": "no record arrived in that time"}
    ]
    assert stream.alarmed == [7]


@pytest.mark.parametrize(("count", "said"), [(1234, "at most 1,234 records"), (None, "their number is not known")])
def test_a_loss_raises_one_alarm_with_its_number_and_the_request_that_accepts_it(check, count, said):
    stream = Stream(pin=0, geo=0)
    stream.losses, stream.count = (
        [(7, "stream_pin", "The checkpoint is older", PAUSED, PAUSED + timedelta(hours=6))],
        count,
    )

    [alarm] = check(stream)

    assert (alarm["state"], alarm["query"], alarm["lost_records"]) == ("records lost", "stream_pin", count)
    assert (alarm["lost_from"], alarm["lost_to"]) == ("2026-11-25T12:00:00.000000Z", "2026-11-25T18:00:00.000000Z")
    assert f"The checkpoint is older ({said})" in alarm["reason"]
    assert '{"accept_data_loss": ["pin"]}' in alarm["reason"]
    assert check(stream) == []
