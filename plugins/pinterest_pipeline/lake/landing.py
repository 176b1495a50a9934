"""Have a run's records reached the lake? Decided from the objects' names and the newest object's last offset.

The sink names an object ``topics/<topic>/dt=YYYY-MM-DD/<topic>+<partition>+<start offset>.json[.gz]`` by the day of
its records (UTC); its last line has the highest offset in it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from pinterest_pipeline.common.polling import PollResult
from pinterest_pipeline.common.times import parse_utc

OBJECT_NAME = re.compile(r"/(?P<topic>[^/]+)\+(?P<partition>\d+)\+(?P<start>\d+)\.json(\.gz)?$")
CLOCK_TOLERANCE = timedelta(days=1)  # the record's day is the producer's clock, which may not be ours


class Target(NamedTuple):
    """What must be in the lake of one topic; JSON keeps it as a list.

    :param since: First day (``YYYY-MM-DD``, UTC) whose folder can hold the records.
    :param last_offsets: Last acknowledged offset by partition.
    """

    topic: str
    since: str
    last_offsets: dict[int, int]


def targets_of(produced: Iterable[Mapping[str, Any]]) -> list[Target]:
    """Return what to wait for, from the results of ``KafkaRestProduceOperator``; none for a result without offsets.

    Results of one topic are joined: the earliest day, the highest offset of each partition.
    """
    targets: dict[str, Target] = {}
    for result in produced:
        if not result["partitions"]:
            continue
        started_at = parse_utc(result["started_at"])
        since = (started_at - CLOCK_TOLERANCE).date().isoformat()
        known = targets.setdefault(result["topic"], Target(result["topic"], since, {}))
        for entry in result["partitions"]:
            partition = int(entry["partition"])
            last = max(known.last_offsets.get(partition, -1), int(entry["last_offset"]))
            known.last_offsets[partition] = last
        targets[result["topic"]] = known._replace(since=min(known.since, since))
    return list(targets.values())


def target_from_json(value: Mapping[str, Any]) -> Target:
    """Return the target that :func:`target_to_json` wrote (JSON has no integer keys)."""
    offsets = {int(partition): int(offset) for partition, offset in value["last_offsets"].items()}
    return Target(value["topic"], value["since"], offsets)


def target_to_json(target: Target) -> dict[str, Any]:
    offsets = {str(partition): offset for partition, offset in target.last_offsets.items()}
    return {"topic": target.topic, "since": target.since, "last_offsets": offsets}


def newest_objects(keys: Iterable[str], topic: str) -> dict[int, str]:
    """Return the object with the highest start offset of each partition, whichever day's folder it is in."""
    newest: dict[int, tuple[int, str]] = {}
    for key in keys:
        if (name := OBJECT_NAME.search(key)) and name["topic"] == topic:
            candidate = (int(name["start"]), key)
            partition = int(name["partition"])
            newest[partition] = max(newest.get(partition, candidate), candidate)
    return {partition: key for partition, (_, key) in newest.items()}


def last_offset(content: bytes, key: str) -> int:
    """Return ``kafka_offset`` of an object's last line.

    :raises ValueError: when the object is empty or its last line is not what the sink writes.
    """
    lines = content.rstrip().rsplit(b"\n", 1)
    try:
        return int(json.loads(lines[-1])["kafka_offset"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"object {key}: its last line has no kafka_offset: is the InsertField transform in the connector?"
        ) from error


def behind(targets: Sequence[Target], landed: Mapping[str, Mapping[int, int]]) -> list[str]:
    """Say of each partition that is not there yet how far it has come; empty when all have landed."""
    late = []
    for target in targets:
        for partition, wanted in sorted(target.last_offsets.items()):
            offset = landed.get(target.topic, {}).get(partition)
            if offset is None:
                late.append(f"{target.topic}-{partition}: no object since {target.since}, offset {wanted} is awaited")
            elif offset < wanted:
                late.append(f"{target.topic}-{partition}: {wanted - offset} behind (offset {offset} of {wanted})")
    return late


def check_landed(targets: Sequence[Target], landed: Mapping[str, Mapping[int, int]]) -> PollResult:
    """Return the last offsets in the lake, once all targets have landed."""
    if late := behind(targets, landed):
        return PollResult(waiting_for="; ".join(late))
    topics = {
        topic: {str(partition): offset for partition, offset in offsets.items()} for topic, offsets in landed.items()
    }
    return PollResult(result={"topics": topics})
