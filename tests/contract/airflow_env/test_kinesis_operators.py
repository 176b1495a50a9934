"""Ensure, scale and delete against the Kinesis stand-in, looked at by plain boto3."""

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common import polling
from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.kinesis.delete_stream import KinesisDeleteStreamOperator
from pinterest_pipeline.kinesis.hook import KinesisStreamHook
from pinterest_pipeline.kinesis.model import StreamRecord
from pinterest_pipeline.kinesis.operators import (
    KinesisEnsureStreamOperator,
    KinesisScaleStreamOperator,
)
from pinterest_pipeline.kinesis.sensors import KinesisStreamSensor
from tests.support.kinesis import KinesisLab
from tests.support.postgres import create_tables

SQL = Path(__file__).resolve().parents[3] / "include" / "sql"
COMMITTED = """
INSERT INTO stream.position (stream, shard_id, sequence_number) VALUES (%s, %s, %s)
ON CONFLICT (stream, shard_id) DO UPDATE SET sequence_number = excluded.sequence_number"""
QUICKLY = {"poll_seconds": 0.1, "timeout": timedelta(seconds=60), "deferrable": False}


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("kinesis", "ministack", "postgres")


@pytest.fixture
def warehouse(environment, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_WAREHOUSE", environment["PINTEREST_WAREHOUSE_URL"])
    hook = PostgresHook("pinterest_warehouse")
    create_tables(environment["PINTEREST_WAREHOUSE_URL"])
    return hook


@pytest.fixture
def lab(environment, use_aws):
    use_aws(environment)
    lab = KinesisLab(environment)
    yield lab
    lab.delete()


def run(kind, lab, **arguments):
    return kind(task_id="t", stream_name=lab.name, **{**QUICKLY, **arguments}).execute({})


def ensure(lab, **arguments):
    return run(KinesisEnsureStreamOperator, lab, **arguments)


def scale(lab, target):
    return run(KinesisScaleStreamOperator, lab, target_shard_count=target)


def delete(lab, **arguments):
    return run(KinesisDeleteStreamOperator, lab, **arguments)


def test_a_stream_is_created_left_alone_and_changed_where_it_differs(lab):
    declared = {"shard_count": 2, "retention_hours": 48, "key_id": "alias/aws/kinesis", "tags": {"a": "1"}}
    created = ensure(lab, **declared)
    again = ensure(lab, **declared)
    changed = ensure(lab, shard_count=3, retention_hours=24, tags={"a": "2", "b": "3"}, accept=["encryption"])
    unchanged = ensure(lab, shard_count=3, retention_hours=24)

    assert created["actions"][0] == "create PROVISIONED with 2 shards"
    assert "retention 24 h -> 48 h" in created["actions"]
    assert again["actions"] == []
    assert changed["actions"] == ["shards 2 -> 3", "retention 48 h -> 24 h", "encryption off", "tags a, b"]
    assert unchanged["actions"] == []
    summary = lab.summary()
    assert (summary["OpenShardCount"], summary["RetentionPeriodHours"], summary["EncryptionType"]) == (3, 24, "NONE")
    assert KinesisStreamHook().find(lab.name).tags == {"a": "2", "b": "3"}


def test_the_mode_is_converged_both_ways(lab):
    ensure(lab, shard_count=1)

    [left] = ensure(lab, mode="ON_DEMAND", shard_count=None)["left"]
    assert left.startswith("mode PROVISIONED -> ON_DEMAND is not made: ")
    on_demand = ensure(lab, mode="ON_DEMAND", shard_count=None, accept=["mode"])
    assert on_demand["actions"] == ["mode PROVISIONED -> ON_DEMAND"]
    with pytest.raises(PermanentError, match="is ON_DEMAND and scales itself: leave it to that, or declare"):
        scale(lab, 2)

    assert "mode ON_DEMAND -> PROVISIONED" in ensure(lab, shard_count=1, accept=["mode"])["actions"]


def test_two_to_four_to_three_shards_and_every_record_is_still_there(lab):
    lab.create(shards=2)
    hook = KinesisStreamHook()
    for step, target in enumerate((4, 3)):
        hook.put_records(lab.name, [StreamRecord(str(n), b"%d-%d" % (step, n)) for n in range(100)])
        result = scale(lab, target)
        assert result["open_shards"] == lab.summary()["OpenShardCount"] == target
    hook.put_records(lab.name, [StreamRecord(str(n), b"2-%d" % n) for n in range(100)])

    found = sorted(record["Data"] for record in lab.records())
    assert found == sorted(b"%d-%d" % (step, n) for step in range(3) for n in range(100))


def test_five_shards_from_one_take_the_calls_that_kinesis_needs(lab):
    lab.create(shards=1)

    assert scale(lab, "5")["actions"] == ["shards 1 -> 2", "shards 2 -> 4", "shards 4 -> 5"]
    assert scale(lab, 5)["actions"] == []


def test_a_stream_is_kept_while_a_record_is_unread_and_deleted_by_what_was_committed(lab, warehouse):
    lab.create(shards=2)
    hook = KinesisStreamHook()
    read = hook.put_records(lab.name, [StreamRecord(str(n), b"x") for n in range(20)])
    for shard in read.shards:
        warehouse.run(COMMITTED, parameters=(lab.name, shard.shard_id, shard.last_sequence_number))
    late = hook.put_records(lab.name, [StreamRecord("late", b"x")]).shards[0]
    asked = {"sql": (SQL / "stream" / "read_up_to.sql").read_text(), "parameters": {"stream": lab.name}}

    with pytest.raises(PermanentError, match=rf"in {late.shard_id} \({late.last_sequence_number}\): let the readers"):
        delete(lab, **asked)
    assert lab.summary()["StreamStatus"] == "ACTIVE"
    warehouse.run(COMMITTED, parameters=(lab.name, late.shard_id, late.last_sequence_number))
    assert delete(lab, **asked) == {"stream": lab.name, "deleted": True, "actions": ["delete"]}
    assert delete(lab, **asked) == {"stream": lab.name, "deleted": False, "actions": []}


def test_positions_of_an_earlier_stream_of_the_name_do_not_count(lab):
    hook = KinesisStreamHook()
    lab.create(shards=1)
    [old] = hook.put_records(lab.name, [StreamRecord("a", b"x")]).shards
    read = {old.shard_id: old.last_sequence_number}
    assert hook.unread(lab.name, read) == ()
    delete(lab, force=True)
    time.sleep(1.1)  # the numbers of a shard begin with the second in which it was made

    lab.create(shards=1)
    [new] = hook.put_records(lab.name, [StreamRecord("a", b"x")]).shards

    assert [one.sequence_number for one in hook.unread(lab.name, read)] == [new.first_sequence_number]


def test_without_records_it_is_deleted_freely_and_by_force_with_them(lab):
    lab.create(shards=1)
    assert delete(lab)["deleted"]

    lab.create(shards=1)
    KinesisStreamHook().put_records(lab.name, [StreamRecord("a", b"x")])
    with pytest.raises(PermanentError, match="unread records in 1 shards"):
        delete(lab)
    assert delete(lab, force="True")["actions"] == ["delete, giving up unread records in 1 shards"]


def test_deferred_each_ends_as_it_does_on_a_worker(lab, monkeypatch):
    monkeypatch.setattr(polling, "FIRST_POLL_SECONDS", 0)
    arguments = {"stream_name": lab.name, **QUICKLY, "deferrable": True}

    created = to_the_end(KinesisEnsureStreamOperator(task_id="e", shard_count=1, retention_hours=25, **arguments))
    scaled = to_the_end(KinesisScaleStreamOperator(task_id="s", target_shard_count=3, **arguments))
    deleted = to_the_end(KinesisDeleteStreamOperator(task_id="r", **arguments))

    assert created["actions"][-1] == "retention 24 h -> 25 h"
    assert scaled["actions"] == ["shards 1 -> 2", "shards 2 -> 3"]
    assert deleted["deleted"]


def test_the_sensor_waits_for_the_readers_and_finds_no_age_in_cloudwatch(lab, monkeypatch):
    lab.create(shards=2)
    KinesisStreamHook().put_records(lab.name, [StreamRecord(str(n), b"x") for n in range(10)])
    last_arrival = max(record["ApproximateArrivalTimestamp"] for record in lab.records())
    polls = iter([None, last_arrival])
    database = SimpleNamespace(get_records=lambda *_: [(None, None, next(polls))])
    monkeypatch.setattr("pinterest_pipeline.warehouse.hook.PipelinePostgresHook", lambda _: database)
    watch = {"task_id": "w", "stream_name": lab.name, "poke_interval": 0.1, "timeout": 60, "deferrable": False}

    assert KinesisStreamSensor(**watch).execute({})["open_shards"] == 2
    result = KinesisStreamSensor(**watch, max_iterator_age=timedelta(0), sql="SELECT").execute({})
    assert (result["iterator_age_ms"], result["source"]) == (0, "shards")


def test_what_does_not_exist_is_named_with_the_remedy(lab):
    missing = rf"Stream {lab.name} does not exist: create it \(DAG pinterest_kinesis_streams\)"

    with pytest.raises(PermanentError, match=missing):
        scale(lab, 2)
    with pytest.raises(PermanentError, match=missing):
        KinesisStreamSensor(task_id="w", stream_name=lab.name, deferrable=True).execute({})
    with pytest.raises(PermanentError, match="refused with ResourceNotFoundException"):
        KinesisStreamHook().put_records(lab.name, [StreamRecord("a", b"x")])
    assert KinesisStreamHook().test_connection()[0]


def to_the_end(operator):
    """Run an operator as the scheduler and the triggerer do: through JSON, and rebuilt after each deferral."""
    method, arguments = operator.execute, {}
    for _ in range(20):
        try:
            return method({}, **arguments)
        except TaskDeferred as deferred:
            _, stored = deferred.trigger.serialize()
            trigger = type(deferred.trigger)(**json.loads(json.dumps(stored)))
            event = asyncio.run(first_event(trigger))
            method, arguments = getattr(operator, deferred.method_name), {**deferred.kwargs, "event": event}
    raise AssertionError("deferred without end")


async def first_event(trigger):
    return (await asyncio.wait_for(anext(trigger.run()), 60)).payload
