"""The put call: several PutRecords requests at a time, until every record is delivered or given up."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event
from typing import Any, Protocol

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.kinesis.batches import Bounds, Entry, RequestQueue, wait_seconds
from pinterest_pipeline.kinesis.errors import is_throttled, permanent_remedy
from pinterest_pipeline.kinesis.model import FailedRecord, PutResult, SequenceRange, StreamRecord

MOST_FAILURES_KEPT = 10_000
MOST_GIVEN_UP = 10  # records of one call that fail alone, for no known reason; more are an outage, of a shard for one


class RequestTooLargeError(PermanentError):
    """The service takes less in one request than was sent."""


class PutRecords(Protocol):
    """One PutRecords request; raises what :meth:`KinesisStreamHook.put_request` does."""

    def __call__(self, records: Sequence[StreamRecord]) -> Mapping[str, Any]: ...


class Putting:
    """The state of one put call; used once. Requests are made by threads, everything else by the calling one.

    :param put: Makes one request.
    :param stopped: Ends the call early, with a :class:`TransientError`.
    """

    def __init__(
        self,
        put: PutRecords,
        stream: str,
        *,
        bounds: Bounds,
        max_in_flight: int,
        max_attempts: int,
        on_failed: Callable[[FailedRecord], None] | None,
        stopped: Event,
    ) -> None:
        self._put = put
        self._stream = stream
        self._bounds = bounds
        self._max_in_flight = max_in_flight
        self._max_attempts = max_attempts
        self._on_failed = on_failed
        self._stopped = stopped
        self._failed: list[FailedRecord] = []
        self._shards: dict[str, SequenceRange] = {}
        self._given_up = 0
        self._records = self._failed_count = self._requests = self._retried = 0
        self._sent_records = self._sent_bytes = 0

    def run(self, records: Iterable[StreamRecord]) -> PutResult:
        """Deliver the records, see :meth:`KinesisStreamHook.put_records`."""
        started = time.monotonic()
        requests = RequestQueue(records, self._bounds, self._fail)
        in_flight: dict[Future[Mapping[str, Any]], tuple[Entry, ...]] = {}
        with ThreadPoolExecutor(self._max_in_flight, thread_name_prefix="kinesis-put") as pool:
            while in_flight or not requests.is_done:
                self._require_going()
                due = requests.due(in_flight=bool(in_flight))
                if len(in_flight) < self._max_in_flight and due <= time.monotonic():
                    entries = requests.take(time.monotonic())
                    in_flight[pool.submit(self._put, [entry.record for entry in entries])] = entries
                    self._count(entries)
                    continue
                for future in self._await(in_flight, due):
                    requests.put_back(self._apply(in_flight.pop(future), future, requests))
        return self._result(milliseconds=(time.monotonic() - started) * 1000)

    def _await(self, in_flight: Mapping[Future[Any], Any], due: float) -> set[Future[Any]]:
        """Wait for an answer, or until something is due where there is room for it."""
        has_room = len(in_flight) < self._max_in_flight
        seconds = max(0.0, due - time.monotonic()) if has_room and due != float("inf") else None
        if in_flight:
            return wait(in_flight, timeout=seconds, return_when=FIRST_COMPLETED).done
        self._stopped.wait(seconds)
        return set()

    def _count(self, entries: Sequence[Entry]) -> None:
        self._requests += 1
        self._sent_records += len(entries)
        self._sent_bytes += sum(entry.size_bytes for entry in entries)
        self._retried += sum(entry.attempts > 0 for entry in entries)

    def _apply(
        self, entries: Sequence[Entry], future: Future[Mapping[str, Any]], requests: RequestQueue
    ) -> list[Entry]:
        """Count the outcome of each record of one request; return the entries to retry."""
        try:
            outcomes = read_outcomes(future.result(), len(entries))
        except RequestTooLargeError as error:
            if len(entries) == 1:
                self._fail(FailedRecord(entries[0].record, str(error)))
                return []
            requests.lower_request_bytes()
            return list(entries)
        except TransientError as error:
            requests.lower_request_bytes()  # where the way is slow, a smaller request may get through in time
            return self._all_again(entries, error)
        failed = [pair for pair in zip(entries, outcomes, strict=True) if not self._delivered(pair[1])]
        passed = len(failed) < len(entries)
        again = [entry for pair in failed if (entry := self._to_retry(*pair, passed=passed))]
        due = time.monotonic() + wait_seconds(max((entry.attempts for entry in again), default=1))
        return [replace(entry, due=due) for entry in again]

    def _all_again(self, entries: Sequence[Entry], error: TransientError) -> list[Entry]:
        """An unanswered request may have been carried out: a second copy is harmless to readers that go by key."""
        attempts = max(entry.attempts for entry in entries) + 1
        if attempts >= self._max_attempts:
            raise TransientError(
                f"stream {self._stream}: {len(entries)} records got no answer in {attempts} attempts: {error}"
            ) from error
        due = time.monotonic() + wait_seconds(attempts)
        return [replace(entry, attempts=entry.attempts + 1, due=due) for entry in entries]

    def _delivered(self, outcome: Mapping[str, Any]) -> bool:
        if outcome.get("ErrorCode") or not outcome.get("SequenceNumber"):
            return False
        self._records += 1
        widen(self._shards, outcome["ShardId"], outcome["SequenceNumber"])
        return True

    def _to_retry(self, entry: Entry, outcome: Mapping[str, Any], *, passed: bool) -> Entry | None:
        """Return a record that was not taken with one attempt more; None where it is given up.

        :raises PermanentError: No record will be taken.
        :raises TransientError: Its attempts are used up and it may not be at fault: it is throttled, or too many fail.
        """
        code = str(outcome.get("ErrorCode") or "")
        key = entry.record.partition_key
        what = f"stream {self._stream}: the record with partition key {key}"
        if remedy := permanent_remedy(code):
            raise PermanentError(f"{what} was refused with {code}: {explain(outcome)}: {remedy}")
        entry = replace(entry, attempts=entry.attempts + 1, was_passed=entry.was_passed or passed)
        if entry.attempts < self._max_attempts:
            return entry
        said = f"{explain(outcome)} (after {entry.attempts} attempts)"
        if is_throttled(code):
            raise TransientError(
                f"{what}: {said}: wait, or give the stream more shards (DAG pinterest_kinesis_streams)"
            )
        if not entry.was_passed or self._given_up == MOST_GIVEN_UP:
            raise TransientError(f"{what} and maybe others: {said}")
        self._given_up += 1
        self._fail(FailedRecord(entry.record, f"{said}, while others were delivered", code or None))
        return None

    def _fail(self, failed: FailedRecord) -> None:
        self._failed_count += 1
        if self._on_failed:
            self._on_failed(failed)
        elif len(self._failed) < MOST_FAILURES_KEPT:
            self._failed.append(failed)

    def _require_going(self) -> None:
        if self._stopped.is_set():
            raise TransientError(
                f"stream {self._stream}: stopped after {self._records} records; sending them again is harmless"
            )

    def _result(self, milliseconds: float) -> PutResult:
        return PutResult(
            records=self._records,
            requests=self._requests,
            retried=self._retried,
            failed=tuple(self._failed),
            failed_count=self._failed_count,
            sent_records=self._sent_records,
            sent_bytes=self._sent_bytes,
            milliseconds=milliseconds,
            shards=tuple(self._shards[shard] for shard in sorted(self._shards)),
        )


def widen(shards: dict[str, SequenceRange], shard_id: str, sequence_number: str) -> None:
    """Make the range of a shard span one more number; numbers are decimal texts of different lengths."""
    known = shards.get(shard_id, SequenceRange(shard_id, sequence_number, sequence_number))
    shards[shard_id] = SequenceRange(
        shard_id,
        min(known.first_sequence_number, sequence_number, key=int),
        max(known.last_sequence_number, sequence_number, key=int),
    )


def read_outcomes(answer: Mapping[str, Any], record_count: int) -> Sequence[Mapping[str, Any]]:
    """Return one outcome a record, in the order of the request; with another number nothing is known of them."""
    outcomes: Sequence[Mapping[str, Any]] = answer.get("Records", ())
    if len(outcomes) != record_count:
        raise TransientError(f"{len(outcomes)} outcomes for {record_count} records")
    return outcomes


def explain(outcome: Mapping[str, Any]) -> str:
    """Say why a record was not taken, in the service's words."""
    return str(outcome.get("ErrorMessage") or outcome.get("ErrorCode") or "the service gave it no sequence number")
