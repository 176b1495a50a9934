"""Offsets over shards: who may be read next, what a micro-batch reads, what is lost, and that offsets stay small."""

import json
from dataclasses import replace
from typing import Any

import pytest

from pinterest_spark.errors import DataLossError, StageError
from pinterest_spark.kinesis.shards import (
    Position,
    Shard,
    ShardRange,
    StreamOffset,
    awaits_children,
    begin_shards,
    check_stream,
    created_again,
    drop_expired,
    from_json,
    losses,
    needs_renewal,
    plan,
    say_lost,
    to_json,
)

NOW = 1_795_600_000_000
HOUR = 3_600_000
DAY = 24 * HOUR


def offset(**shards: Position) -> StreamOffset:
    return StreamOffset("posts", 1, "TRIM_HORIZON", shards)


def read(records: int = 10, *, is_closed: bool = False, current_ms: int = NOW) -> Position:
    return Position(str(records), current_ms - 5, current_ms, records, is_closed)


def names(begun: StreamOffset) -> list[str]:
    return sorted(begun.shards)


def test_a_new_query_begins_with_the_shards_that_have_no_parent_left() -> None:
    listed = [Shard("a"), Shard("b"), Shard("c", ("a",)), Shard("d", ("expired long ago",))]

    assert names(begin_shards(offset(), listed, NOW)) == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("known", "listed", "expected"),
    [
        pytest.param({"a": read()}, [Shard("a"), Shard("c", ("a",))], ["a"], id="split, parent unread"),
        pytest.param(
            {"a": read(is_closed=True)},
            [Shard("a"), Shard("c", ("a",)), Shard("d", ("a",))],
            ["a", "c", "d"],
            id="split, parent read",
        ),
        pytest.param(
            {"a": read(is_closed=True), "b": read()},
            [Shard("a"), Shard("b"), Shard("c", ("a", "b"))],
            ["a", "b"],
            id="merge, one parent unread",
        ),
        pytest.param(
            {"a": read(is_closed=True), "b": read(is_closed=True)},
            [Shard("a"), Shard("b"), Shard("c", ("a", "b"))],
            ["a", "b", "c"],
            id="merge, both read",
        ),
        pytest.param(
            {"a": read(is_closed=True)},
            [Shard("a"), Shard("c", ("a",)), Shard("e", ("c",))],
            ["a", "c"],
            id="a grandchild waits for the child",
        ),
        pytest.param(
            {"b": read(is_closed=True)},
            [Shard("b"), Shard("c", ("expired", "b"))],
            ["b", "c"],
            id="merge, one parent expired",
        ),
    ],
)
def test_a_child_begins_once_its_parents_are_read_to_their_end(
    known: dict[str, Position], listed: list[Shard], expected: list[str]
) -> None:
    assert names(begin_shards(offset(**known), listed, NOW)) == expected


def test_a_shard_that_is_read_is_not_begun_again_while_it_is_listed() -> None:
    known = offset(a=read(is_closed=True), c=read())

    assert begin_shards(known, [Shard("a"), Shard("c", ("a",))], NOW) == known


def test_an_offset_stays_small_over_a_thousand_reshards() -> None:
    """Shards a0 -> a1 -> a2 …, of which the service lists the last five."""
    chain = [Shard("a0")] + [Shard(f"a{number}", (f"a{number - 1}",)) for number in range(1, 1000)]
    now = begin_shards(offset(), chain[:1], NOW)
    for number in range(1, 1000):
        listed = chain[max(0, number - 4) : number + 1]
        ended = now.at({name: replace(position, is_closed=True) for name, position in now.open_shards().items()})
        now = begin_shards(drop_expired(ended, listed), listed, NOW)
        assert list(now.open_shards()) == [f"a{number}"]

    assert len(now.shards) == 5
    assert len(json.dumps(to_json(now))) < 600


def test_a_closed_shard_stays_in_the_offset_while_it_is_listed_and_an_open_one_always() -> None:
    known = offset(a=read(is_closed=True), b=read(is_closed=True), c=read())

    assert names(drop_expired(known, [Shard("b")])) == ["b", "c"]


def test_the_children_of_a_shard_that_ended_are_looked_for_until_they_are_listed() -> None:
    ended = offset(a=read(is_closed=True))

    assert awaits_children(ended, [Shard("a")])
    assert not awaits_children(ended, [Shard("a"), Shard("c", ("a",))])
    assert not awaits_children(offset(a=read()), [Shard("a")])
    assert not awaits_children(ended, [])  # expired, and its children with it: they are begun as shards without parents


def test_a_batch_reads_what_is_new_a_range_a_shard() -> None:
    start = offset(a=read(10), b=read(5), d=read(7))
    end = offset(a=read(12), b=read(5, is_closed=True), c=read(3), d=read(7))

    ranges = plan(start, end)

    assert ranges == [
        ShardRange("a", read(10), read(12), "TRIM_HORIZON"),
        ShardRange("c", Position(), read(3), "TRIM_HORIZON"),
    ]
    assert [one.record_count for one in ranges] == [2, 3]


def test_the_first_batch_begins_where_its_end_says_and_not_where_a_restart_would() -> None:
    end = replace(offset(a=read(3)), initial=NOW)
    begun_by_restart = replace(offset(a=Position(current_ms=NOW + HOUR)), initial=NOW + HOUR)

    [only] = plan(begun_by_restart, end)

    assert (only.initial, only.start.after, only.record_count) == (NOW, "", 3)


def test_equal_offsets_are_equal_text_and_text_comes_back_as_it_was() -> None:
    one = offset(b=read(2), a=read(1, is_closed=True))
    other = offset().at({"a": read(1, is_closed=True), "b": read(2)})

    assert json.dumps(to_json(one)) == json.dumps(to_json(other))
    assert from_json(json.loads(json.dumps(to_json(one)))) == one


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param({"version": 2}, "is of version 2; this is 1", id="a later version"),
        pytest.param({"shard-0": "49"}, "holds no offset of this Kinesis source", id="another source's"),
        pytest.param({"version": 1, "shards": ["a"]}, "holds no offset of this Kinesis source", id="of another shape"),
    ],
)
def test_a_checkpoint_that_is_not_ours_is_refused(value: dict[str, Any], said: str) -> None:
    with pytest.raises(StageError, match=said):
        from_json(value)


def test_a_checkpoint_of_another_stream_or_of_an_earlier_one_of_the_name_is_refused() -> None:
    check_stream(offset(), "posts", 1)

    with pytest.raises(StageError, match="of the stream posts, not of pins"):
        check_stream(offset(), "pins", 1)
    with pytest.raises(DataLossError, match="deleted and created again"):
        check_stream(offset(), "posts", 2)


def test_a_stream_created_again_is_read_from_its_start() -> None:
    again = begin_shards(created_again(offset(a=read(10)), 2), [Shard("a")], NOW)
    end = again.at({"a": read(3)})

    assert (again.initial, again.shards["a"].records) == ("TRIM_HORIZON", 0)
    assert [one.record_count for one in plan(offset(a=read(10)), end)] == [3]


@pytest.mark.parametrize(
    ("age_ms", "is_lost"), [(DAY - 1, False), (DAY, False), (DAY + 1, True)], ids=["younger", "as old", "older"]
)
def test_a_position_older_than_the_retention_is_lost(age_ms: int, is_lost: bool) -> None:
    known = offset(a=read(current_ms=NOW - age_ms), b=read(current_ms=NOW - age_ms, is_closed=True))

    assert [one.shard_id for one in losses(known, [Shard("a"), Shard("b")], DAY, NOW)] == (["a"] if is_lost else [])


def test_a_shard_that_vanished_unread_is_lost_and_one_that_was_read_is_not() -> None:
    known = offset(a=read(), b=read(is_closed=True))

    assert [one.shard_id for one in losses(known, [], DAY, NOW)] == ["a"]


def test_a_loss_is_said_with_its_span_and_its_shards() -> None:
    known = offset(a=read(current_ms=NOW - DAY - 6 * HOUR), b=read(current_ms=NOW - DAY - HOUR))

    said = say_lost("posts", losses(known, [Shard("a"), Shard("b")], DAY, NOW), DAY)

    assert "keeps (24 hours): records that arrived between 2026-11-24T03:46:40Z and 2026-11-24T09:46:40Z" in said
    assert "(6.0 hours) on 2 shards (a, b) may be lost" in said
    assert "failOnDataLoss" in said


def test_a_quiet_offset_is_renewed_after_a_quarter_of_the_retention() -> None:
    assert not needs_renewal(offset(a=read(current_ms=NOW - 6 * HOUR)), DAY, NOW)
    assert needs_renewal(offset(a=read(current_ms=NOW - 6 * HOUR - 1)), DAY, NOW)
    assert not needs_renewal(offset(a=read(current_ms=NOW - DAY, is_closed=True)), DAY, NOW)
