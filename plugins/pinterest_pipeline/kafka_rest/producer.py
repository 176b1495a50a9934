"""One produce call, top to bottom: send a batch, apply the outcome of each record, find the records that are at fault.

A record becomes a dead letter for its own fault only. What may be a neighbour's fault, since Kafka refuses whole
batches and proxies whole requests, is sent again in halves, and then alone. What may be an outage is sent again until
the attempts are used up; the task's next try then takes it up.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Protocol

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.records import Record
from pinterest_pipeline.kafka_rest.batches import request_body
from pinterest_pipeline.kafka_rest.endpoint import RefusedRecordsError, RefusedRequestError, UnansweredError
from pinterest_pipeline.kafka_rest.outcomes import BatchOutcomes, Cause
from pinterest_pipeline.kafka_rest.parts import Part, merged, parts_within
from pinterest_pipeline.kafka_rest.responses import Dialect, Outcome, RecordStatus, read_outcomes
from pinterest_pipeline.kafka_rest.retries import Retries
from pinterest_pipeline.kafka_rest.summary import ProduceResult
from pinterest_pipeline.kafka_rest.traffic import Traffic

TOO_LARGE = "413"
STATUSES_OF_A_RECORD = frozenset({None, 408, 500, 502, 504})  # None: the connection was cut; 429, 503 name an outage
REFUSALS_ALONE = 2  # a record sent alone may still share Kafka's batch with one of another request
FAILURES_BEFORE_SPLITTING = 2
MOST_UNCLEAR = 5  # records of one call; more of them are an outage of a part of Kafka
MOST_REFUSED_IN_A_ROW = 32  # requests; more of them are refused for what all have in common
log = logging.getLogger(__name__)


class Request(Protocol):
    """Makes one produce request to the topic and returns the body of the 200; ``what`` describes it in messages."""

    def __call__(self, what: str, *, body: bytes) -> bytes: ...


class Producer:
    """Delivers the records of one produce call to one topic; used once, by one thread.

    :param is_answering: Tells, by a request without records, whether the proxy is there and lets us in.
    :param traffic: What all calls to the topic have seen.
    """

    def __init__(
        self,
        topic: str,
        records: Sequence[Record],
        request: Request,
        *,
        is_answering: Callable[[], bool],
        retries: Retries,
        traffic: Traffic,
    ) -> None:
        self.outcomes = BatchOutcomes(topic, records)
        self._topic = topic
        self._records = records
        self._request = request
        self._is_answering = is_answering
        self._retries = retries
        self._traffic = traffic
        self._now: deque[Part] = deque()  # to send in this round
        self._later: list[Part] = []  # and in the next, after a wait
        self._refused_in_a_row = 0
        self._requested_seconds = 0.0

    def produce(self) -> ProduceResult:
        """Deliver or reject every record, see :meth:`KafkaRestHook.produce`."""
        self._deliver(range(len(self._records)))
        self._deliver(self.outcomes.overtaken())  # the latest record of a key is the one that counts
        return self.outcomes.result()

    def _deliver(self, indexes: Sequence[int]) -> None:
        """Send records, in rounds with growing waits, until each is delivered, rejected, or out of attempts."""
        self._later = parts_within(indexes, self._records, self._traffic.max_bytes)
        attempt = 0
        while self._later:
            if attempt:
                self._retries.wait(attempt, self._requested_seconds)
            before = self.outcomes.known_count
            self._send_round(is_repeat=attempt > 0)
            attempt = attempt + 1 if self.outcomes.known_count == before else 1
            if self._later and attempt >= self._retries.max_attempts:
                self._give_up(attempt)
            elif self._later:
                left = [index for part in self._later for index in part.indexes]
                failed = self.outcomes.not_delivered(left)
                log.warning("Attempt %d of %d: %s", attempt, self._retries.max_attempts, failed)

    def _send_round(self, *, is_repeat: bool) -> None:
        self._now, self._later, self._requested_seconds = deque(self._later), [], 0.0
        while self._now:
            self.outcomes.repeated += is_repeat
            self._send(self._now.popleft())
        self._later = self._regrouped()

    def _regrouped(self) -> list[Part]:
        """Put together again what was taken apart in vain: records to retry, and all while nothing gets through."""
        retried = sorted(index for part in self._later if part.blamed_at is None for index in part.indexes)
        blamed = [part for part in self._later if part.blamed_at is not None]
        if blamed and not self._traffic.has_accepted_since(merged(blamed).blamed_at):
            blamed = [merged(blamed)]
        return [*parts_within(retried, self._records, self._traffic.max_bytes), *blamed]

    def _send(self, part: Part) -> None:
        """Make one request and apply what came of it."""
        self._retries.require_going()
        body = request_body([self._records[index] for index in part.indexes])
        if not part.is_alone and len(body) > (self._traffic.max_bytes or len(body)):
            return self._now.extendleft(reversed(part.halves()))
        with self._traffic.alone if part.is_suspect else nullcontext():
            number = self._traffic.next_number()
            self.outcomes.requests += 1
            self.outcomes.sent_bytes += len(body)
            try:
                self.outcomes.dialect, outcomes = self._ask(part, body)
            except UnansweredError as error:
                return self._apply_no_answer(part, error)
            except (RefusedRecordsError, RefusedRequestError) as error:
                return self._apply_refusal(part, error, len(body))
        before = self.outcomes.known_count
        others = self.outcomes.apply(part.indexes, outcomes)
        if self.outcomes.known_count > before:
            self._traffic.accept(number, len(body))
            self._refused_in_a_row = 0
        return self._apply_failures(part.blamed(number - 1), others)

    def _ask(self, part: Part, body: bytes) -> tuple[Dialect, list[Outcome]]:
        what = f"{len(part.indexes)} records for topic {self._topic}, from key {self.outcomes.key(part.indexes[0])}"
        answer = self._request(what, body=body)
        try:
            return read_outcomes(json.loads(answer), len(part.indexes))
        except ValueError as error:
            raise UnansweredError(f"{what}: {error}") from error

    def _apply_failures(self, part: Part, places: Mapping[RecordStatus, Sequence[int]]) -> None:
        """Decide what becomes of the records of an answered request that were not delivered."""
        if denied := places.get(RecordStatus.DENIED):
            remedy = "let the proxy's user write to it (topic ACL; on MSK kafka-cluster:WriteData)"
            raise PermanentError(f"{self.outcomes.not_delivered(denied)}: {remedy}")
        if retried := places.get(RecordStatus.RETRY):
            self._later.append(Part(tuple(retried)))
        if uncertain := places.get(RecordStatus.UNCERTAIN):  # each has an outcome of its own: no need to look for it
            is_few = len(uncertain) <= MOST_UNCLEAR
            self._later += [part.of([index]) for index in uncertain] if is_few else [part.of(uncertain)]
        if refused := places.get(RecordStatus.REJECTED):
            suspects = replace(part.of(refused), is_suspect=True)
            self._isolate(suspects, self.outcomes.causes[refused[0]], was_alone=part.is_alone)

    def _apply_refusal(self, part: Part, error: RefusedRecordsError | RefusedRequestError, size_bytes: int) -> None:
        """Look for the records for which a whole request was refused, unless every request is."""
        cause = Cause(str(error), error.error_code, error)
        self.outcomes.blame(part.indexes, cause)
        if str(error.error_code).startswith(TOO_LARGE) and not part.is_alone:
            self._traffic.refuse_size(size_bytes)
        is_first = not (self._now or self._later) and not self._traffic.has_accepted_since(0)
        if isinstance(error, RefusedRequestError) and part.is_alone and is_first:
            raise error
        self._isolate(part.blamed(self._traffic.newest_number), cause, was_alone=part.is_alone)

    def _isolate(self, part: Part, cause: Cause, *, was_alone: bool) -> None:
        """Send refused records again: in halves, in order, then alone, then alone once more after all others."""
        self._refused_in_a_row += 1
        if self._refused_in_a_row > MOST_REFUSED_IN_A_ROW:
            self._require_that_others_pass(part, cause)
            self._refused_in_a_row = 0
        if not part.is_alone:
            self._now.extendleft(reversed(part.halves()))
        elif not was_alone:
            self._now.appendleft(part)
        elif part.failures + 1 < REFUSALS_ALONE and not isinstance(cause.error, RefusedRecordsError):
            self._now.append(replace(part, failures=part.failures + 1))
        else:
            if isinstance(cause.error, RefusedRequestError):
                self._require_that_others_pass(part, cause)
            self.outcomes.reject(part.indexes[0])

    def _require_that_others_pass(self, part: Part, cause: Cause) -> None:
        """Raise where every request would be refused; a code of one record is proof enough if any ever passed."""
        if isinstance(cause.error, RefusedRequestError):
            if not self._others_pass(part):
                raise cause.error
        elif not self._traffic.has_accepted_since(0):
            refused = self.outcomes.not_delivered(part.indexes)
            raise PermanentError(f"{refused}: no record was accepted in {self.outcomes.requests} requests")

    def _apply_no_answer(self, part: Part, error: UnansweredError) -> None:
        """Send a request again; where others pass meanwhile, look for the records that leave it without an answer."""
        self.outcomes.blame(part.indexes, Cause(str(error), error.status, error))
        self._requested_seconds = max(self._requested_seconds, error.retry_after_seconds)
        if error.status not in STATUSES_OF_A_RECORD:
            self._later.append(part)
            return
        part = replace(part.blamed(self._traffic.newest_number), failures=part.failures + 1, is_suspect=False)
        found = sum(other.is_alone and other.blamed_at is not None for other in self._later)
        if part.is_alone or part.failures < FAILURES_BEFORE_SPLITTING or found > MOST_UNCLEAR:
            self._later.append(part)
        elif self._traffic.has_accepted_since(part.blamed_at):
            halves = [replace(half, failures=FAILURES_BEFORE_SPLITTING - 1) for half in part.halves()]
            self._now.extendleft(reversed(halves))
        else:
            first, *others = part.indexes
            self._later.append(replace(part.of(others), failures=part.failures))
            self._now.appendleft(part.of([first]))  # whether anything passes at all

    def _others_pass(self, part: Part) -> bool:
        """Tell whether others were accepted since a record was first refused, or could be."""
        if self._traffic.has_accepted_since(part.blamed_at):
            return True
        return self._traffic.has_accepted_since(0) and self._is_answering()

    def _give_up(self, attempts: int) -> None:
        """End without the records that are left: few alone that others passed are at fault, others wait for a retry."""
        left, self._later = self._later, []
        are_few = len(left) <= MOST_UNCLEAR and all(part.is_alone and part.blamed_at is not None for part in left)
        if not (are_few and all(map(self._others_pass, left)) and self._is_answering()):
            indexes = [index for part in left for index in part.indexes]
            raise TransientError(f"{self.outcomes.not_delivered(indexes)} (after {attempts} attempts)")
        for part in left:
            self.outcomes.reject(part.indexes[0], f" (after {attempts} attempts, while others were delivered)")
