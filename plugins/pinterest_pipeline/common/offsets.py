"""Sets of Kafka offsets as sorted ranges without overlap: what was acknowledged, what has landed, what is missing."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

type Range = tuple[int, int]  #: First and last offset, both included.

MAX_RANGES_IN_MESSAGE = 3
MAX_RANGES = 1000  # kept of one partition: what several producers write by turns is no longer told apart beyond it


def ranges_of(offsets: Iterable[int]) -> list[Range]:
    """Return the ranges of some offsets, in any order."""
    found: list[Range] = []
    for offset in sorted(offsets):
        if found and offset <= found[-1][1] + 1:
            found[-1] = (found[-1][0], offset)
        else:
            found.append((offset, offset))
    return found


def add(ranges: list[Range], new: Range) -> None:
    """Make the ranges hold ``new`` too, in place; cheap where few of them touch it."""
    first, last = new
    low = bisect_left(ranges, first - 1, key=lambda one: one[1])  # the first that ends just before it, or later
    high = low
    while high < len(ranges) and ranges[high][0] <= last + 1:
        first, last = min(first, ranges[high][0]), max(last, ranges[high][1])
        high += 1
    ranges[low:high] = [(first, last)]


def subtract(wanted: Sequence[Range], found: Sequence[Range]) -> list[Range]:
    """Return the ranges of the offsets that are in ``wanted`` and not in ``found``."""
    left: list[Range] = []
    position = 0
    for first, last in wanted:
        while position < len(found) and found[position][1] < first:
            position += 1
        index, start = position, first
        while index < len(found) and found[index][0] <= last:
            if start < found[index][0]:
                left.append((start, found[index][0] - 1))
            start = found[index][1] + 1
            index += 1
        if start <= last:
            left.append((start, last))
    return left


def gaps_between(ranges: Sequence[Range]) -> list[Range]:
    return [(before[1] + 1, behind[0] - 1) for before, behind in pairwise(ranges)]


def bounded(ranges: Sequence[Range], limit: int) -> list[Range]:
    """Return at most ``limit`` ranges that hold all of these: the largest gaps are filled.

    A gap of one or two offsets may be a transaction's marker, which never is a record; a large one is of records that
    others wrote, and they land too.
    """
    if len(ranges) <= limit:
        return list(ranges)
    kept = sorted(sorted(gaps_between(ranges), key=lambda gap: gap[1] - gap[0])[: limit - 1])
    return subtract([(ranges[0][0], ranges[-1][1])], kept)


def size(ranges: Iterable[Range]) -> int:
    return sum(last - first + 1 for first, last in ranges)


def in_words(ranges: Sequence[Range]) -> str:
    """Return ``4, 7-9`` for a message, the first few ranges only."""
    named = ranges[:MAX_RANGES_IN_MESSAGE]
    words = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in named)
    return words + (", …" if len(named) < len(ranges) else "")


def acknowledged_ranges(entry: Mapping[str, Any]) -> list[Range]:
    """Return the offsets of one entry of ``partitions`` in the result of a task that sent records.

    They lie between ``first_offset`` and ``last_offset``, without those of ``gaps``: ``[[first, last], …]``.
    """
    whole = (int(entry["first_offset"]), int(entry["last_offset"]))
    return subtract([whole], [(int(first), int(last)) for first, last in entry.get("gaps", ())])


class Bounds(NamedTuple):
    """A partition in Kafka: the offset of its first record, which grows by retention, and that of its next one."""

    beginning: int
    end: int


class OffsetRange(NamedTuple):
    """First and last of consecutive offsets of one partition."""

    partition: int
    first_offset: int
    last_offset: int


class OffsetsOfPartitions:
    """The offsets of a topic's partitions, at most ``MAX_RANGES`` ranges of each; iterates over them in order."""

    def __init__(self, found: Iterable[OffsetRange] = ()) -> None:
        self.ranges: dict[int, list[Range]] = {}
        self.add(found)

    def add(self, found: Iterable[OffsetRange]) -> None:
        for partition, first, last in found:
            ranges = self.ranges.setdefault(partition, [])
            add(ranges, (first, last))
            self.ranges[partition] = bounded(ranges, MAX_RANGES)

    def __iter__(self) -> Iterator[OffsetRange]:
        return (OffsetRange(partition, *found) for partition in sorted(self.ranges) for found in self.ranges[partition])
