"""The landed sensor against real objects in the S3 stand-in."""

import asyncio
import gzip
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.lake import hook as lake_hooks
from pinterest_pipeline.lake.hook import LakeHook
from tests.contract.airflow_env.lake_folder import Lake

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def environment(stand_ins, use_aws):
    variables = stand_ins("ministack")
    use_aws(variables)
    return variables


@pytest.fixture
def lake(environment):
    """A folder of the bucket, as the sink would fill it."""
    return Lake(environment["PINTEREST_BUCKET"], f"test/{uuid.uuid4().hex[:8]}")


def test_lands_when_the_objects_of_each_partition_hold_every_offset(lake):
    lake.land(0, range(10))
    lake.land(0, range(10, 20), later=1)
    lake.land(1, range(5), suffix=".json")

    assert lake.sensor(p0=19, p1=4).execute({}) == {"topics": {"t": {"0": 19, "1": 4}}}


def test_waits_and_says_what_is_missing(lake):
    lake.land(0, range(10))
    lake.land(1, range(100), topic="t+1")

    lake.waits(r"t-0: 1 of 11 acknowledged offsets .*\(10\); t-1: 1 of 1 .*\(0\), no object of it since", p0=10, p1=0)


def test_one_rotation_over_midnight_lands_with_two_objects_in_two_folders(lake):
    """Offsets 0, 1, 2 at 23:59:59.800, 00:00:00.005, 23:59:59.980: the first and the last lie in the first day's."""
    lake.land(0, [1], later=1)
    lake.waits(r"t-0: 2 of 3 acknowledged offsets .*\(0, 2\)", p0=2)

    lake.land(0, [0, 2])

    assert lake.sensor(p0=2).execute({}) == {"topics": {"t": {"0": 2}}}


def test_a_rebalance_that_began_again_lower_lands(lake):
    lake.land(0, range(1309))
    lake.land(0, range(1768, 2151))
    lake.land(0, range(1309, 3715))

    assert lake.sensor(p0=3714).execute({}) == {"topics": {"t": {"0": 3714}}}


def test_a_hole_under_a_later_object_is_not_landed(lake):
    lake.land(0, range(5))
    lake.land(0, range(6, 20))

    lake.waits(r"t-0: 1 of 10 .*\(5\), later ones are: see the topic of the connector's dead letters", p0=9)


def test_what_was_never_acknowledged_is_not_waited_for(lake):
    lake.land(0, [0, 1, 4, 5])

    assert lake.sensor(p0=5, gaps=[[2, 3]]).execute({})


def test_a_new_topic_at_the_old_offsets_has_not_landed_with_the_old_ones_objects(lake):
    """Day 2 acknowledges offsets 0 to 4 again, and no connector runs."""
    lake.land(0, range(5))

    lake.waits("1 objects from before the sending do not count", sent=lake.now + 90 * SECOND, p0=4)


def test_offsets_that_went_back_fail_at_once_and_name_both(lake):
    key = lake.land(0, range(5))

    with pytest.raises(
        PermanentError, match="Kafka acknowledged offset 0, but the lake has had offset 0 since"
    ) as raised:
        lake.sensor(sent=lake.now + timedelta(minutes=16), p0=4).execute({})

    assert "topic t, partition 0" in str(raised.value)
    assert key in str(raised.value)
    assert "docs/runbook.md" in str(raised.value)


def test_a_generation_of_its_own_lands_by_its_own_objects_and_leaves_the_old_ones(lake):
    second = f"{lake.topics_dir}-2"
    old = lake.land(0, range(5), at=lake.now - timedelta(hours=1))
    lake.waits("t-0: 5 of 5", topics_dir=second, p0=4)

    lake.land(0, range(5), topics_dir=second)

    assert lake.sensor(topics_dir=second, p0=4).execute({})
    assert lake.hook.last_landed(lake.topics_dir, "t") == {0: (4, old)}


def test_records_of_an_older_generation_in_a_rewritten_object_do_not_count(lake):
    lake.land(0, range(5), at=lake.now - timedelta(hours=1))

    lake.waits("of an older generation of the topic, or a clock is wrong", p0=4)


def test_a_partition_that_is_new_lands_later(lake):
    lake.land(0, range(2))
    lake.waits(r"t-7: 2 of 2 acknowledged offsets .*, no object of it since", p0=1, p7=1)

    lake.land(7, range(2))

    assert lake.sensor(p0=1, p7=1).execute({}) == {"topics": {"t": {"0": 1, "7": 1}}}


def test_objects_of_days_before_the_sending_are_not_even_listed(lake):
    lake.land(0, range(10), later=-2)

    lake.waits(rf"no object of it since {lake.day(-1)}", p0=9)


def test_day_before_the_sending_counts_for_clocks_differ(lake):
    lake.land(0, range(10), later=-1)

    assert lake.sensor(p0=9).execute({})


def test_more_than_a_thousand_objects_in_a_folder(lake):
    """S3 lists at most 1,000 of them at once; the awaited one comes last."""
    client = lake.hook.get_conn()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: client.put_object(Bucket=lake.bucket, Key=lake.key(1, n), Body=b""), range(1005)))
    lake.land(9, range(3))

    assert lake.sensor(p9=2).execute({}) == {"topics": {"t": {"9": 2}}}


def test_the_last_landed_offset_before_a_sending_is_found_over_several_pages(lake, monkeypatch):
    monkeypatch.setattr(lake_hooks, "KEYS_PER_PAGE", 2)
    for days in range(-4, 1):
        lake.land(0, [days + 10], later=days)
    lake.land(1, range(1768, 2151))
    newest = lake.land(1, range(1309, 3715))

    found = lake.hook.last_landed(lake.topics_dir, "t")

    assert found == {0: (10, lake.key(0, 10)), 1: (3714, newest)}
    assert lake.hook.last_landed(lake.topics_dir, "other") == {}


def test_deferred_it_looks_from_the_event_loop(lake):
    sensor = lake.sensor(p0=9)
    sensor.deferrable, sensor.timeout = True, 30
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})

    async def events():
        async def land_later():
            await asyncio.sleep(1.5)
            await asyncio.to_thread(lake.land, 0, range(10))

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


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        pytest.param(".json", b'{"index": 1}\n', "InsertField", id="no lineage"),
        pytest.param(".json.gz", b"not gzip", "cannot be read", id="no gzip"),
        pytest.param(".json.gz", gzip.compress(b"x" * 1000)[:-9], "cannot be read", id="cut off"),
        pytest.param(".json", b"", "is empty", id="empty"),
        pytest.param(".avro", b"Obj", "must be JsonFormat", id="another format"),
    ],
)
def test_an_object_that_is_of_no_use_is_named(lake, suffix, content, message):
    key = lake.key(0, 0, suffix=suffix)
    lake.put(key, content)

    with pytest.raises(PermanentError, match=message) as raised:
        lake.sensor(p0=0).execute({})

    assert key in str(raised.value)
