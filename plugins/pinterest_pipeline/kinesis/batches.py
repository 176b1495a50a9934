"""Which records go into the next PutRecords request: full requests, also while some records must be sent again."""

from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from operator import attrgetter

from pinterest_pipeline.common.backoff import pause_seconds
from pinterest_pipeline.kinesis.model import (
    DEFAULT_MAX_RECORD_BYTES,
    MAX_HASH_KEY,
    MAX_PARTITION_KEY_CHARACTERS,
    MAX_PUT_BYTES,
    MAX_RECORDS_PER_PUT,
    FailedRecord,
    StreamRecord,
)

FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class Entry:
    """A record on its way.

    :param attempts: Requests that carried it so far.
    :param due: Clock reading before which it is not to be sent again.
    :param was_passed: Others of a request with it were delivered, so that the stream as a whole takes records.
    """

    record: StreamRecord
    size_bytes: int
    attempts: int = 0
    due: float = 0.0
    was_passed: bool = False


@dataclass(frozen=True)
class Bounds:
    """How much one request may carry; a record beyond ``record_bytes`` is never sent."""

    records: int = MAX_RECORDS_PER_PUT
    request_bytes: int = MAX_PUT_BYTES
    record_bytes: int = DEFAULT_MAX_RECORD_BYTES


class RequestQueue:
    """Fills requests from the records to send again and, after those, from a source of new ones.

    What must be sent again rides in the next full request instead of in a small request of its own. When a whole
    request of it has come together, the source waits: so no more than that (and what is in flight) is ever held, and
    a throttled stream is not pushed harder. At the end of the source what is left goes together, once it is all due.

    Not for several threads.

    :param on_refused: Told of each record that no request may carry, as it is met.
    """

    def __init__(
        self, source: Iterable[StreamRecord], bounds: Bounds, on_refused: Callable[[FailedRecord], None]
    ) -> None:
        self.bounds = bounds
        self._on_refused = on_refused
        self._source: Iterator[StreamRecord] = iter(source)
        self._next: Entry | None = None
        self._exhausted = False
        self._again: list[Entry] = []  # sorted by due

    def lower_request_bytes(self) -> None:
        """Halve what a request may carry from now on, down to 1 MiB; a larger record then goes alone."""
        least = min(self.bounds.record_bytes, DEFAULT_MAX_RECORD_BYTES)
        lowered = max(least, self.bounds.request_bytes // 2)
        self.bounds = replace(self.bounds, request_bytes=lowered)

    def put_back(self, entries: Iterable[Entry]) -> None:
        """Take records to send again, not before their ``due``."""
        for entry in entries:
            insort(self._again, entry, key=attrgetter("due"))

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to send, leaving aside what is in flight."""
        return not self._again and self._peek() is None

    def due(self, *, in_flight: bool) -> float:
        """Return the clock reading from which :meth:`take` has a request; infinity when only an answer can help."""
        if self._again and self._is_held_back:
            return self._again[min(len(self._again), self.bounds.records) - 1].due
        if self._peek() is not None:
            return 0.0
        if not self._again or in_flight:
            return float("inf")  # what is in flight may come back, and is then sent together with these
        return self._again[-1].due

    def take(self, now: float) -> tuple[Entry, ...]:
        """Return the records of the next request; reads no further than what goes into it."""
        taken: list[Entry] = []
        size = 0
        while self._again and self._again[0].due <= now and self._fits(taken, size, self._again[0]):
            taken.append(self._again.pop(0))
            size += taken[-1].size_bytes
        while len(taken) < self.bounds.records and not self._is_held_back:
            entry = self._peek()
            if entry is None or not self._fits(taken, size, entry):
                break
            taken.append(entry)
            size += entry.size_bytes
            self._next = None
        return tuple(taken)

    @property
    def _is_held_back(self) -> bool:
        return len(self._again) >= self.bounds.records

    def _fits(self, taken: list[Entry], size: int, entry: Entry) -> bool:
        return len(taken) < self.bounds.records and (not taken or size + entry.size_bytes <= self.bounds.request_bytes)

    def _peek(self) -> Entry | None:
        """Return the next new record without taking it; those that may not be sent are left out."""
        while self._next is None and not self._exhausted:
            record = next(self._source, None)
            if record is None:
                self._exhausted = True
            elif reason := self._unsendable(record):
                self._on_refused(FailedRecord(record, reason))
            else:
                self._next = Entry(record, record.size_bytes)
        return self._next

    def _unsendable(self, record: StreamRecord) -> str:
        if not 1 <= len(record.partition_key) <= MAX_PARTITION_KEY_CHARACTERS:
            return (
                f"partition key of {len(record.partition_key)} characters, Kinesis takes 1 to "
                f"{MAX_PARTITION_KEY_CHARACTERS}"
            )
        if record.explicit_hash_key is not None and not 0 <= record.explicit_hash_key <= MAX_HASH_KEY:
            return f"explicit hash key {record.explicit_hash_key}, Kinesis takes 0 to 2**128 - 1"
        if record.size_bytes > self.bounds.record_bytes:
            return f"record of {record.size_bytes} bytes, this stream takes at most {self.bounds.record_bytes}"
        return ""


def wait_seconds(attempts: int) -> float:
    """Return how long to wait after so many attempts."""
    return pause_seconds(attempts, first=FIRST_WAIT_SECONDS, longest=LONGEST_WAIT_SECONDS)
