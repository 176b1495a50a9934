"""Whatever shards split and merge: each is read once, after its parents, and an offset survives its JSON."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pinterest_spark.kinesis.shards import (
    Position,
    Shard,
    StreamOffset,
    begin_shards,
    drop_expired,
    from_json,
    plan,
    to_json,
)
from tests.support.properties import repeatable

HOUR = 3_600_000
NAMES = st.text("0123456789", min_size=1, max_size=3).map("shardId-{}".format)
POSITIONS = st.builds(
    Position,
    st.sampled_from(["", "4968"]),
    st.integers(0, HOUR),
    st.integers(0, HOUR),
    st.integers(0, 9),
    st.booleans(),
)
OFFSETS = st.builds(
    StreamOffset, st.just("posts"), st.just(1), st.just("LATEST") | st.integers(0, HOUR),
    st.dictionaries(NAMES, POSITIONS, max_size=5),
)  # fmt: skip


@repeatable
@given(OFFSETS, st.randoms())
def test_an_offset_is_read_back_from_its_json_and_equal_offsets_have_equal_text(
    offset: StreamOffset, random: Any
) -> None:
    shuffled = dict(random.sample(list(offset.shards.items()), len(offset.shards)))
    same = StreamOffset(offset.stream, offset.created_ms, offset.initial, shuffled)

    text = json.dumps(to_json(offset))

    assert from_json(json.loads(text)) == offset
    assert json.dumps(to_json(same)) == text


@repeatable
@given(OFFSETS, st.dictionaries(NAMES, st.integers(0, 9)), st.dictionaries(NAMES, st.integers(0, 9)))
def test_micro_batches_that_follow_each_other_read_every_record_once(
    start: StreamOffset, first: dict[str, int], second: dict[str, int]
) -> None:
    def after(offset: StreamOffset, came: dict[str, int]) -> StreamOffset:
        known = {name: offset.shards.get(name, Position()).records for name in came}
        return offset.at({name: Position(records=known[name] + count) for name, count in came.items()})

    middle = after(start, first)
    end = after(middle, second)

    read = [one for ranges in (plan(start, middle), plan(middle, end)) for one in ranges]
    assert all(one.record_count > 0 for one in read)
    counts: dict[str, int] = {}
    for one in read:
        assert one.start.records == start.shards.get(one.shard_id, Position()).records + counts.get(one.shard_id, 0)
        counts[one.shard_id] = counts.get(one.shard_id, 0) + one.record_count
    came = {name: first.get(name, 0) + second.get(name, 0) for name in {*first, *second}}
    assert counts == {name: count for name, count in came.items() if count}


def resharded(choices: list[tuple[bool, int]]) -> list[Shard]:
    """Return the shards of a stream of two after splits (True) and merges of the leaves that the numbers choose."""
    shards, leaves = [Shard("0"), Shard("1")], ["0", "1"]
    for is_split, number in choices:
        parents = [leaves.pop(number % len(leaves))]
        if not is_split and leaves:
            parents.append(leaves.pop(number % len(leaves)))
        children = [str(len(shards) + n) for n in range(2 if len(parents) == 1 else 1)]
        shards += [Shard(child, tuple(parents)) for child in children]
        leaves += children
    return shards


@repeatable
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=8),
    st.lists(st.lists(st.booleans(), min_size=20, max_size=20), max_size=6),
)
def test_a_shard_begins_once_and_after_its_parents_ended(
    choices: list[tuple[bool, int]], endings: list[list[bool]]
) -> None:
    listed = resharded(choices)
    parents = {shard.shard_id: shard.parents for shard in listed}
    offset, begun = StreamOffset("posts", 1, "TRIM_HORIZON", {}), list[str]()

    for ends in [*endings, *[[True] * 20] * len(listed)]:
        following = drop_expired(begin_shards(offset, listed, 0), listed)
        new = [name for name in following.shards if name not in offset.shards]
        assert all(offset.is_read(parent) for name in new for parent in parents[name])
        begun += new
        ended = [name for name, does_end in zip(sorted(following.open_shards()), ends, strict=False) if does_end]
        offset = following.at({name: Position(records=1, is_closed=True) for name in ended})

    assert sorted(begun) == sorted(parents)
