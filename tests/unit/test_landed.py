"""Landed or not: each acknowledged offset must be in an object that was written since the sending began."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from pinterest_pipeline.lake.landing import (
    CLOCK_TOLERANCE,
    Landing,
    Target,
    check_landed,
    target_from_json,
    target_to_json,
    targets_of,
)
from pinterest_pipeline.lake.objects import sink_objects

SENT = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
MIDNIGHT_MS = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp() * 1000)


def produced(topic="t", started_at="2026-11-24T00:30:00+00:00", seconds=59.0, gaps=(), **last_offsets):
    partitions = [
        {"partition": int(name[1:]), "first_offset": 0, "last_offset": last, **({"gaps": list(gaps)} if gaps else {})}
        for name, last in last_offsets.items()
    ]
    return {"topic": topic, "started_at": started_at, "seconds": seconds, "partitions": partitions}


class Lake:
    """A topic's objects, and which of them were read."""

    def __init__(self):
        self.objects = {}
        self.read = []

    def land(self, partition, offsets, *, start=None, day="2026-11-24", written=60, at_ms=None, suffix=".json.gz"):
        """Store an object: ``written`` and the records' times are seconds since the sending began."""
        name = offsets[0] if start is None else start
        key = f"topics/t/dt={day}/t+{partition}+{name:010d}{suffix}"
        at_ms = int(SENT.timestamp() * 1000) + 1000 if at_ms is None else at_ms
        lines = [json.dumps({"kafka_offset": one, "kafka_timestamp": at_ms}).encode() for one in offsets]
        entry = {"Key": key, "LastModified": SENT + timedelta(seconds=written), "ETag": f"{len(self.objects)}"}
        self.objects[key] = (entry, lines)
        return key

    def lines(self, key):
        self.read.append(key)
        return self.objects[key][1]

    def update(self, landing):
        landing.take(sink_objects([entry for entry, _ in self.objects.values()], "t"), self.lines)
        return check_landed([landing])


@pytest.fixture
def lake():
    return Lake()


def landing_of(**arguments):
    (target,) = targets_of([produced(**arguments)])
    return Landing(target)


def test_a_target_is_what_was_acknowledged_and_when():
    assert targets_of([produced(p0=9, gaps=[[3, 4]])]) == [
        Target("t", SENT, SENT + timedelta(minutes=1), {0: [(0, 2), (5, 9)]})
    ]


def test_the_first_folder_is_of_the_day_before_in_utc():
    (target,) = targets_of([produced(started_at="2026-11-24T01:00:00+05:00", p0=9)])

    assert target.since == "2026-11-22"


def test_nothing_sent_is_nothing_to_wait_for():
    assert targets_of([produced()]) == []
    assert check_landed([]).result == {"topics": {}}


def test_results_of_one_topic_are_joined():
    (target,) = targets_of([produced(p0=9, p1=1), produced(p0=12, p2=3, started_at="2026-11-20T12:00:00+00:00")])

    assert target.offsets == {0: [(0, 12)], 1: [(0, 1)], 2: [(0, 3)]}
    assert (target.since, target.sent_until) == ("2026-11-19", SENT + timedelta(minutes=1))


def test_targets_survive_json():
    (target,) = targets_of([produced(p0=9, p11=2, gaps=[[1, 1]])])

    assert target_from_json(json.loads(json.dumps(target_to_json(target)))) == target


def test_one_rotation_over_midnight_has_landed_with_both_of_its_objects(lake):
    """The issue's input (a): offsets 0, 1, 2 at 23:59:59.800, 00:00:00.005 and 23:59:59.980."""
    landing = landing_of(started_at="2026-11-24T23:59:50+00:00", seconds=12, p0=2)
    late = 24 * 3600
    lake.land(0, [0, 2], at_ms=MIDNIGHT_MS - 200, written=late)

    assert lake.update(landing).waiting_for.startswith("t-0: 1 of 3 acknowledged offsets are not in the lake (1)")

    lake.land(0, [1], at_ms=MIDNIGHT_MS + 5, day="2026-11-25", written=late)

    assert lake.update(landing).result == {"topics": {"t": {"0": 2}}}


def test_what_a_rebalance_wrote_again_from_a_lower_offset_has_landed(lake):
    """The issue's input (b): object +1768 with last 2150, and afterwards object +1309 with last 3714; target 3714."""
    lake.land(0, range(1309))
    lake.land(0, range(1768, 2151))
    lake.land(0, range(1309, 3715), written=120)

    assert lake.update(landing_of(p0=3714)).result == {"topics": {"t": {"0": 3714}}}


def test_the_object_with_the_highest_offset_alone_is_not_enough(lake):
    lake.land(0, range(5))
    lake.land(0, range(7, 10))

    said = lake.update(landing_of(p0=9)).waiting_for

    assert said == (
        "t-0: 2 of 10 acknowledged offsets are not in the lake (5-6), later ones are: see the topic of the connector's "
        "dead letters"
    )


def test_offsets_that_were_not_acknowledged_hold_nothing_up(lake):
    """A transaction's marker at 3, and another producer's records at 5 and 6, of which 5 was compacted away."""
    lake.land(0, [0, 1, 2, 4, 6, 7])

    assert lake.update(landing_of(p0=7, gaps=[[3, 3], [5, 6]])).result


def test_records_of_others_between_ours_are_not_taken_for_an_older_generation(lake):
    lake.land(0, [3, 4, 5])

    said = lake.update(landing_of(p0=9, gaps=[[3, 5]])).waiting_for

    assert said.startswith("t-0: 7 of 7 acknowledged offsets are not in the lake (0-2, 6-9)")
    assert "another time" not in said


@pytest.mark.parametrize(("last", "is_late"), [(8, True), (9, False), (10, False)])
def test_the_last_acknowledged_offset_must_be_there(lake, last, is_late):
    lake.land(0, range(last + 1))

    assert bool(lake.update(landing_of(p0=9)).waiting_for) is is_late


def test_a_partition_that_was_added_during_the_run_is_waited_for(lake):
    lake.land(0, range(10))
    landing = landing_of(p0=9, p3=0)

    assert lake.update(landing).waiting_for == (
        "t-3: 1 of 1 acknowledged offsets are not in the lake (0), no object of it since 2026-11-23"
    )
    lake.land(3, [0])
    assert lake.update(landing).result == {"topics": {"t": {"0": 9, "3": 0}}}


def test_an_object_is_read_once_and_one_that_cannot_hold_what_is_missing_not_at_all(lake):
    first, second = lake.land(0, range(5)), lake.land(0, range(5, 8))
    lake.land(0, range(10, 20))
    lake.land(1, range(9))
    landing = landing_of(p0=8)

    lake.update(landing)
    lake.update(landing)
    third = lake.land(0, [8, 9])

    assert lake.update(landing).result
    assert lake.read == [first, second, third]


def test_an_object_that_was_written_again_is_read_again(lake):
    key = lake.land(0, range(3))
    landing = landing_of(p0=4)
    lake.update(landing)

    lake.land(0, range(5))

    assert lake.update(landing).result
    assert lake.read == [key, key]


def test_objects_from_before_the_sending_do_not_count_but_for_clocks_that_differ(lake):
    lake.land(0, range(5), written=-CLOCK_TOLERANCE.total_seconds() - 1)
    assert ", 1 objects from before the sending do not count" in lake.update(landing_of(p0=4)).waiting_for
    assert lake.read == []

    lake.land(0, range(5), written=-CLOCK_TOLERANCE.total_seconds())
    assert lake.update(landing_of(p0=4)).result


@pytest.mark.parametrize("days", [-1, 1])
def test_records_of_another_generation_do_not_count_whatever_object_they_are_in(lake, days):
    """Also when an older run is cleared: at its offsets the lake has the new topic's records by then."""
    lake.land(0, range(5), at_ms=int((SENT + timedelta(days=days)).timestamp() * 1000))

    said = lake.update(landing_of(p0=4)).waiting_for

    assert "t-0: 5 of 5 acknowledged offsets" in said
    assert "of an older generation of the topic, or a clock is wrong" in said


def test_offsets_that_went_back_fail_at_once_with_both_offsets_and_the_runbook(lake):
    lake.land(0, range(5), written=-3600)

    with pytest.raises(ValueError, match="created again") as raised:
        lake.update(landing_of(p0=4))

    said = str(raised.value)
    assert (
        "topic t, partition 0: Kafka acknowledged offset 0, but the lake has had offset 0 since 2026-11-23 23:30"
        in said
    )
    assert "docs/runbook.md, section “Move to another cluster" in said


def test_an_object_from_before_the_sending_may_be_right_below_the_first_acknowledged_offset(lake):
    lake.land(0, range(5), written=-3600)
    lake.land(0, range(5, 10))

    assert lake.update(Landing(Target("t", SENT, SENT, {0: [(5, 9)]}))).result


@pytest.mark.parametrize("suffix", [".avro", ".snappy.parquet", ".bin", ".json.zst"])
def test_an_object_of_another_format_is_named(lake, suffix):
    key = lake.land(0, range(5), suffix=suffix)

    with pytest.raises(ValueError, match=re.escape(f"object {key} is not .json or .json.gz: the connector's")):
        lake.update(landing_of(p0=4))


def test_an_object_of_another_format_from_before_the_sending_is_nobodys_trouble(lake):
    lake.land(0, range(5), suffix=".avro", written=-600)
    lake.land(0, range(5))

    assert lake.update(landing_of(p0=4)).result
