"""Sets of offsets, against Python's own sets."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinterest_pipeline.common.offsets import (
    acknowledged_ranges,
    add,
    bounded,
    gaps_between,
    in_words,
    ranges_of,
    size,
    subtract,
)

OFFSETS = st.sets(st.integers(0, 40))


def members(ranges):
    return {offset for first, last in ranges for offset in range(first, last + 1)}


def is_canonical(ranges):
    return all(before[1] + 1 < behind[0] for before, behind in pairwise(ranges))


@given(OFFSETS)
def test_ranges_hold_the_offsets_and_touch_nowhere(offsets):
    found = ranges_of(offsets)

    assert members(found) == offsets
    assert is_canonical(found)
    assert size(found) == len(offsets)


@given(OFFSETS, st.integers(0, 40), st.integers(0, 12))
def test_a_range_is_added_where_it_touches_others(offsets, first, more):
    found = ranges_of(offsets)

    add(found, (first, first + more))

    assert members(found) == offsets | set(range(first, first + more + 1))
    assert is_canonical(found)


@given(OFFSETS, OFFSETS)
def test_what_is_missing_is_the_difference(wanted, found):
    assert subtract(ranges_of(wanted), ranges_of(found)) == ranges_of(wanted - found)


@given(OFFSETS, st.integers(1, 5))
def test_bounded_ranges_lose_no_offset_and_neither_end(offsets, limit):
    ranges = ranges_of(offsets)

    found = bounded(ranges, limit)

    assert len(found) <= max(limit, 0 if not ranges else 1)
    assert members(ranges) <= members(found)
    assert not ranges or (found[0][0], found[-1][1]) == (ranges[0][0], ranges[-1][1])


def test_the_largest_gaps_are_filled_for_markers_are_small():
    assert bounded([(0, 9), (11, 20), (60, 69), (72, 80)], 3) == [(0, 9), (11, 69), (72, 80)]


@given(OFFSETS)
def test_a_result_gives_back_what_was_acknowledged(offsets):
    ranges = ranges_of(offsets)
    if ranges:
        entry = {"first_offset": ranges[0][0], "last_offset": ranges[-1][1], "gaps": gaps_between(ranges)}
        assert acknowledged_ranges(entry) == ranges


@pytest.mark.parametrize(
    ("ranges", "words"),
    [([(4, 4)], "4"), ([(4, 4), (7, 9)], "4, 7-9"), ([(1, 1), (3, 3), (5, 5), (7, 7)], "1, 3, 5, …")],
)
def test_a_message_names_the_first_few(ranges, words):
    assert in_words(ranges) == words
