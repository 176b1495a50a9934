"""The produce call: one request, and then as many as it takes until every record is settled."""

import json
import time
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import quote

import tenacity

from pinterest_pipeline.common.batching import request_body
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.records import Record
from pinterest_pipeline.kafka_rest.delivery import Account, ProduceResult, Unsettled
from pinterest_pipeline.kafka_rest.endpoint import RefusedRecordsError, UnansweredError
from pinterest_pipeline.kafka_rest.responses import Verdict, read_outcomes


class UnsettledRecordsError(TransientError):
    """A request was answered, but some of its records must be sent again."""


class Requests(Protocol):
    """What a producer needs of the hook."""

    max_attempts: int

    def attempts(self) -> tenacity.Retrying: ...

    def request(
        self, method: str, path: str, what: str, *, topic: str | None = None, body: bytes | None = None
    ) -> bytes: ...


class Producer:
    """Settles the records of one produce call to one topic; used once, by one thread."""

    def __init__(self, requests: Requests, topic: str) -> None:
        self._requests = requests
        self._topic = topic
        self._account = Account()

    def produce(self, records: Sequence[Record]) -> ProduceResult:
        """Settle every record, see :meth:`KafkaRestHook.produce`.

        When the proxy refuses a request as a whole for what is in it (413, 422), halves are sent until the records
        at fault stand alone: at most twice as many requests as records, and about 20 for one bad record in 500.
        """
        started = time.monotonic()
        parts = [tuple(records)]
        while parts:
            part = parts.pop()
            try:
                self._settle(part)
            except RefusedRecordsError as error:
                if len(part) == 1:
                    self._account.reject(part[0], str(error), error.error_code)
                else:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
        return self._account.result(milliseconds=(time.monotonic() - started) * 1000)

    def _settle(self, records: Sequence[Record]) -> None:
        """Send records until each is delivered, rejected or given up."""
        sending = records
        unsettled: list[Unsettled] = []
        try:
            for attempt in self._requests.attempts():
                with attempt:
                    self._account.retries += attempt.retry_state.attempt_number > 1
                    unsettled = self._send(sending)
                    sending = [entry.record for entry in unsettled]
                    require_settled(unsettled, self._topic)
        except UnsettledRecordsError:
            if len(unsettled) == len(records) and all(e.outcome.verdict is Verdict.RETRY for e in unsettled):
                raise  # an outage, not a fault of these records: they keep for the task's next try
            self._account.give_up(unsettled, self._requests.max_attempts)

    def _send(self, records: Sequence[Record]) -> list[Unsettled]:
        """Make one request and book its outcomes; return the records to send again."""
        body = request_body(records)
        self._account.requests += 1
        self._account.sent_bytes += len(body)
        what = f"{len(records)} records for topic {self._topic}"
        path = f"/topics/{quote(self._topic, safe='')}"
        answer = self._requests.request("POST", path, what, topic=self._topic, body=body)
        try:
            self._account.dialect, outcomes = read_outcomes(json.loads(answer), len(records))
        except ValueError as error:
            raise UnansweredError(f"{what}: {error}") from error
        return self._account.settle(records, outcomes)


def require_settled(unsettled: Sequence[Unsettled], topic: str) -> None:
    """Raise unless nothing is left to send again; permanently where credentials are what is wrong."""
    if not unsettled:
        return
    denied = [entry for entry in unsettled if entry.outcome.verdict is Verdict.DENIED]
    outcome = (denied or unsettled)[0].outcome
    said = f"topic {topic}: {len(unsettled)} records not delivered, {outcome.error_code}: {outcome.reason}"
    if denied:
        raise PermanentError(f"{said}: let the proxy's user write to it (topic ACL; on MSK kafka-cluster:WriteData)")
    raise UnsettledRecordsError(said)
