"""The counts of one produce call, and of one task that sends records: each row is acknowledged or a dead letter."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, NotRequired, TypedDict

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.offsets import Range, add, bounded, gaps_between
from pinterest_pipeline.common.records import DeadLetter, Record
from pinterest_pipeline.kafka_rest.batches import Batch
from pinterest_pipeline.kafka_rest.responses import Dialect
from pinterest_pipeline.lake.dead_letters import DeadLetterBox

BATCHES_PER_LOG_LINE = 20
MAX_RANGES = 1000  # of one partition: what several producers write by turns is no longer told apart beyond it
log = logging.getLogger(__name__)


class OffsetRange(NamedTuple):
    """First and last of consecutive offsets that were acknowledged in one partition."""

    partition: int
    first_offset: int
    last_offset: int


@dataclass(frozen=True)
class ProduceResult:
    """The outcome of the records of one produce call.

    :param acknowledged: Records that Kafka has, as the proxy says.
    :param partitions: Their offsets, in order; without the offsets that the proxy did not return.
    :param dead_letters: The other records, each with its reason.
    :param requests: HTTP requests made; ``retries`` of them repeated one that failed.
    :param sent_bytes: Bytes of request bodies, repetitions included.
    :param dialect: None when no request was answered with outcomes.
    """

    acknowledged: int
    partitions: tuple[OffsetRange, ...]
    dead_letters: tuple[DeadLetter, ...]
    requests: int
    retries: int
    sent_bytes: int
    milliseconds: float
    dialect: Dialect | None


class PartitionOffsets(TypedDict):
    """The offsets that were acknowledged in one partition, as JSON.

    ``gaps`` are ranges (``[first, last]``) between the first and the last that were not acknowledged to this task:
    another producer's records, transaction markers, or a copy of a request that was sent again. Absent without any.
    """

    partition: int
    first_offset: int
    last_offset: int
    gaps: NotRequired[list[list[int]]]


class SendSummary(TypedDict):
    """The result of a task that sends the rows of a query; ``rows`` = ``acknowledged`` + ``dead_letters``.

    ``dead_letter_uri`` is the prefix of the objects, None without dead letters; ``bytes`` are of request bodies;
    ``dialect`` is None without rows; ``started_at`` is ISO 8601 in UTC.
    """

    topic: str
    rows: int
    acknowledged: int
    dead_letters: int
    dead_letter_uri: str | None
    batches: int
    bytes: int
    retries: int
    dialect: str | None
    started_at: str
    seconds: float
    partitions: list[PartitionOffsets]


def partition_offsets(partition: int, ranges: Sequence[Range]) -> PartitionOffsets:
    found = PartitionOffsets(partition=partition, first_offset=ranges[0][0], last_offset=ranges[-1][1])
    if gaps := gaps_between(ranges):
        found["gaps"] = [list(gap) for gap in gaps]
    return found


class SendCounts:
    """Adds up the batches of one task; used by one thread.

    :param started_at: Before the first request, with its time zone.
    """

    def __init__(self, topic: str, started_at: datetime, dead_letters: DeadLetterBox) -> None:
        self._topic = topic
        self._started_at = started_at
        self._started = time.monotonic()
        self._rows = 0
        self._acknowledged = 0
        self._batches = 0
        self._sent_bytes = 0
        self._retries = 0
        self._dialect: Dialect | None = None
        self._dead_letters = dead_letters
        self._offsets: dict[int, list[Range]] = {}

    def batches_of(self, items: Iterable[Batch | DeadLetter]) -> Iterator[Sequence[Record]]:
        """Count the records of every batch and yield them; store the dead letters among the items."""
        for item in items:
            if isinstance(item, DeadLetter):
                self._rows += 1
                self._dead_letters.add(item)
            else:
                self._rows += len(item.records)
                yield item.records

    def add(self, result: ProduceResult) -> None:
        """Count one batch and store its dead letters."""
        self._batches += 1
        self._acknowledged += result.acknowledged
        self._sent_bytes += result.sent_bytes
        self._retries += result.retries
        self._dialect = result.dialect or self._dialect
        for partition, first, last in result.partitions:
            add(self._offsets.setdefault(partition, []), (first, last))
            self._offsets[partition] = bounded(self._offsets[partition], MAX_RANGES)
        for dead_letter in result.dead_letters:
            self._dead_letters.add(dead_letter)
        if self._batches % BATCHES_PER_LOG_LINE == 1:
            log.info(
                "Topic %s, batch %d: %d records acknowledged, %d bytes, %d ms; %d records so far",
                self._topic,
                self._batches,
                result.acknowledged,
                result.sent_bytes,
                result.milliseconds,
                self._acknowledged,
            )

    def finish(self) -> SendSummary:
        """Write the remaining dead letters, log one sentence and return the task's result.

        :raises PermanentError: there were rows and none was acknowledged.
        """
        box = self._dead_letters
        box.flush()
        seconds = round(time.monotonic() - self._started, 3)
        if self._rows and not self._acknowledged:
            raise PermanentError(
                f"topic {self._topic}: none of {self._rows} records was acknowledged, the first because: "
                f"{box.first_reason}: fix that, and run the task again; the records are at {box.uri}*"
            )
        log.info(
            "Topic %s: %d rows, %d acknowledged, %d dead letters, %d requests repeated, %d bytes in %.1f s",
            self._topic,
            self._rows,
            self._acknowledged,
            box.count,
            self._retries,
            self._sent_bytes,
            seconds,
        )
        return SendSummary(
            topic=self._topic,
            rows=self._rows,
            acknowledged=self._acknowledged,
            dead_letters=box.count,
            dead_letter_uri=box.uri,
            batches=self._batches,
            bytes=self._sent_bytes,
            retries=self._retries,
            dialect=self._dialect.value if self._dialect else None,
            started_at=self._started_at.isoformat(timespec="seconds"),
            seconds=seconds,
            partitions=[partition_offsets(partition, ranges) for partition, ranges in sorted(self._offsets.items())],
        )
