"""The topic sensor and the landed sensor: they wait, on a worker or in the triggerer, to the same end."""

import asyncio
import json
import time
from datetime import UTC, datetime

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common import polling
from pinterest_pipeline.common.compat import AirflowSensorTimeout
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.kafka_rest.sensors import KafkaRestTopicSensor
from pinterest_pipeline.kafka_rest.triggers import KafkaRestTopicTrigger
from pinterest_pipeline.lake.objects import LakeObject
from pinterest_pipeline.lake.sensors import KafkaOffsetsLandedSensor
from pinterest_pipeline.lake.triggers import KafkaOffsetsLandedTrigger
from tests.unit.scripted_kafka_rest import Answer

SENT = datetime(2026, 11, 24, 12, tzinfo=UTC)
PRODUCED = [
    {
        "topic": "t",
        "started_at": SENT.isoformat(),
        "seconds": 1.0,
        "partitions": [{"partition": 0, "first_offset": 3, "last_offset": 9}],
    }
]
NONE, BEHIND, LANDED = 3, 5, 10  # the offset that follows the last one in the lake


class Lake:
    """A lake whose polls are scripted; the last one repeats."""

    def __init__(self, *polls):
        self.polls = list(polls)
        self.count = 0

    def update_landing(self, _topics_dir, landing):
        self.count += 1
        poll = self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        if isinstance(poll, Exception):
            raise poll
        time_ms = int(SENT.timestamp() * 1000)
        lines = [json.dumps({"kafka_offset": n, "kafka_timestamp": time_ms}).encode() for n in range(3, poll)]
        if lines:
            landing.take([LakeObject("k", 0, 3, ".json", SENT, str(poll))], lambda _key: lines)


@pytest.fixture
def lake(monkeypatch):
    def use(*polls):
        scripted = Lake(*polls)
        monkeypatch.setattr("pinterest_pipeline.lake.hook.LakeHook", lambda *_, **__: scripted)
        return scripted

    monkeypatch.setattr(polling, "FIRST_POLL_SECONDS", 0)
    return use


def landed_sensor(**arguments):
    defaults = {"task_id": "posts_landed", "bucket": "lake", "produced": PRODUCED, "poke_interval": 0.01}
    return KafkaOffsetsLandedSensor(**{**defaults, "deferrable": False, **arguments})


def topic_sensor(**arguments):
    defaults = {"task_id": "topics_exist", "topics": ["a", "b"], "poke_interval": 0.01, "deferrable": False}
    return KafkaRestTopicSensor(**{**defaults, **arguments})


def run_trigger(trigger):
    """Fire a trigger as the triggerer does: rebuilt from its serialized arguments."""
    path, arguments = trigger.serialize()
    assert path == f"{type(trigger).__module__}.{type(trigger).__name__}"
    again = type(trigger)(**json.loads(json.dumps(arguments)))

    async def events():
        return [event.payload async for event in again.run()]

    (event,) = asyncio.run(events())
    return event


def defer(sensor):
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    return deferred.value


def test_landed_sensor_waits_until_the_offset_is_in_the_lake(lake):
    scripted = lake(NONE, BEHIND, LANDED)

    assert landed_sensor().execute({}) == {"topics": {"t": {"0": 9}}}
    assert scripted.count == 3


def test_deferred_landed_sensor_waits_and_ends_as_the_other_does(lake):
    scripted = lake(NONE, BEHIND, LANDED)
    sensor = landed_sensor(deferrable=True)

    deferred = defer(sensor)
    event = run_trigger(deferred.trigger)

    assert scripted.count == 3
    assert getattr(sensor, deferred.method_name)({}, event) == {"topics": {"t": {"0": 9}}}


def test_what_is_ready_needs_no_deferral(lake):
    lake(LANDED)

    assert landed_sensor(deferrable=True).execute({}) == {"topics": {"t": {"0": 9}}}


def test_nothing_sent_is_ready_without_a_look(lake):
    scripted = lake(PermanentError("no bucket"))

    assert landed_sensor(produced=[{**PRODUCED[0], "partitions": []}]).execute({}) == {"topics": {}}
    assert scripted.count == 0


def test_time_out_says_which_partition_is_behind_and_by_how_much(lake):
    lake(BEHIND)

    with pytest.raises(AirflowSensorTimeout, match=r"t-0: 5 of 7 acknowledged offsets .* \(5-9\)"):
        landed_sensor(timeout=0.05).execute({})


def test_deferred_time_out_says_the_same(lake):
    lake(BEHIND)
    sensor = landed_sensor(deferrable=True, timeout=0.05)

    deferred = defer(sensor)
    started = time.monotonic()

    event = run_trigger(deferred.trigger)

    assert time.monotonic() - started < 5
    with pytest.raises(AirflowSensorTimeout, match=r"t-0: 5 of 7 acknowledged offsets .* \(5-9\)"):
        sensor.resume({}, event)


def test_deadline_is_absolute_so_that_a_restarted_trigger_keeps_it(lake):
    lake(BEHIND)

    deferred = defer(landed_sensor(deferrable=True, timeout=100))

    assert deferred.trigger.deadline == pytest.approx(time.time() + 100, abs=5)
    assert deferred.timeout.total_seconds() > 100


def test_passing_trouble_is_waited_out_either_way(lake):
    lake(TransientError("slow down"), LANDED)
    assert landed_sensor().execute({})

    lake(TransientError("slow down"), TransientError("slow down"), LANDED)
    assert run_trigger(defer(landed_sensor(deferrable=True)).trigger)["status"] == "ready"


def test_missing_bucket_fails_at_once_either_way(lake):
    lake(PermanentError("create the bucket"))
    with pytest.raises(PermanentError, match="create the bucket"):
        landed_sensor().execute({})

    lake(BEHIND, PermanentError("create the bucket"))
    sensor = landed_sensor(deferrable=True)
    with pytest.raises(PermanentError, match="create the bucket"):
        sensor.resume({}, run_trigger(defer(sensor).trigger))


@pytest.mark.parametrize("produced", [[None], [{"topic": "t"}], "text", None], ids=repr)
def test_what_the_operator_did_not_return_is_refused(lake, produced):
    lake(LANDED)

    with pytest.raises(PermanentError, match="posts_landed: `produced` must be results of KafkaRestProduceOperator"):
        landed_sensor(produced=produced).execute({})


def test_topic_sensor_waits_until_all_topics_exist(proxy):
    proxy.script = [Answer(["a"]), Answer(["a", "b", "c"])]

    assert topic_sensor().execute({}) == {"topics": ["a", "b"]}
    assert len(proxy.asked) == 2


def test_deferred_topic_sensor_waits_and_sends_the_key(proxy, monkeypatch):
    monkeypatch.setattr(polling, "FIRST_POLL_SECONDS", 0)
    proxy.script = [Answer(["a"]), Answer({"message": "x"}, 503), Answer(["a"]), Answer(["a", "b"])]
    sensor = topic_sensor(deferrable=True)

    event = run_trigger(defer(sensor).trigger)

    assert sensor.resume({}, event) == {"topics": ["a", "b"]}
    assert [asked.headers["x-api-key"] for asked in proxy.asked] == ["the-key"] * 4


def test_refused_key_fails_the_deferred_topic_sensor_at_once(proxy, monkeypatch):
    monkeypatch.setattr(polling, "FIRST_POLL_SECONDS", 0)
    proxy.script = [Answer(["a"]), Answer({"message": "Forbidden"}, 403)]
    sensor = topic_sensor(deferrable=True)

    with pytest.raises(PermanentError, match="check the password"):
        sensor.resume({}, run_trigger(defer(sensor).trigger))


def test_topic_time_out_names_what_is_missing(proxy):
    proxy.always = lambda asked: Answer(["a"])

    with pytest.raises(AirflowSensorTimeout, match="Still waiting for topics b"):
        topic_sensor(timeout=0.05).execute({})


@pytest.mark.parametrize("trigger_class", [KafkaRestTopicTrigger, KafkaOffsetsLandedTrigger])
def test_triggers_give_the_deferral_a_head_start(trigger_class):
    assert polling.FIRST_POLL_SECONDS >= 1
    assert issubclass(trigger_class, polling.PollingTrigger)
