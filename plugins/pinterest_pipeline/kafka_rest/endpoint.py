"""How a request to a Kafka REST proxy can end, and when to try it again. No I/O."""

import json
import logging
import threading
from collections.abc import Sequence
from typing import Any

import tenacity

from pinterest_pipeline.common.backoff import LONGEST_RETRY_AFTER_SECONDS, pause_seconds
from pinterest_pipeline.common.errors import PermanentError, PipelineError, TransientError
from pinterest_pipeline.common.polling import PollResult

METADATA = "application/vnd.kafka.v2+json"
CREATE_TOPIC = "create it (kafka-topics.sh --create --topic {topic}) or correct the topic"
log = logging.getLogger(__name__)


class UnansweredError(TransientError):
    """A request got no answer that tells its outcome, or was told to come back later.

    :param timed_out: It was given up, by us or by a gateway, while the proxy was still at it.
    :param status: Of the answer, where there was one.
    """

    def __init__(
        self, message: str, retry_after_seconds: float = 0, *, timed_out: bool = False, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.timed_out = timed_out
        self.status = status


class RefusedRecordsError(PipelineError):
    """The proxy refused a whole request for what is in it; some of its records may be fine."""

    def __init__(self, message: str, error_code: int) -> None:
        super().__init__(message)
        self.error_code = error_code


class UnknownTopicError(PermanentError):
    """The proxy answers that there is no such topic."""


class RefusedRequestError(PermanentError):
    """What stands before the proxy, or the proxy itself, refused a whole request; perhaps for one of its records."""

    def __init__(self, message: str, error_code: int) -> None:
        super().__init__(message)
        self.error_code = error_code


def attempts_of_one_request(
    *, max_attempts: int, first_wait_seconds: float, max_wait_seconds: float, stopped: threading.Event
) -> tenacity.Retrying:
    """Return a bounded number of attempts with growing waits; ``stopped`` ends a wait and refuses every attempt.

    A wait is never shorter than the proxy's ``Retry-After`` asks for, up to a minute. Threads may share the result.
    """

    def refuse_when_stopped(_: tenacity.RetryCallState) -> None:
        if stopped.is_set():
            raise TransientError("stopped before the request was sent")

    def wait_seconds(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        requested = error.retry_after_seconds if isinstance(error, UnansweredError) else 0
        pause = pause_seconds(state.attempt_number, first=first_wait_seconds, longest=max_wait_seconds)
        return max(pause, min(requested, LONGEST_RETRY_AFTER_SECONDS))

    def log_failure(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("Attempt %d of %d: %s", state.attempt_number, max_attempts, error)

    return tenacity.Retrying(
        before=refuse_when_stopped,
        retry=tenacity.retry_if_exception_type(TransientError),
        stop=tenacity.stop_any(tenacity.stop_after_attempt(max_attempts), tenacity.stop_when_event_set(stopped)),
        wait=wait_seconds,
        sleep=tenacity.sleep_using_event(stopped),
        before_sleep=log_failure,
        reraise=True,
    )


def read_list(answer: bytes, what: str, conn_id: str) -> list[Any]:
    """Read the body of a 200 that is to be a JSON list; anything else is not a Kafka REST proxy's."""
    try:
        entries = json.loads(answer)
    except ValueError:
        entries = None
    if not isinstance(entries, list):
        raise PermanentError(
            f"{what}: the answer is no JSON list, so no Kafka REST proxy's: correct the host of {conn_id}"
        )
    return entries


def check_topics(wanted: Sequence[str], existing: Sequence[str]) -> PollResult:
    """Return whether all wanted topics exist."""
    missing = [topic for topic in wanted if topic not in existing]
    if missing:
        return PollResult(waiting_for=f"topics {', '.join(missing)}")
    return PollResult(result={"topics": list(wanted)})
