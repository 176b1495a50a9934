"""Landed or not: told by the newest object of each partition, in whichever day's folder."""

import json

import pytest

from pinterest_pipeline.lake.landing import (
    Target,
    behind,
    check_landed,
    last_offset,
    newest_objects,
    target_from_json,
    target_to_json,
    targets_of,
)


def produced(topic="pinterest.pin", started_at="2026-11-24T00:30:00+00:00", **last_offsets):
    partitions = [
        {"partition": int(name[1:]), "first_offset": 0, "last_offset": last} for name, last in last_offsets.items()
    ]
    return {"topic": topic, "started_at": started_at, "partitions": partitions}


def key(partition, start, day="2026-11-24", topic="pinterest.pin", suffix=".json.gz"):
    return f"topics/{topic}/dt={day}/{topic}+{partition}+{start:010d}{suffix}"


def test_targets_look_back_one_day():
    assert targets_of([produced(p0=9)]) == [Target("pinterest.pin", "2026-11-23", {0: 9})]


def test_day_is_that_of_utc():
    (target,) = targets_of([produced(started_at="2026-11-24T01:00:00+05:00", p0=9)])

    assert target.since == "2026-11-22"


def test_nothing_sent_is_nothing_to_wait_for():
    assert targets_of([produced()]) == []
    assert check_landed([], {}).result == {"topics": {}}


def test_results_of_one_topic_are_joined():
    targets = targets_of([produced(p0=9, p1=1), produced(p0=5, p2=3, started_at="2026-11-20T12:00:00+00:00")])

    assert targets == [Target("pinterest.pin", "2026-11-19", {0: 9, 1: 1, 2: 3})]


def test_targets_survive_json():
    target = Target("t", "2026-11-23", {0: 9, 11: 2})

    assert target_from_json(json.loads(json.dumps(target_to_json(target)))) == target


def test_newest_object_is_found_across_days_and_names_in_the_order_in_which_s3_lists_them():
    keys = [
        key(0, 900, day="2026-11-25", suffix=".json"),
        key(0, 9),
        key(0, 1000, day="2026-11-24"),
        key(1, 5),
        "topics/pinterest.pin/dt=2026-11-24/_SUCCESS",
        key(0, 99999, topic="pinterest.pinned"),
    ]

    assert newest_objects(sorted(keys), "pinterest.pin") == {0: key(0, 1000), 1: key(1, 5)}


def test_last_offset_is_that_of_the_last_line():
    content = b'{"payload":"a","kafka_offset":7}\n{"payload":"{\\"kafka_offset\\":1}","kafka_offset":8}\n'

    assert last_offset(content, "k") == 8


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"7\n", b"null\n", b'{"kafka_offset":null}', b"\x1f\x8b"])
def test_object_that_the_sink_did_not_write_is_named(content):
    with pytest.raises(ValueError, match="object the-key: its last line has no kafka_offset"):
        last_offset(content, "the-key")


@pytest.mark.parametrize(("offset", "late"), [(8, True), (9, False), (10, False)])
def test_landed_is_at_or_past_the_last_acknowledged_offset(offset, late):
    assert bool(behind([Target("t", "2026-11-23", {0: 9})], {"t": {0: offset}})) is late


def test_says_which_partition_is_behind_and_by_how_much():
    targets = [Target("t", "2026-11-23", {0: 9, 1: 4}), Target("u", "2026-11-23", {0: 1})]

    seen = check_landed(targets, {"t": {0: 9, 1: 1}})

    assert seen.result is None
    assert seen.waiting_for == ("t-1: 3 behind (offset 1 of 4); u-0: no object since 2026-11-23, offset 1 is awaited")


def test_ready_tells_the_offsets_in_the_lake():
    seen = check_landed([Target("t", "2026-11-23", {0: 9})], {"t": {0: 12}})

    assert seen.result == {"topics": {"t": {"0": 12}}}
