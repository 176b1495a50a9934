"""How far readers are behind, from what CloudWatch or the shards say, and what the sensor makes of it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common import polling
from pinterest_pipeline.common.compat import AirflowSensorTimeout
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.kinesis import backlog as kinesis_reading
from pinterest_pipeline.kinesis.backlog import IteratorAge, ReadUpTo, first_unread, incoming_records, newest_value
from pinterest_pipeline.kinesis.model import Shard, UnreadShard, age_milliseconds
from pinterest_pipeline.kinesis.sensors import KinesisStreamSensor
from tests.unit.test_kinesis_operators import busy
from tests.unit.test_kinesis_plan import AS_DECLARED

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SHARD = Shard("shard-0", "100")


def arrived(milliseconds, number="101"):
    moment = NOON + timedelta(milliseconds=milliseconds)
    return {"SequenceNumber": number, "ApproximateArrivalTimestamp": moment}


class Client:
    """Kinesis with one shard, whose pages are scripted as (records, milliseconds behind, has a next iterator)."""

    def __init__(self, *pages):
        self.pages = list(pages)
        self.asked = []

    def get_shard_iterator(self, **arguments):
        self.asked.append(arguments)
        return {"ShardIterator": "i"}

    def get_records(self, **arguments):
        self.asked.append(arguments)
        records, behind, has_next = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        return {"Records": records, "MillisBehindLatest": behind, "NextShardIterator": "j" if has_next else None}


@pytest.mark.parametrize(
    ("read", "iterator_type"),
    [
        pytest.param(ReadUpTo({}, None), "TRIM_HORIZON", id="nothing read"),
        pytest.param(ReadUpTo({"shard-0": "100"}, NOON), "AFTER_SEQUENCE_NUMBER", id="position"),
        pytest.param(ReadUpTo({"shard-1": "100"}, NOON), "AT_TIMESTAMP", id="position of another shard"),
        pytest.param(ReadUpTo({"shard-0": "99"}, None), "TRIM_HORIZON", id="position of an earlier stream"),
    ],
)
def test_a_shard_is_read_from_where_readers_are(read, iterator_type):
    client = Client(([arrived(1)], 0, True))

    assert first_unread(client, "s", SHARD, read) == UnreadShard("shard-0", "101", NOON + timedelta(milliseconds=1))
    assert client.asked[0]["ShardIteratorType"] == iterator_type


@pytest.mark.parametrize(
    ("pages", "number"),
    [
        pytest.param([([], 0, True)], None, id="at the tip"),
        pytest.param([([], 5000, True), ([], 100, True), ([arrived(1)], 0, True)], "101", id="after empty pages"),
        pytest.param([([], 5000, False)], None, id="a closed shard at its end"),
        pytest.param([([arrived(-1), arrived(0)], 9, True), ([arrived(1, "105")], 0, True)], "105", id="next page"),
        pytest.param([([arrived(-1), arrived(0)], 0, True), ([], 0, True)], None, id="only what is read"),
    ],
)
def test_the_oldest_unread_record_is_found_past_pages_without_one(pages, number):
    found = first_unread(Client(*pages), "s", SHARD, ReadUpTo({}, NOON))

    assert (found and found.sequence_number) == number


def test_the_same_millisecond_is_read_from_every_client():
    early = {"SequenceNumber": "1", "ApproximateArrivalTimestamp": NOON + timedelta(microseconds=1)}

    assert first_unread(Client(([early], 0, False)), "s", SHARD, ReadUpTo({}, NOON)) is None


def test_a_shard_whose_tip_is_not_reached_is_not_called_read(monkeypatch):
    monkeypatch.setattr(kinesis_reading, "MOST_PAGES", 3)

    with pytest.raises(TransientError, match="stream s, shard shard-0: its tip was not reached within 3 requests"):
        first_unread(Client(([], 1, True)), "s", SHARD, ReadUpTo({}, None))


def test_the_age_is_that_of_the_oldest_unread_record():
    unread = (UnreadShard("a", "1", NOON), UnreadShard("b", "1", NOON - timedelta(seconds=2)))

    assert age_milliseconds(unread, NOON) == 2000
    assert age_milliseconds((), NOON) == 0
    assert age_milliseconds(unread, NOON - timedelta(hours=1)) == 0


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("hours", "count"),
    [
        pytest.param({-30: 5, 0: 7, 5: 11}, 18, id="in the hours of the time"),
        pytest.param({-30: 5, 6: 3}, 0, id="after it only"),
        pytest.param({-30: 5}, 0, id="none since"),
        pytest.param({1: 5}, None, id="not counted before"),
        pytest.param({}, None, id="not counted at all"),
    ],
)
def test_what_arrived_is_known_only_where_cloudwatch_counted_the_stream_before(hours, count):
    found = {"Timestamps": [NOON + hour * HOUR for hour in hours], "Values": [float(n) for n in hours.values()]}

    assert incoming_records({"MetricDataResults": [found]}, NOON, NOON + 6 * HOUR) == count


def test_cloudwatchs_newest_value_counts_whatever_its_order():
    later = NOON + timedelta(minutes=1)
    ascending = {"Timestamps": [NOON, later], "Values": [9.0, 7.0]}
    descending = {"Timestamps": [later, NOON], "Values": [7.0, 9.0]}  # how GetMetricData answers unless asked otherwise

    assert newest_value({"MetricDataResults": [ascending]}) == 7
    assert newest_value({"MetricDataResults": [descending]}) == 7
    assert newest_value({"MetricDataResults": [{"Timestamps": [], "Values": []}]}) is None


class Hook:
    """Shows one poll after the other: a stream, and an iterator age; the last repeats."""

    def __init__(self, *polls):
        self.polls = list(polls)
        self.reads = []

    def find(self, _name):
        self.poll = self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        if isinstance(self.poll, Exception):
            raise self.poll
        return self.poll[0]

    def iterator_age(self, _name, read):
        self.reads.append(read)
        return self.poll[1]


@pytest.fixture
def sensor(monkeypatch):
    """Return a function that builds a sensor, whose trigger polls by the same hook."""
    monkeypatch.setattr(polling, "FIRST_POLL_SECONDS", 0)
    database = SimpleNamespace(get_records=lambda sql, parameters: [("shard-0", 7, None)])
    monkeypatch.setattr("pinterest_pipeline.warehouse.hook.PipelinePostgresHook", lambda conn_id: database)

    def build(hook, **arguments):
        monkeypatch.setattr("pinterest_pipeline.kinesis.hook.KinesisStreamHook", lambda **_: hook)
        defaults = {"task_id": "w", "stream_name": "s", "poke_interval": 0.01, "timeout": 30, "deferrable": False}
        return KinesisStreamSensor(**{**defaults, **arguments})

    return build


def behind(milliseconds, source="shards"):
    return AS_DECLARED, IteratorAge(milliseconds, source)


def run_deferred(sensor):
    """Defer, fire the trigger as rebuilt from its serialized arguments, and resume."""
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    trigger = type(deferred.value.trigger)(**json.loads(json.dumps(deferred.value.trigger.serialize()[1])))
    event = asyncio.run(anext(trigger.run())).payload
    return sensor.resume({}, event)


@pytest.mark.parametrize("deferrable", [False, True])
def test_it_waits_until_the_stream_is_active_and_its_readers_are_near(sensor, deferrable):
    hook = Hook((busy("CREATING"), None), TransientError("slow down"), behind(5001), behind(5000))
    watch = sensor(hook, max_iterator_age=timedelta(seconds=5), sql="SELECT 1", deferrable=deferrable)

    result = run_deferred(watch) if deferrable else watch.execute({})

    assert result == {
        "stream": "s", "status": "ACTIVE", "open_shards": 2, "iterator_age_ms": 5000, "source": "shards",
    }  # fmt: skip
    assert hook.reads == [ReadUpTo({"shard-0": "7"}, None)] * 2


def test_without_an_age_asked_for_only_the_status_counts(sensor):
    hook = Hook((AS_DECLARED, None))

    assert sensor(hook, deferrable=True).execute({})["status"] == "ACTIVE"
    assert hook.reads == []


def test_an_age_that_nothing_knows_is_waited_for_and_said(sensor):
    watch = sensor(Hook(behind(None, "nothing")), max_iterator_age=timedelta(0), timeout=0.05)

    with pytest.raises(
        AirflowSensorTimeout, match="CloudWatch has none of the last minutes, and no `sql` says how far"
    ):
        watch.execute({})


def test_a_time_out_says_how_far_behind_the_readers_are(sensor):
    watch = sensor(Hook(behind(7300, "cloudwatch")), max_iterator_age=timedelta(seconds=5), timeout=0.05)

    with pytest.raises(
        AirflowSensorTimeout, match=r"readers of stream s, 7\.3 s \(from cloudwatch\) behind, to be with"
    ):
        watch.execute({})


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("seen", "message"),
    [(None, "Stream s does not exist: create it"), (busy("DELETING"), "Stream s is being deleted")],
    ids=["missing", "deleting"],
)
def test_what_will_not_become_active_fails_at_once(sensor, deferrable, seen, message):
    watch = sensor(Hook((busy("CREATING"), None), (seen, None)), deferrable=deferrable)

    with pytest.raises(PermanentError, match=message):
        run_deferred(watch) if deferrable else watch.execute({})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_iterator_age": timedelta(seconds=-1)}, "expected 0 or more"),
        ({"sql": "SELECT 1"}, "sql is given without max_iterator_age"),
    ],
)
def test_bad_input_is_refused_when_the_dag_is_read(arguments, message):
    with pytest.raises(ValueError, match=message):
        KinesisStreamSensor(task_id="w", stream_name="s", **arguments)
