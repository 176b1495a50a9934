"""What is known of each record of one produce call, and its counts."""

import time
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from pinterest_pipeline.common.offsets import OffsetRange, OffsetsOfPartitions, ranges_of
from pinterest_pipeline.common.records import DeadLetter, Record
from pinterest_pipeline.kafka_rest.responses import Dialect, Outcome, RecordStatus
from pinterest_pipeline.kafka_rest.summary import ProduceResult

NO_KEY = b"null"


class Cause(NamedTuple):
    """Why a record has no offset yet; ``error`` is that of the whole request, where that failed."""

    reason: str
    error_code: int | None = None
    error: Exception | None = None


class BatchOutcomes:
    """The outcomes of a batch; a record is named by its place in it. Used by one thread."""

    def __init__(self, topic: str, records: Sequence[Record]) -> None:
        self.records = records
        self.causes: dict[int, Cause] = {}
        self.requests = self.repeated = self.sent_bytes = 0
        self.dialect: Dialect | None = None
        self._topic = topic
        self._acknowledged: dict[int, int] = {}  # to the number of the request that did it
        self._dead: dict[int, DeadLetter] = {}
        self._offsets = OffsetsOfPartitions()
        self._started = time.monotonic()

    @property
    def partitions(self) -> tuple[OffsetRange, ...]:
        return tuple(self._offsets)

    @property
    def known_count(self) -> int:
        """Records that need no further request."""
        return len(self._acknowledged) + len(self._dead)

    def apply(self, indexes: Sequence[int], outcomes: Sequence[Outcome]) -> dict[RecordStatus, list[int]]:
        """Note who was delivered, and return the others by what they need."""
        offsets: dict[int, list[int]] = {}
        others: dict[RecordStatus, list[int]] = {}
        for index, outcome in zip(indexes, outcomes, strict=True):
            if outcome.status is RecordStatus.DELIVERED:
                self._acknowledged[index] = self.requests
                if outcome.partition is not None and outcome.offset is not None:
                    offsets.setdefault(outcome.partition, []).append(outcome.offset)
            else:
                others.setdefault(outcome.status, []).append(index)
                self.causes[index] = Cause(outcome.reason, outcome.error_code)
        for partition, acknowledged in offsets.items():
            self._offsets.add(OffsetRange(partition, *found) for found in ranges_of(acknowledged))
        return others

    def overtaken(self) -> list[int]:
        """Return the newest record of each key that an older one, sent again, has come after."""
        if self.requests == 1:
            return []
        newest: dict[bytes, int] = {}
        last: dict[bytes, int] = {}
        for index in sorted(self._acknowledged):
            key = self.records[index].key
            if key != NO_KEY:
                newest[key] = index
                last[key] = max(last.get(key, 0), self._acknowledged[index])
        return [index for key, index in newest.items() if self._acknowledged[index] < last[key]]

    def acknowledged_in_order(self) -> Collection[int]:
        """Return the places of the acknowledged records, but for those that an older one of their key may follow."""
        if len(self._acknowledged) == len(self.records):
            return self._acknowledged
        chosen: set[int] = set()
        unsure: set[bytes] = set()
        for index, record in enumerate(self.records):
            if index not in self._acknowledged or record.key in unsure:
                unsure |= set() if record.key == NO_KEY or index in self._dead else {record.key}
            else:
                chosen.add(index)
        return chosen

    def blame(self, indexes: Iterable[int], cause: Cause) -> None:
        """Note why a whole request failed."""
        self.causes.update(dict.fromkeys(indexes, cause))

    def reject(self, index: int, note: str = "") -> None:
        """Make a record a dead letter, for the reason that it last failed for."""
        if index in self._acknowledged:  # and sent again only to be the newest of its key
            return
        cause = self.causes[index]
        self._dead[index] = DeadLetter.of(self.records[index], f"{cause.reason}{note}", cause.error_code)

    def key(self, index: int) -> str:
        return self.records[index].key.decode()

    def not_delivered(self, indexes: Sequence[int]) -> str:
        """Say how many records, from which key on, were not delivered, and why the first was not."""
        cause = self.causes[indexes[0]]
        code = f"{cause.error_code}: " if cause.error_code and not cause.error else ""
        return (
            f"topic {self._topic}: {len(indexes)} records not delivered, the first with key {self.key(indexes[0])}: "
            f"{code}{cause.reason}"
        )

    def result(self) -> ProduceResult:
        """Return the counts so far, also after an error."""
        return ProduceResult(
            acknowledged=len(self._acknowledged),
            partitions=self.partitions,
            dead_letters=tuple(self._dead[index] for index in sorted(self._dead)),
            requests=self.requests,
            retries=self.repeated,
            sent_bytes=self.sent_bytes,
            milliseconds=(time.monotonic() - self._started) * 1000,
            dialect=self.dialect,
        )
