"""A Kafka REST proxy's address, what its refusals mean, and when to try a request again. No I/O."""

import json
import logging
import threading
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import tenacity

from pinterest_pipeline.common.backoff import pause_seconds
from pinterest_pipeline.common.errors import PermanentError, PipelineError, TransientError, is_retryable_status
from pinterest_pipeline.common.polling import PollResult

METADATA = "application/vnd.kafka.v2+json"
LONGEST_RETRY_AFTER_SECONDS = 60  # a usage plan's quota may ask for a day: better fail, and let Airflow retry
CREATE_TOPIC = "create it (kafka-topics.sh --create --topic {topic}) or correct the topic"
log = logging.getLogger(__name__)


class HttpConnection(Protocol):
    """What is read of an Airflow connection."""

    conn_id: str
    host: str | None
    schema: str | None
    port: int | None
    login: str | None
    password: str | None


@dataclass(frozen=True)
class Endpoint:
    """Where the proxy is, and the headers that let us in (kept out of logs by ``repr=False``)."""

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    conn_id: str


class UnansweredError(TransientError):
    """A request got no answer that tells its outcome, or was told to come back later."""

    def __init__(self, message: str, retry_after_seconds: float = 0, *, status: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.status = status


class RefusedRecordsError(PipelineError):
    """The proxy refused a whole request for what is in it; some of its records may be fine."""

    def __init__(self, message: str, error_code: int) -> None:
        super().__init__(message)
        self.error_code = error_code


class RefusedRequestError(PermanentError):
    """A whole request was refused for what is in it, or as every request would be: others show which."""

    def __init__(self, message: str, error_code: int) -> None:
        super().__init__(message)
        self.error_code = error_code


def read_endpoint(connection: HttpConnection) -> Endpoint:
    """Return the base URL and headers of a connection that has all its fields."""
    host = (connection.host or "").strip().rstrip("/")
    if "://" not in host:
        port = f":{connection.port}" if connection.port else ""
        host = f"{connection.schema or 'https'}://{host}{port}"
    if connection.login:
        basic = b64encode(f"{connection.login}:{connection.password}".encode()).decode()
        return Endpoint(host, {"Authorization": f"Basic {basic}"}, connection.conn_id)
    return Endpoint(host, {"x-api-key": str(connection.password)}, connection.conn_id)


def refusal(
    what: str,
    status: int,
    body: bytes,
    *,
    conn_id: str,
    topic: str | None = None,
    retry_after: str | None = None,
) -> PipelineError:
    """Return the error that an answer other than 200 amounts to.

    :param what: The request, for the message.
    :param body: The answer; its ``error_code`` and ``message`` are used where it is the proxy's JSON.
    """
    code, message = read_error(body)
    said = f"{what} was refused with {status}: {message or 'no reason given'}"
    if is_retryable_status(status):
        return UnansweredError(said, retry_after_seconds(retry_after, datetime.now(UTC)), status=status)
    if status in {413, 422}:
        return RefusedRecordsError(said, code or status)
    if status == 400 or (status == 403 and body.lstrip().startswith(b"<")):
        remedy = f"let the records pass to the host of connection {conn_id}, if that is a Kafka REST v2 proxy"
        return RefusedRequestError(f"{said}: {remedy}", code or status)
    if status in {401, 403}:
        return PermanentError(f"{said}: check the password (API key) of connection {conn_id} and its usage plan")
    if status == 404:
        unknown_topic = f"topic {topic} is unknown: {CREATE_TOPIC.format(topic=topic)}"
        no_proxy = f"no Kafka REST proxy there: correct the host of connection {conn_id}"
        return PermanentError(f"{said}: {unknown_topic if topic and code is not None else no_proxy}")
    return PermanentError(f"{said}: is the host of connection {conn_id} a Kafka REST v2 proxy?")


def read_error(body: bytes) -> tuple[int | None, str]:
    """Return the proxy's code and words; no code where the body is not the proxy's but a gateway's."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None, body[:200].decode(errors="replace")
    if not isinstance(answer, dict):
        return None, str(answer)[:200]
    code = answer.get("error_code")
    return code if isinstance(code, int) else None, str(answer.get("message") or "")


def retry_after_seconds(header: str | None, now: datetime) -> float:
    """Read ``Retry-After``, which is a number of seconds or a date; 0 where it is neither."""
    if not header:
        return 0
    try:
        return max(0, float(header))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return 0
    return max(0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


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
