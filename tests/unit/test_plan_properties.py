"""Whatever is planned: windows, the way to a declared stream, and what must be in the lake."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.offsets import add, bounded, ranges_of, subtract
from pinterest_pipeline.dag.window import choose_window
from pinterest_pipeline.kinesis.model import StreamDescription
from pinterest_pipeline.kinesis.plan import Change, StreamSpec, next_step, scale_path
from pinterest_pipeline.lake.landing import Landing, Target, target_from_json, target_to_json
from pinterest_pipeline.lake.objects import sink_objects
from tests.support.properties import repeatable

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.builds(
    lambda seconds, microsecond, zone: datetime.fromtimestamp(seconds, zone).replace(microsecond=microsecond),
    st.integers(1_100_000_000, 4_000_000_000), st.sampled_from([0, 1, 999_999]), OFFSETS,
)  # fmt: skip
SHARDS = st.integers(1, 10_000)


@repeatable
@given(TIMES, TIMES)
def test_a_window_is_the_same_instants_in_utc_however_they_are_written(start, end):
    if end <= start:
        with pytest.raises(PermanentError, match="not after its start"):
            choose_window(start.isoformat(), end.isoformat(), None, None)
        return
    window = choose_window(start.isoformat(), end.isoformat(), None, None)

    assert datetime.fromisoformat(window["window_start"]).replace(tzinfo=UTC) == start
    assert datetime.fromisoformat(window["window_end"]).replace(tzinfo=UTC) == end
    assert choose_window(None, None, start, end) == {**window, "include_undated": False}


@repeatable
@given(SHARDS, SHARDS)
def test_shards_are_at_most_doubled_or_halved_and_no_shorter_way_exists(current, target):
    path = scale_path(current, target)

    for before, after in zip([current, *path], path, strict=False):
        assert math.ceil(before / 2) <= after <= 2 * before
    assert [current, *path][-1] == target
    fewest = next(n for n in range(20) if math.ceil(current / 2**n) <= target <= current * 2**n)
    assert len(path) == fewest


def changed(stream, change):
    """Return the stream after a call, as the service would report it."""
    arguments = change.arguments
    match change.operation:
        case "update_stream_mode":
            return replace(stream, mode=arguments["StreamModeDetails"]["StreamMode"])
        case "update_shard_count":
            return replace(stream, open_shard_count=arguments["TargetShardCount"])
        case "increase_stream_retention_period" | "decrease_stream_retention_period":
            is_longer = arguments["RetentionPeriodHours"] > stream.retention_hours
            assert is_longer == change.operation.startswith("increase")
            return replace(stream, retention_hours=arguments["RetentionPeriodHours"])
        case "start_stream_encryption":
            return replace(stream, encryption="KMS", key_id=arguments["KeyId"])
        case "stop_stream_encryption":
            return replace(stream, encryption="NONE", key_id=None)
        case "add_tags_to_stream":
            return replace(stream, tags={**stream.tags, **arguments["Tags"]})
    raise ValueError(change.operation)


MODES = st.sampled_from(["ON_DEMAND", "PROVISIONED"])
KEYS = st.sampled_from([None, "alias/posts", "1234"])
TAGS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"))
HOURS = st.integers(24, 8760)
STREAMS = st.builds(
    lambda key, **values: StreamDescription(
        "s", "arn", "ACTIVE", encryption="KMS" if key else "NONE", key_id=key, **values
    ),
    KEYS, mode=MODES, open_shard_count=st.integers(1, 200), retention_hours=HOURS, tags=TAGS,
)  # fmt: skip
SPECS = st.builds(
    lambda mode, shards, **values: StreamSpec("s", mode, None if mode == "ON_DEMAND" else shards, **values),
    MODES, st.integers(1, 200), retention_hours=HOURS, key_id=KEYS, tags=TAGS,
)  # fmt: skip


@repeatable
@given(STREAMS, SPECS)
def test_from_any_stream_the_steps_lead_to_the_declared_one(stream, spec):
    others = {key: value for key, value in stream.tags.items() if key not in spec.tags}
    for _ in range(20):
        step = next_step(stream, spec)
        if step is None:
            break
        assert isinstance(step, Change)
        stream = changed(stream, step)

    assert next_step(stream, spec) is None
    assert (stream.mode, stream.retention_hours, stream.key_id) == (spec.mode, spec.retention_hours, spec.key_id)
    assert spec.shard_count in {None, stream.open_shard_count}
    assert stream.tags == {**others, **spec.tags}


SENT_FROM = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACKNOWLEDGED = st.sets(st.integers(0, 30), min_size=1)
BATCHES = st.lists(st.sets(st.integers(0, 30), min_size=1), max_size=6)  # of offsets, in any order, with copies


@repeatable
@given(ACKNOWLEDGED, BATCHES, st.sampled_from([-3600, 1]))
def test_all_has_landed_exactly_when_every_acknowledged_offset_is_in_an_object_of_this_sending(offsets, batches, age):
    target = Target("t", SENT_FROM, SENT_FROM + timedelta(seconds=5), {0: ranges_of(offsets)})
    lines = {
        f"topics/t/dt=2026-11-{number + 20}/t+0+{min(batch):010}.json": [
            json.dumps({"kafka_offset": one, "kafka_timestamp": SENT_FROM.timestamp() * 1000}).encode()
            for one in sorted(batch)
        ]
        for number, batch in enumerate(batches)
    }
    written_at = SENT_FROM + timedelta(seconds=age)
    objects = sink_objects([{"Key": key, "LastModified": written_at, "ETag": "1"} for key in lines], "t")
    landed = set().union(*batches) if age > 0 else set()
    restarted = age < 0 and any(one.start >= min(offsets) for one in objects)

    landing = Landing(target_from_json(json.loads(json.dumps(target_to_json(target)))))
    if restarted:
        with pytest.raises(ValueError, match=r"begin again|created again"):
            landing.take(objects, lines.__getitem__)
        return
    landing.take(objects, lines.__getitem__)

    assert (landing.behind() == []) == (offsets <= landed)


@repeatable
@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)), st.integers(1, 5))
def test_ranges_of_offsets_are_the_sets_that_they_stand_for(some, others, limit):
    merged = ranges_of(some)
    for one in others:
        add(merged, (one, one))

    assert expanded(merged) == some | others
    assert merged == ranges_of(some | others)
    assert expanded(subtract(ranges_of(some), ranges_of(others))) == some - others
    assert expanded(bounded(merged, limit)) >= some | others
    assert len(bounded(merged, limit)) <= limit


def expanded(ranges):
    return {offset for first, last in ranges for offset in range(first, last + 1)}
