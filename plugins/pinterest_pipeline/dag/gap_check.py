"""The gap check of a run: are all offsets of Kafka in bronze, but for those that are known to hold no record?"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pinterest_pipeline.common.errors import PipelineError
from pinterest_pipeline.common.offsets import Bounds, Range
from pinterest_pipeline.common.tables import table_of
from pinterest_pipeline.kafka_rest.summary import SendSummary
from pinterest_pipeline.lake.gaps import (
    BronzeOffsets,
    Kafka,
    PartitionGaps,
    Place,
    check_table,
    is_current,
    on_its_way,
    problem,
)
from pinterest_pipeline.lake.generations import TOPICS_DIR
from pinterest_pipeline.warehouse import audit as warehouse

NO_RECORD = "Kafka has no record there: a transaction's marker, or compacted"
log = logging.getLogger(__name__)

type EndOffsets = Mapping[str, Mapping[str, Sequence[int]]]
"""Result of ``offsets_grow``: ``[first, next]`` offset by topic and partition; no topic that the proxy did not tell."""


class Lake(NamedTuple):
    """What a run found in the lake: ``offsets`` by table, objects that could not be read by table, and when."""

    offsets: Mapping[str, Sequence[BronzeOffsets]]
    unreadable: Mapping[str, Sequence[str]]
    counted_at: str


def check_gaps(database: warehouse.Database, audit: Path, lake: Lake, kafka: Iterable[Kafka], *, run: str) -> list[str]:
    """Record what bronze has of each partition, log what may be on its way, and return a sentence for each gap.

    Where Kafka can be asked and has no record at the offsets of a gap, the gap is noted as known, once.

    :param kafka: What is known of each topic that the run sent to.
    :param run: Notes the gaps.
    """
    topics = {one.topic: one for one in kafka}
    parameters = {"topics": sorted(topics), "counted_at": lake.counted_at}
    seen = {Place(*place): int(end) for *place, end in rows(database, audit / "seen_offsets.sql", parameters)}
    known: dict[Place, list[Range]] = {}
    for topic, generation, partition, first, last in rows(database, audit / "known_gaps.sql", parameters):
        known.setdefault(Place(topic, generation, partition), []).append((first, last))
    problems = []
    for topic, told in topics.items():
        table = table_of(topic)
        for found in check_table(table, lake.offsets.get(table, ()), replace(told, seen=seen)):
            left = found.without(known.get(found.place, ()))
            if left.missing and is_current(left.place, told):
                left = left.without(note_empty(database, audit, left, run))
            warehouse.record(database, audit / "record_partition_offsets.sql", [left.as_row(lake.counted_at)])
            if left.missing_offsets:
                problems.append(problem(left, lake.unreadable.get(table, ())))
            elif left.pending:
                log.warning(on_its_way(left))
    return problems


def rows(database: warehouse.Database, file: Path, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    return database.get_records(file.read_text(encoding="utf-8"), parameters=parameters)


def kafka_of(result: SendSummary, ends: EndOffsets, topics_dir: str) -> Kafka:
    """Return what a run knows of the offsets of a topic that it sent to.

    :param topics_dir: The connector's, which names the topic's generation.
    """
    topic = result["topic"]
    told = ends.get(topic, {})  # a run of an older version has next offsets only
    return Kafka(
        topic=topic,
        generation=topics_dir.removeprefix(TOPICS_DIR).removeprefix("-"),
        bounds={int(partition): Bounds(*bounds) for partition, bounds in told.items() if not isinstance(bounds, int)},
        acknowledged={one["partition"]: one["last_offset"] for one in result["partitions"]},
    )


def note_empty(database: warehouse.Database, audit: Path, found: PartitionGaps, run: str) -> list[Range]:
    """Note the gaps at whose offsets Kafka has no record, and return them; none where it cannot be asked."""
    from pinterest_pipeline.kafka_rest.hook import KafkaRestHook  # noqa: PLC0415 - requests slows DAG parsing

    try:
        empty = KafkaRestHook().empty_ranges(found.place.topic, found.place.partition, found.missing)
    except PipelineError as error:
        log.warning("Not known whether Kafka has records where bronze has none: %s", error)
        return []
    gaps = [{"first_offset": first, "last_offset": last, "reason": NO_RECORD, "noted_by": run} for first, last in empty]
    warehouse.record(database, audit / "record_known_gap.sql", [{**found.place._asdict(), **gap} for gap in gaps])
    if gaps:
        log.info(
            "Topic %s, partition %d: %d gaps without a record", found.place.topic, found.place.partition, len(gaps)
        )
    return empty
