"""Generations of a topic: Kafka's offsets only grow, until the topic is created again, moved, or restored. No I/O."""

import re
from collections.abc import Iterable, Mapping

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.lake.objects import LakeObject

TOPICS_DIR = "topics"
GENERATION = re.compile(r"[A-Za-z0-9._-]+")
RUNBOOK = "docs/runbook.md, section “Move to another cluster, create a topic again, restore a broker”"


def topics_dir(generation: object = "") -> str:
    """Return the connector's ``topics.dir`` of a generation: ``topics``, or ``topics-<generation>``.

    :param generation: From the Variable; empty for the first, which needs no name.
    :raises PermanentError: a character that is none of a folder's name.
    """
    if generation in ("", None):
        return TOPICS_DIR
    if not GENERATION.fullmatch(str(generation)):
        raise PermanentError(
            f"Variable pinterest_pipeline: generation is {generation!r}, which becomes part of a folder's name: write "
            "it with letters, digits, dots, underscores and hyphens"
        )
    return f"{TOPICS_DIR}-{generation}"


def restarted(topic: str, partition: int, now: str, before: str) -> str:
    """Say that a partition's offsets have gone back, and what to do."""
    return (
        f"topic {topic}, partition {partition}: {now}, but {before}: the topic was created again, is another "
        f"cluster's, or lost records. Set a new `generation` in the Variable pinterest_pipeline: {RUNBOOK}"
    )


def newest(objects: Iterable[LakeObject]) -> dict[int, list[LakeObject]]:
    """Return of each partition the object that begins last and the one that was written last, mostly the same.

    After a rebalance the connector may begin again at a lower offset and reach a higher one.
    """
    found: dict[int, list[LakeObject]] = {}
    for one in objects:
        found.setdefault(one.partition, []).append(one)
    return {
        partition: list({max(all_, key=lambda one: one.start), max(all_, key=lambda one: (one.written_at, -one.start))})
        for partition, all_ in found.items()
    }


def went_back(topic: str, end_offsets: Mapping[int, int], landed: Mapping[int, tuple[int, str]]) -> list[str]:
    """Return a sentence for each partition whose next offset in Kafka is not above what the lake already has.

    :param end_offsets: Next offset by partition, as the proxy says.
    :param landed: Last offset, and the object that has it, by partition.
    """
    found = []
    for partition, (offset, key) in sorted(landed.items()):
        end = end_offsets.get(partition)
        if end is None or end <= offset:
            now = "Kafka has no such partition" if end is None else f"Kafka's next offset is {end}"
            found.append(restarted(topic, partition, now, f"the lake has offset {offset} ({key})"))
    return found
