"""Which Kafka offsets bronze has of each partition, and which are missing in between.

Silver reads each row of bronze once, so that it counts the offsets of a micro-batch beside what it counts anyway, and
notes their ranges in its audit: a check costs no Spark job, however large bronze is. A line whose envelope is broken
is a record too: by the offset that can still be read in it, else as one of the offsets that its object lacks.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as sf

from pinterest_spark.lakehouse.bronze import LINEAGE_ONLY, STRICT

type Range = tuple[int, int]  #: First and last offset, both included.

WORD_BITS = 64  # offsets that one 64-bit number marks as read
MAX_RANGES = 1000  # of a partition in one micro-batch: beyond it the smallest gaps are not told apart
MAX_NAMED = 1000  # missing ranges of a partition that a result names; 5 MB is Databricks' limit of a notebook's result
FOLDER = re.compile(r"(?:topics-(?P<generation>[^/]+)/)?(?P<topic>[^/]+)/")
OBJECT = re.compile(r"\+(?P<partition>\d+)\+(?P<start>\d+)\.[^/]*$")


class Place(NamedTuple):
    """A partition of a generation of a topic; the first generation has no name."""

    topic: str
    generation: str
    partition: int


class Offsets(NamedTuple):
    """A range of offsets of which bronze has all; or, with ``unplaced``, as many of them, not known which."""

    topic: str
    generation: str
    partition: int
    first: int
    last: int
    unplaced: int

    @property
    def place(self) -> Place:
        return Place(self.topic, self.generation, self.partition)


def by_object(validated: DataFrame, counts: Mapping[str, Column]) -> list[Row]:
    """Count a micro-batch by object and partition, in one pass.

    :param validated: Rows of ``silver.validate``.
    :param counts: More to count, by name.
    """
    broken = sf.from_json(sf.when(sf.col("_line_key").isNotNull(), sf.col("_payload")), LINEAGE_ONLY, STRICT)
    read = validated.withColumn("_", broken)
    partition = sf.coalesce("_kafka_partition", at_least_0("kafka_partition")).alias("_partition")
    offset = sf.coalesce("_kafka_offset", at_least_0("kafka_offset"))
    word = sf.shiftright(offset, WORD_BITS.bit_length() - 1).alias("_word")
    bit = sf.call_function("shiftleft", sf.lit(1).cast("long"), offset.bitwiseAND(sf.lit(WORD_BITS - 1)).cast("int"))
    words = read.groupBy("_source", partition, word).agg(
        sf.count("*").alias("_records"), sf.count_if(offset.isNull()).alias("_unplaced"),
        sf.min(offset).alias("_first"), sf.max(offset).alias("_last"), sf.bit_or(bit).alias("_bits"),
        *(count.alias(name) for name, count in counts.items()),
    )  # fmt: skip
    marked = sf.when(sf.col("_word").isNotNull(), sf.struct("_word", "_bits"))
    objects = words.groupBy("_source", "_partition").agg(
        *(sf.sum(name).alias(name) for name in ("_records", "_unplaced", *counts)),
        sf.min("_first").alias("_first"), sf.max("_last").alias("_last"),
        sf.sum(sf.bit_count("_bits")).alias("_offsets"), sf.collect_list(marked).alias("_words"),
    )  # fmt: skip
    is_whole = sf.col("_offsets") - 1 == sf.col("_last") - sf.col("_first")  # of any two offsets, without an overflow
    return objects.withColumn("_words", sf.when(~is_whole, sf.col("_words"))).collect()


def at_least_0(name: str) -> Column:
    return sf.when(sf.col(f"_.{name}") >= 0, sf.col(f"_.{name}"))


def offsets_of(objects: Iterable[Row]) -> list[Offsets]:
    """Return the offsets of what :func:`by_object` counted, joined over its objects."""
    ranges: dict[Place, list[Range]] = {}
    unplaced: list[Offsets] = []
    for source, parts in groupby(sorted(objects, key=source_of), key=source_of):
        folder, name = FOLDER.match(source), OBJECT.search(source)
        if folder is None:
            continue
        some, topic = list(parts), (folder["topic"], folder["generation"] or "")
        named = int(name["partition"]) if name else None
        for one in some:
            partition = named if one._partition is None else one._partition
            if partition is not None and one._offsets:
                ranges.setdefault(Place(*topic, partition), []).extend(ranges_of(one))
        if name and (lines := sum(one._unplaced for one in some)):
            start = int(name["start"])
            lasts = [one._last for one in some if one._last is not None]
            last = max(start + sum(one._records for one in some) - 1, *lasts, 0)
            unplaced.append(Offsets(*topic, int(name["partition"]), start, last, lines))
    found = [
        Offsets(*place, first, last, 0)
        for place, several in sorted(ranges.items())
        for first, last in bounded(joined(several))
    ]
    return found + unplaced


def source_of(one: Row) -> str:
    return one._source or ""


def ranges_of(one: Row) -> list[Range]:
    if one._words is None:
        return [(one._first, one._last)]
    return joined(
        (offset, offset)
        for word, bits in one._words
        for offset in range(word * WORD_BITS, (word + 1) * WORD_BITS)
        if bits >> (offset % WORD_BITS) & 1
    )


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Return sorted ranges without overlap or contact."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def between(ranges: Iterable[Range]) -> list[Range]:
    return [(before[1] + 1, behind[0] - 1) for before, behind in pairwise(ranges)]


def bounded(ranges: list[Range]) -> list[Range]:
    """Return at most ``MAX_RANGES`` ranges that hold all of these; only the smallest gaps are filled."""
    if len(ranges) <= MAX_RANGES:
        return ranges
    gaps = sorted(between(ranges), key=lambda gap: gap[1] - gap[0])[-(MAX_RANGES - 1) :]
    return between([(ranges[0][0] - 1, ranges[0][0] - 1), *sorted(gaps), (ranges[-1][1] + 1, ranges[-1][1] + 1)])


def check(noted: Iterable[Offsets]) -> list[dict[str, Any]]:
    """Return what bronze has of each partition, and what is missing in between.

    Each ``{"topic", "generation", "partition", "first_offset", "last_offset", "missing", "missing_offsets"}``;
    ``missing`` has ``[first, last]`` of the newest thousand gaps, ``missing_offsets`` the number of all.
    """
    places: dict[Place, list[Offsets]] = {}
    for one in noted:
        places.setdefault(one.place, []).append(one)
    return [check_partition(place, some) for place, some in sorted(places.items())]


def check_partition(place: Place, noted: list[Offsets]) -> dict[str, Any]:
    known = [(one.first, one.last) for one in noted if not one.unplaced]
    first, last = min(one.first for one in noted), max(one.last for one in noted)
    missing = between([(first - 1, first - 1), *joined(known), (last + 1, last + 1)])
    for one in sorted(one for one in noted if one.unplaced):
        missing = without(missing, one)
    if missing and missing[0][0] == first:  # of a broken line's object, whose bounds are a guess
        first = missing.pop(0)[1] + 1
    if missing and missing[-1][1] == last:
        last = missing.pop()[0] - 1
    return {
        **place._asdict(),
        "first_offset": first,
        "last_offset": last,
        "missing": [list(one) for one in missing[-MAX_NAMED:]],
        "missing_offsets": sum(end - begin + 1 for begin, end in missing),
    }


def without(missing: list[Range], lines: Offsets) -> list[Range]:
    """Return what is still missing if the object's lines without an offset are the first that it lacks."""
    left, rest = lines.unplaced, []
    for first, last in missing:
        begin = max(first, lines.first)
        taken = min(left, max(0, min(last, lines.last) - begin + 1))
        left -= taken
        rest += [(first, begin - 1), (begin + taken, last)] if taken else [(first, last)]
    return [one for one in rest if one[0] <= one[1]]
