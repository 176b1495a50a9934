"""One produce call, top to bottom: send a batch, apply the outcome of each record, send again what failed for now."""

import json
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import tenacity

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.offsets import Range, add, ranges_of
from pinterest_pipeline.common.records import DeadLetter, Record
from pinterest_pipeline.kafka_rest.batches import request_body
from pinterest_pipeline.kafka_rest.endpoint import RefusedRecordsError, UnansweredError
from pinterest_pipeline.kafka_rest.responses import Dialect, Outcome, RecordStatus, read_outcomes
from pinterest_pipeline.kafka_rest.summary import OffsetRange, ProduceResult


class Request(Protocol):
    """Makes one produce request to the topic and returns the body of the 200; ``what`` describes it in messages."""

    def __call__(self, what: str, *, body: bytes) -> bytes: ...


class PendingRecordsError(TransientError):
    """A request was answered, but some of its records must be sent again."""


class Pending(NamedTuple):
    """A record to send again, and the outcome that it had so far."""

    record: Record
    outcome: Outcome


class Producer:
    """Delivers the records of one produce call to one topic; used once, by one thread.

    :param retrying: The attempts of one request; they end after a :class:`TransientError` in the last one.
    """

    def __init__(self, topic: str, request: Request, retrying: tenacity.Retrying) -> None:
        self._topic = topic
        self._request = request
        self._retrying = retrying
        self._acknowledged = 0
        self._offsets: dict[int, list[Range]] = {}
        self._dead_letters: list[DeadLetter] = []
        self._requests = 0
        self._retries = 0
        self._sent_bytes = 0
        self._dialect: Dialect | None = None

    def produce(self, records: Sequence[Record]) -> ProduceResult:
        """Deliver or reject every record, see :meth:`KafkaRestHook.produce`."""
        started = time.monotonic()
        self._deliver(records)
        return ProduceResult(
            acknowledged=self._acknowledged,
            partitions=tuple(
                OffsetRange(partition, *found)
                for partition in sorted(self._offsets)
                for found in self._offsets[partition]
            ),
            dead_letters=tuple(self._dead_letters),
            requests=self._requests,
            retries=self._retries,
            sent_bytes=self._sent_bytes,
            milliseconds=(time.monotonic() - started) * 1000,
            dialect=self._dialect,
        )

    def _deliver(self, records: Sequence[Record]) -> None:
        """Send records until each is delivered, rejected or given up.

        When the proxy refuses a request as a whole for what is in it (413, 422), its halves are sent, in order, until
        the records at fault stand alone: at most twice as many requests as records, and about 20 for one in 500.
        """
        sending = records
        pending: list[Pending] = []
        attempts = 0
        try:
            for attempt in self._retrying:
                with attempt:
                    attempts = attempt.retry_state.attempt_number
                    self._retries += attempts > 1
                    pending = self._send(sending)
                    sending = [entry.record for entry in pending]
                    require_none_pending(pending, self._topic)
        except PendingRecordsError:
            if len(pending) == len(records) and all(e.outcome.status is RecordStatus.RETRY for e in pending):
                raise  # an outage, not a fault of these records: they wait for the task's next try
            for record, outcome in pending:
                self._reject(record, f"{outcome.reason} (after {attempts} attempts)", outcome.error_code)
        except RefusedRecordsError as error:
            if len(sending) == 1:
                self._reject(sending[0], str(error), error.error_code)
            else:
                middle = len(sending) // 2
                self._deliver(sending[:middle])
                self._deliver(sending[middle:])

    def _send(self, records: Sequence[Record]) -> list[Pending]:
        """Make one request and apply its outcomes; return the records to send again."""
        body = request_body(records)
        self._requests += 1
        self._sent_bytes += len(body)
        what = f"{len(records)} records for topic {self._topic}"
        answer = self._request(what, body=body)
        try:
            self._dialect, outcomes = read_outcomes(json.loads(answer), len(records))
        except ValueError as error:
            raise UnansweredError(f"{what}: {error}") from error
        return self._apply(records, outcomes)

    def _apply(self, records: Sequence[Record], outcomes: Sequence[Outcome]) -> list[Pending]:
        """Count the delivered records and reject the refused ones; return the others, in order."""
        pending = []
        offsets: dict[int, list[int]] = {}
        for record, outcome in zip(records, outcomes, strict=True):
            if outcome.status is RecordStatus.DELIVERED:
                self._acknowledged += 1
                if outcome.partition is not None and outcome.offset is not None:
                    offsets.setdefault(outcome.partition, []).append(outcome.offset)
            elif outcome.status is RecordStatus.REJECTED:
                self._reject(record, outcome.reason, outcome.error_code)
            else:
                pending.append(Pending(record, outcome))
        for partition, acknowledged in offsets.items():
            for found in ranges_of(acknowledged):
                add(self._offsets.setdefault(partition, []), found)
        return pending

    def _reject(self, record: Record, reason: str, error_code: int | None) -> None:
        self._dead_letters.append(DeadLetter.of(record, reason, error_code))


def require_none_pending(pending: Sequence[Pending], topic: str) -> None:
    """Raise while records must be sent again; permanently where the credentials are wrong."""
    if not pending:
        return
    denied = [entry for entry in pending if entry.outcome.status is RecordStatus.DENIED]
    outcome = (denied or pending)[0].outcome
    said = f"topic {topic}: {len(pending)} records not delivered, {outcome.error_code}: {outcome.reason}"
    if denied:
        raise PermanentError(f"{said}: let the proxy's user write to it (topic ACL; on MSK kafka-cluster:WriteData)")
    raise PendingRecordsError(said)
