"""The account of one task that sends records: every row read is acknowledged or a dead letter."""

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pinterest_pipeline.common.batching import Batch
from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.records import DeadLetter
from pinterest_pipeline.kafka_rest.delivery import OffsetRange, ProduceResult, widen
from pinterest_pipeline.kafka_rest.responses import Dialect
from pinterest_pipeline.lake.dead_letters import DeadLetterBox

BATCHES_PER_LOG_LINE = 20
log = logging.getLogger(__name__)


class Sending:
    """Adds up what became of the batches of one task; used by one thread.

    :param started_at: Before the first request, with its time zone.
    """

    def __init__(self, topic: str, started_at: datetime, box: DeadLetterBox) -> None:
        self.topic = topic
        self.started_at = started_at
        self.rows = 0
        self.acknowledged = 0
        self.batches = 0
        self.sent_bytes = 0
        self.retries = 0
        self.dialect: Dialect | None = None
        self._box = box
        self._offsets: dict[int, OffsetRange] = {}
        self._started = time.monotonic()

    def batches_of(self, items: Iterable[Batch | DeadLetter]) -> Iterator[Batch]:
        """Yield the batches, counting their records, and put the dead letters among them aside."""
        for item in items:
            if isinstance(item, DeadLetter):
                self.rows += 1
                self._box.add(item)
            else:
                self.rows += len(item.records)
                yield item

    def add(self, result: ProduceResult) -> None:
        """Book one batch."""
        self.batches += 1
        self.acknowledged += result.acknowledged
        self.sent_bytes += result.sent_bytes
        self.retries += result.retries
        self.dialect = result.dialect or self.dialect
        for seen in result.partitions:
            widen(self._offsets, seen)
        for letter in result.dead_letters:
            self._box.add(letter)
        if self.batches % BATCHES_PER_LOG_LINE == 1:
            log.info(
                "Topic %s, batch %d: %d records acknowledged, %d bytes, %d ms; %d records so far",
                self.topic,
                self.batches,
                result.acknowledged,
                result.sent_bytes,
                result.milliseconds,
                self.acknowledged,
            )

    def finish(self) -> dict[str, Any]:
        """Write the remaining dead letters, log one sentence and return the task's result.

        :raises PermanentError: when there were rows and none was acknowledged.
        """
        self._box.flush()
        seconds = round(time.monotonic() - self._started, 3)
        if self.rows and not self.acknowledged:
            raise PermanentError(
                f"topic {self.topic}: none of {self.rows} records was acknowledged, the first because: "
                f"{self._box.first_reason}: mend that, and run the task again; they are kept at {self._box.uri}*"
            )
        log.info(
            "Topic %s: %d rows, %d acknowledged, %d dead letters, %d requests repeated, %d bytes in %.1f s",
            self.topic,
            self.rows,
            self.acknowledged,
            self._box.count,
            self.retries,
            self.sent_bytes,
            seconds,
        )
        return {
            "topic": self.topic,
            "rows": self.rows,
            "acknowledged": self.acknowledged,
            "dead_letters": self._box.count,
            "dead_letter_uri": self._box.uri,
            "batches": self.batches,
            "bytes": self.sent_bytes,
            "retries": self.retries,
            "dialect": self.dialect.value if self.dialect else None,
            "started_at": self.started_at.isoformat(timespec="seconds"),
            "seconds": seconds,
            "partitions": [self._offsets[partition]._asdict() for partition in sorted(self._offsets)],
        }
