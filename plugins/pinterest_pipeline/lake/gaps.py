"""Offsets that Kafka has given to records and bronze does not have. No I/O.

Bronze counts what it has of each partition; here that is held against Kafka's offsets when the run began, and against
the gaps that are known: a transaction's marker, a compacted record, or what a person has explained.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypedDict

from pinterest_pipeline.common.offsets import Bounds, Range, add, in_words, size, subtract
from pinterest_pipeline.lake.generations import topics_dir
from pinterest_pipeline.lake.objects import OBJECT_NAME

RUNBOOK = "docs/runbook.md, section “Offsets are missing between Kafka and bronze”"


class BronzeOffsets(TypedDict):
    """What bronze has of one partition, as the silver notebook counted it.

    ``missing`` has ``[first, last]`` of the newest thousand gaps, ``missing_offsets`` the number of all.
    """

    topic: str
    generation: str
    partition: int
    first_offset: int
    last_offset: int
    missing: Sequence[Sequence[int]]
    missing_offsets: int


class Place(NamedTuple):
    """A partition of a generation of a topic."""

    topic: str
    generation: str
    partition: int


@dataclass(frozen=True)
class Kafka:
    """What is known of a topic's offsets in Kafka.

    :param generation: Of the topic that Kafka has now.
    :param bounds: By partition, when the run began; empty where the proxy did not tell.
    :param acknowledged: The last offset that was acknowledged to this run, by partition.
    :param seen: Next offsets that an earlier run was told, by place.
    """

    topic: str
    generation: str
    bounds: Mapping[int, Bounds]
    acknowledged: Mapping[int, int]
    seen: Mapping[Place, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PartitionGaps:
    """One partition, checked.

    :param first_offset: Of bronze; None, as ``last_offset``, where it has no record of the partition.
    :param end_offset: The next offset in Kafka when the run began; None where that is not known.
    :param missing: Ranges that bronze lacks, the newest of them; ``unnamed`` more offsets are missing before.
    :param pending: Offsets that were in Kafka when the run began, which may still be on their way.
    """

    table: str
    place: Place
    first_offset: int | None
    last_offset: int | None
    end_offset: int | None
    missing: tuple[Range, ...]
    unnamed: int = 0
    pending: int = 0

    @property
    def missing_offsets(self) -> int:
        return size(self.missing) + self.unnamed

    def without(self, known: Iterable[Range]) -> "PartitionGaps":
        ranges: list[Range] = []
        for one in known:
            add(ranges, one)
        before = size(one for one in ranges if self.missing and one[1] < self.missing[0][0])
        left = tuple(subtract(self.missing, ranges))
        return replace(self, missing=left, unnamed=max(0, self.unnamed - before) if self.unnamed else 0)

    def as_row(self, counted_at: str) -> dict[str, Any]:
        """Return the row of ``audit.partition_offsets``."""
        return {
            "table_name": self.table,
            **self.place._asdict(),
            "first_offset": self.first_offset,
            "last_offset": self.last_offset,
            "end_offset": self.end_offset,
            "missing_offsets": self.missing_offsets,
            "missing": {"ranges": [list(one) for one in self.missing]},
            "counted_at": counted_at,
        }


def check_table(table: str, bronze: Sequence[BronzeOffsets], kafka: Kafka) -> list[PartitionGaps]:
    """Return each partition of a table with what bronze lacks of it: between its first and its last offset, and after.

    What Kafka had when the run began must be there where this run's own records, which are behind it, have landed, or
    where an earlier run was told of it; else it may be on its way, and is ``pending``. What Kafka has before bronze's
    first offset is an earlier generation's, or older than the lake. A partition of which bronze has no record of any
    generation lacks all that Kafka has.
    """
    found = [check_partition(table, one, kafka) for one in bronze]
    known = {one["partition"] for one in bronze if one["topic"] == kafka.topic}
    for partition, bounds in sorted(kafka.bounds.items()):
        if partition not in known:
            place = Place(kafka.topic, kafka.generation, partition)
            tail, pending = after(bounds.beginning - 1, place, kafka)
            found.append(PartitionGaps(table, place, None, None, bounds.end, tail, pending=pending))
    return found


def check_partition(table: str, one: BronzeOffsets, kafka: Kafka) -> PartitionGaps:
    place = Place(one["topic"], one["generation"], one["partition"])
    between = tuple((int(first), int(last)) for first, last in one["missing"])
    unnamed = one["missing_offsets"] - size(between)
    tail, pending = after(one["last_offset"], place, kafka)
    bounds = kafka.bounds.get(place.partition) if is_current(place, kafka) else None
    end = bounds.end if bounds else None
    return PartitionGaps(
        table, place, one["first_offset"], one["last_offset"], end, between + tail, unnamed=unnamed, pending=pending
    )


def is_current(place: Place, kafka: Kafka) -> bool:
    return (place.topic, place.generation) == (kafka.topic, kafka.generation)


def after(last: int, place: Place, kafka: Kafka) -> tuple[tuple[Range, ...], int]:
    """Return what is missing after the last offset of bronze, and how many offsets may be on their way."""
    if not is_current(place, kafka):
        return (), 0
    bounds = kafka.bounds.get(place.partition)
    end = bounds.end if bounds else 0
    needed = max(min(end, kafka.seen.get(place, 0)), kafka.acknowledged.get(place.partition, -1) + 1)
    tail = ((last + 1, needed - 1),) if needed - 1 > last else ()
    return tail, max(0, end - max(last + 1, needed))


def problem(found: PartitionGaps, unreadable: Iterable[str]) -> str:
    """Say what is missing and what to do.

    :param unreadable: Objects of the table that could not be read, as bronze names them.
    """
    objects = [name for name in unreadable if begins_in_gap(name, found)]
    named = f", {' and '.join(objects)} cannot be read" if objects else ""
    return (
        f"{found.table}: {found.missing_offsets:,} offsets of topic {named_place(found.place)} are in Kafka and not in "
        f"bronze, the first is {found.missing[0][0] if found.missing else 'not known'} ({in_words(found.missing)})"
        f"{named}: {RUNBOOK}."
    )


def begins_in_gap(name: str, found: PartitionGaps) -> bool:
    name = name if name.startswith("topics-") else f"topics/{name}"
    parts = OBJECT_NAME.search(name)
    if parts is None or not name.startswith(f"{topics_dir(found.place.generation)}/{found.place.topic}/"):
        return False
    start = int(parts["start"])
    return int(parts["partition"]) == found.place.partition and any(a <= start <= b for a, b in found.missing)


def on_its_way(found: PartitionGaps) -> str:
    return (
        f"{found.table}: {found.pending:,} offsets of topic {named_place(found.place)} were in Kafka as the run began "
        "and are not in bronze yet; this run sent no record there, so that they may be on their way. The next run "
        "fails where they are still missing."
    )


def named_place(place: Place) -> str:
    generation = f", generation {place.generation}" if place.generation else ""
    return f"{place.topic}{generation}, partition {place.partition}"
