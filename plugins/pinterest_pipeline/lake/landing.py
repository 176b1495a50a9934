"""Have a run's records reached the lake? Each acknowledged offset must be in an object written since they were sent.

Only offsets are awaited that Kafka acknowledged to the run: those between them that never carry a record (a
transaction's marker, a record of another producer that was compacted away) hold nothing up.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pinterest_pipeline.common.offsets import Range, acknowledged_ranges, add, in_words, ranges_of, size, subtract
from pinterest_pipeline.common.polling import PollResult
from pinterest_pipeline.common.times import parse_utc
from pinterest_pipeline.lake.generations import restarted
from pinterest_pipeline.lake.objects import LakeObject, read_records, require_readable

FOLDER_TOLERANCE = timedelta(days=1)  # the folder is named by the proxy's clock, which may be behind ours at midnight
CLOCK_TOLERANCE = timedelta(minutes=1)  # between our clock, the proxy's and S3's
# S3 refuses requests whose clock is 15 minutes off (RequestTimeTooSkewed): what is older than that is older indeed.
LARGEST_CLOCK_ERROR = timedelta(minutes=15)


@dataclass(frozen=True)
class Target:
    """What must be in the lake of one topic.

    :param sent_from: Before the first record was sent; ``sent_until`` after the last was acknowledged; by our clock.
    :param offsets: Acknowledged offsets by partition.
    """

    topic: str
    sent_from: datetime
    sent_until: datetime
    offsets: Mapping[int, Sequence[Range]]

    @property
    def since(self) -> str:
        """First day (``YYYY-MM-DD``, UTC) whose folder can hold the records."""
        return (self.sent_from - FOLDER_TOLERANCE).date().isoformat()


def sending_time(result: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Return when a task began and ended to send, from its result, whose ``started_at`` is cut to a second."""
    started_at = parse_utc(result["started_at"])
    return started_at, started_at + timedelta(seconds=float(result["seconds"]) + 1)


def targets_of(produced: Iterable[Mapping[str, Any]]) -> list[Target]:
    """Return what to wait for, from the results of ``KafkaRestProduceOperator``; none for a result without offsets.

    Results of one topic are joined.
    """
    targets: dict[str, Target] = {}
    for result in produced:
        if not result["partitions"]:
            continue
        sent_from, sent_until = sending_time(result)
        known = targets.get(result["topic"], Target(result["topic"], sent_from, sent_until, {}))
        offsets = {partition: list(ranges) for partition, ranges in known.offsets.items()}
        for entry in result["partitions"]:
            for acknowledged in acknowledged_ranges(entry):
                add(offsets.setdefault(int(entry["partition"]), []), acknowledged)
        targets[result["topic"]] = Target(
            result["topic"], min(known.sent_from, sent_from), max(known.sent_until, sent_until), offsets
        )
    return list(targets.values())


def target_from_json(value: Mapping[str, Any]) -> Target:
    """Return the target that :func:`target_to_json` wrote (JSON has no integer keys and no tuples)."""
    offsets = {
        int(partition): [(first, last) for first, last in found] for partition, found in value["offsets"].items()
    }
    return Target(value["topic"], parse_utc(value["sent_from"]), parse_utc(value["sent_until"]), offsets)


def target_to_json(target: Target) -> dict[str, Any]:
    return {
        "topic": target.topic,
        "sent_from": target.sent_from.isoformat(),
        "sent_until": target.sent_until.isoformat(),
        "offsets": {str(partition): [list(found) for found in ranges] for partition, ranges in target.offsets.items()},
    }


class Landing:
    """How far one target has come; remembers what it has read, so that an object is read once however long it takes.

    :param target: What is awaited.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.last_offsets: dict[int, int] = {}
        self._missing = {partition: list(ranges) for partition, ranges in target.offsets.items()}
        self._read: set[tuple[str, str]] = set()
        self._older: dict[int, int] = {}
        self._later: set[int] = set()
        self._of_another_time: set[int] = set()
        bounds = (target.sent_from - CLOCK_TOLERANCE, target.sent_until + CLOCK_TOLERANCE)
        self._since_ms, self._until_ms = (int(bound.timestamp() * 1000) for bound in bounds)

    def take(self, objects: Sequence[LakeObject], read: Callable[[str], Iterable[bytes]]) -> None:
        """Read, in the order of their start offsets, the objects that may hold what is missing.

        :param objects: All of the topic since the target's first day, by partition and start offset.
        :param read: Returns the lines of the object of a key.
        :raises ValueError: an object is of another format, is not the sink's, or is of an older generation.
        """
        older = [one for one in objects if one.written_at < self.target.sent_from - CLOCK_TOLERANCE]
        self._refuse_restarted(older)
        self._older = {partition: sum(one.partition == partition for one in older) for partition in self._missing}
        for one in objects:
            missing = self._missing.get(one.partition)
            if not missing or one.written_at < self.target.sent_from - CLOCK_TOLERANCE:
                continue
            if one.start > missing[-1][1]:
                self._later.add(one.partition)
            elif (one.key, one.version) not in self._read:
                self._take_one(one, read)

    def _take_one(self, one: LakeObject, read: Callable[[str], Iterable[bytes]]) -> None:
        require_readable(one)
        records = read_records(read(one.key), one.key)
        self._read.add((one.key, one.version))
        found = ranges_of(r.offset for r in records if self._since_ms <= r.timestamp_ms <= self._until_ms)
        missing = self._missing[one.partition] = subtract(self._missing[one.partition], found)
        if found:
            self.last_offsets[one.partition] = max(self.last_offsets.get(one.partition, -1), found[-1][1])
        if subtract(missing, ranges_of(record.offset for record in records)) != missing:
            self._of_another_time.add(one.partition)

    def _refuse_restarted(self, older: Iterable[LakeObject]) -> None:
        """Raise where what was acknowledged now is at or below what the lake had before the sending began."""
        for one in older:
            acknowledged = self.target.offsets.get(one.partition)
            is_older = one.written_at < self.target.sent_from - LARGEST_CLOCK_ERROR
            if acknowledged and is_older and one.start >= acknowledged[0][0]:
                raise ValueError(
                    restarted(
                        self.target.topic,
                        one.partition,
                        f"Kafka acknowledged offset {acknowledged[0][0]}",
                        f"the lake has had offset {one.start} since {one.written_at:%Y-%m-%d %H:%M} UTC ({one.key})",
                    )
                )

    def behind(self) -> list[str]:
        """Say of each partition that is not there yet what is missing; empty when all has landed."""
        return [self._behind(partition, missing) for partition, missing in sorted(self._missing.items()) if missing]

    def _behind(self, partition: int, missing: Sequence[Range]) -> str:
        said = (
            f"{self.target.topic}-{partition}: {size(missing)} of {size(self.target.offsets[partition])} acknowledged "
            f"offsets are not in the lake ({in_words(missing)})"
        )
        if older := self._older.get(partition):
            said += f", {older} objects from before the sending do not count"
        if partition in self._of_another_time:
            said += ", records at them are of another time: of an older generation of the topic, or a clock is wrong"
        last = self.last_offsets.get(partition, -1)
        if partition in self._later or last > missing[0][0]:
            return f"{said}, later ones are: see the topic of the connector's dead letters"
        return said if last >= 0 else f"{said}, no object of it since {self.target.since}"


def check_landed(landings: Iterable[Landing]) -> PollResult:
    """Return the last offsets found in the lake, once all targets have landed."""
    if late := [sentence for landing in landings for sentence in landing.behind()]:
        return PollResult(waiting_for="; ".join(late))
    topics = {
        landing.target.topic: {str(partition): offset for partition, offset in sorted(landing.last_offsets.items())}
        for landing in landings
    }
    return PollResult(result={"topics": topics})
