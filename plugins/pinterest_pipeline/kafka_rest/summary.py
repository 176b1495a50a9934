"""The counts of one produce call, and of one task that sends records: each row is acknowledged or a dead letter."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NotRequired, TypedDict

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.offsets import OffsetRange, OffsetsOfPartitions, Range, gaps_between
from pinterest_pipeline.common.records import DeadLetter, Record
from pinterest_pipeline.kafka_rest.batches import Batch
from pinterest_pipeline.kafka_rest.responses import Dialect
from pinterest_pipeline.lake.dead_letters import DeadLetterBox
from pinterest_pipeline.lake.send_progress import SendProgress

BATCHES_PER_LOG_LINE = 20
MOST_DEAD_LETTERS = 10_000  # of one task; finding each costs about 24 requests, and so many have one cause
log = logging.getLogger(__name__)


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

    ``earlier_rows`` of the acknowledged ones were so in earlier tries of the task, the first of which ``started_at``.
    ``dead_letter_uri`` is the prefix of the objects, None without dead letters; ``bytes`` are of request bodies;
    ``dialect`` is None without rows; ``started_at`` is ISO 8601 in UTC.
    """

    topic: str
    rows: int
    acknowledged: int
    earlier_rows: int
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

    :param progress: What earlier tries got acknowledged.
    """

    def __init__(self, topic: str, dead_letters: DeadLetterBox, progress: SendProgress) -> None:
        self._topic = topic
        self._progress = progress
        self._rows = 0
        self._acknowledged = 0
        self._batches = 0
        self._sent_bytes = 0
        self._retries = 0
        self._dialect: Dialect | None = None
        self._dead_letters = dead_letters
        self._offsets = OffsetsOfPartitions()

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
        self._offsets.add(result.partitions)
        self._progress.require_same_topic(self._topic, result.partitions)
        for dead_letter in result.dead_letters:
            self._dead_letters.add(dead_letter)
        if self._dead_letters.count > MOST_DEAD_LETTERS:
            self._dead_letters.flush()
            raise PermanentError(
                f"topic {self._topic}: more than {MOST_DEAD_LETTERS:,} dead letters among {self._rows:,} rows, the "
                f"first because: {self._dead_letters.first_reason}: fix that, and clear the task; they are at "
                f"{self._dead_letters.uri}*"
            )
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
        # since the first try: posts_landed takes records of this span for the task's
        seconds = round((datetime.now(UTC) - self._progress.started_at).total_seconds(), 3)
        earlier = self._progress.skipped_rows
        self._offsets.add(self._progress.earlier_offsets)
        if self._rows and not self._acknowledged and not earlier:
            raise PermanentError(
                f"topic {self._topic}: none of {self._rows} records was acknowledged, the first because: "
                f"{box.first_reason}: fix that, and run the task again; the records are at {box.uri}*"
            )
        superseded = box.supersede_earlier()
        self._progress.clear()
        if superseded:
            log.info("Topic %s: moved %d objects with dead letters of earlier tries away", self._topic, superseded)
        log.info(
            "Topic %s: %d rows, %d acknowledged, %d of them by earlier tries, %d dead letters, %d requests repeated, "
            "%d bytes in %.1f s",
            self._topic,
            self._rows + earlier,
            self._acknowledged + earlier,
            earlier,
            box.count,
            self._retries,
            self._sent_bytes,
            seconds,
        )
        return SendSummary(
            topic=self._topic,
            rows=self._rows + earlier,
            acknowledged=self._acknowledged + earlier,
            earlier_rows=earlier,
            dead_letters=box.count,
            dead_letter_uri=box.uri,
            batches=self._batches,
            bytes=self._sent_bytes,
            retries=self._retries,
            dialect=self._dialect.value if self._dialect else None,
            started_at=self._progress.started_at.isoformat(timespec="seconds"),
            seconds=seconds,
            partitions=[partition_offsets(*found) for found in sorted(self._offsets.ranges.items())],
        )
