"""The landed sensor against real objects in the S3 stand-in."""

import asyncio
import gzip
import json
import uuid

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common.compat import AirflowSensorTimeout
from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.lake import hook as lake_hooks
from pinterest_pipeline.lake.hook import LakeHook
from pinterest_pipeline.lake.sensors import KafkaOffsetsLandedSensor


@pytest.fixture(autouse=True)
def environment(stand_ins, monkeypatch):
    variables = stand_ins("ministack")
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://")
    for name, value in variables.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def lake(environment):
    """A folder of the bucket, as the sink would fill it."""
    return Lake(environment["PINTEREST_BUCKET"], f"test/{uuid.uuid4().hex[:8]}")


class Lake:
    def __init__(self, bucket, topics_dir):
        self.bucket = bucket
        self.topics_dir = topics_dir
        self.hook = LakeHook(bucket)

    def land(self, topic, partition, start, last, *, day="2026-11-24", suffix=".json.gz"):
        lines = "".join(
            json.dumps({"payload": "{}", "kafka_topic": topic, "kafka_partition": partition, "kafka_offset": offset})
            + "\n"
            for offset in range(start, last + 1)
        ).encode()
        content = gzip.compress(lines) if suffix.endswith(".gz") else lines
        key = f"{self.topics_dir}/{topic}/dt={day}/{topic}+{partition}+{start:010d}{suffix}"
        self.hook.load_bytes(content, key, self.bucket, replace=True)

    def sensor(self, topic="t", bucket=None, **last_offsets):
        partitions = [
            {"partition": int(name[1:]), "first_offset": 0, "last_offset": last} for name, last in last_offsets.items()
        ]
        produced = [{"topic": topic, "started_at": "2026-11-24T10:00:00+00:00", "partitions": partitions}]
        return KafkaOffsetsLandedSensor(
            task_id="posts_landed", bucket=bucket or self.bucket, produced=produced, topics_dir=self.topics_dir,
            poke_interval=0.1, timeout=0.2, deferrable=False,
        )  # fmt: skip


def test_lands_when_each_partitions_newest_object_has_its_last_offset(lake):
    lake.land("t", 0, 0, 9)
    lake.land("t", 0, 10, 19, day="2026-11-25")
    lake.land("t", 1, 0, 4, suffix=".json")

    assert lake.sensor(p0=19, p1=4).execute({}) == {"topics": {"t": {"0": 19, "1": 4}}}


def test_waits_and_says_what_is_behind(lake):
    lake.land("t", 0, 0, 9)
    lake.land("t+1", 1, 0, 99)

    with pytest.raises(
        AirflowSensorTimeout, match=r"t-0: 1 behind \(offset 9 of 10\); t-1: no object since 2026-11-23"
    ):
        lake.sensor(p0=10, p1=0).execute({})


def test_objects_of_days_before_the_sending_are_not_even_listed(lake):
    lake.land("t", 0, 0, 9, day="2026-11-22")

    with pytest.raises(AirflowSensorTimeout, match="t-0: no object since 2026-11-23"):
        lake.sensor(p0=9).execute({})


def test_day_before_the_sending_counts_for_clocks_differ(lake):
    lake.land("t", 0, 0, 9, day="2026-11-23")

    assert lake.sensor(p0=9).execute({})


def test_more_objects_than_one_page_of_a_listing(lake, monkeypatch):
    monkeypatch.setattr(lake_hooks, "KEYS_PER_PAGE", 3)
    for start in range(10):
        lake.land("t", 0, start, start, suffix=".json")

    assert lake.sensor(p0=9).execute({}) == {"topics": {"t": {"0": 9}}}


def test_deferred_it_looks_from_the_event_loop(lake):
    sensor = lake.sensor(p0=9)
    sensor.deferrable, sensor.timeout = True, 30
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})

    async def events():
        async def land_later():
            await asyncio.sleep(1.5)
            await asyncio.to_thread(lake.land, "t", 0, 0, 9)

        landing = asyncio.create_task(land_later())
        fired = [event.payload async for event in deferred.value.trigger.run()]
        await landing
        return fired

    (event,) = asyncio.run(events())
    assert sensor.resume({}, event) == {"topics": {"t": {"0": 9}}}


def test_test_connection_tells_whether_the_bucket_is_there(lake):
    assert lake.hook.test_connection() == (True, f"s3://{lake.bucket} is there and may be listed")
    worked, said = LakeHook("no-such-bucket").test_connection()
    assert not worked
    assert "create the bucket" in said


def test_missing_bucket_is_named_with_its_remedy(lake):
    with pytest.raises(PermanentError, match=r"no-such-bucket.*create the bucket, or correct `bucket`"):
        lake.sensor(bucket="no-such-bucket", p0=1).execute({})


def test_object_without_offsets_is_named(lake):
    key = f"{lake.topics_dir}/t/dt=2026-11-24/t+0+0000000000.json"
    lake.hook.load_bytes(b'{"index": 1}\n', key, lake.bucket)

    with pytest.raises(PermanentError, match="InsertField"):
        lake.sensor(p0=0).execute({})
