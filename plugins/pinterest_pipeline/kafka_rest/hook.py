"""Kafka REST API v2, as Confluent's proxy, Karapace and Strimzi's bridge speak it, behind Amazon API Gateway.

Limits: API Gateway refuses bodies beyond 10 MB and gives up on the proxy after 29 s; its usage plan answers 429.
The proxy may have carried out a request that timed out. It is sent again, and keys make that harmless.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, override
from urllib.parse import quote

import requests

from pinterest_pipeline.common.connections import CheckedConnectionHook
from pinterest_pipeline.common.errors import PermanentError, PipelineError
from pinterest_pipeline.common.offsets import Bounds, Range
from pinterest_pipeline.common.records import Record
from pinterest_pipeline.kafka_rest.connection import Endpoint, has_credentials, read_endpoint
from pinterest_pipeline.kafka_rest.consumer import empty_ranges
from pinterest_pipeline.kafka_rest.endpoint import (
    UnansweredError,
    UnknownTopicError,
    attempts_of_one_request,
    read_list,
)
from pinterest_pipeline.kafka_rest.outcomes import BatchOutcomes
from pinterest_pipeline.kafka_rest.producer import Producer
from pinterest_pipeline.kafka_rest.retries import (
    CONNECT_TIMEOUT_SECONDS,
    FIRST_WAIT_SECONDS,
    MAX_ATTEMPTS,
    MAX_WAIT_SECONDS,
    READ_TIMEOUT_SECONDS,
    Retries,
)
from pinterest_pipeline.kafka_rest.summary import ProduceResult
from pinterest_pipeline.kafka_rest.traffic import Traffic
from pinterest_pipeline.kafka_rest.transport import V3, HeadersOnly, open_session, request

if TYPE_CHECKING:
    from airflow.sdk import Connection

WITHOUT_METADATA = b"not present in metadata"  # Confluent's proxy of a topic that it waited for in vain
TOPIC_SECONDS = 5  # for a topic's description, which the proxy has at hand


class KafkaRestHook(CheckedConnectionHook):
    """Produces records to a topic and lists topics, through a connection of type ``http``.

    :param kafka_rest_conn_id: ``host`` = whole base URL with its path, ``password`` = API key (header ``x-api-key``).
        With a ``login`` it is basic authentication instead.
        The extra has the HTTP settings, see docs/connections/kafka_rest.md.
    :param connect_timeout_seconds: For the TCP and TLS handshake.
    :param read_timeout_seconds: For a whole answer; below the 29 s after which API Gateway itself gives up. The
        connection's own ``timeout`` goes before it.
    :param max_attempts: In a row in which no record gets an outcome, the first included. With the default waits they
        last 2 to 5 minutes.
    :param first_wait_seconds: Before the second attempt; doubled each time, with jitter, up to
        ``max_wait_seconds``. A ``Retry-After`` that asks for more is honoured up to a minute.
    """

    conn_name_attr = "kafka_rest_conn_id"
    default_conn_name = "pinterest_kafka_rest"
    conn_type = "http"
    hook_name = "Kafka REST"
    required_fields = {  # noqa: RUF012 - the base declares it as the class's
        "host": "the proxy's whole base URL, path included: https://…/v1",
        "password": "the API key, or the password that goes with login",
    }

    def __init__(
        self,
        kafka_rest_conn_id: str = default_conn_name,
        *,
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
        max_attempts: int = MAX_ATTEMPTS,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
    ) -> None:
        super().__init__()
        self.kafka_rest_conn_id = kafka_rest_conn_id
        self._connect_seconds = connect_timeout_seconds
        self._read_seconds = read_timeout_seconds
        self._known_topics: set[str] = set()
        self._stopped = threading.Event()
        self._traffic: dict[str, Traffic] = {}
        self._retries = Retries(max_attempts, first_wait_seconds, max_wait_seconds, self._stopped)
        self._attempts = attempts_of_one_request(
            max_attempts=max_attempts,
            first_wait_seconds=first_wait_seconds,
            max_wait_seconds=max_wait_seconds,
            stopped=self._stopped,
        )

    @property
    def endpoint(self) -> Endpoint:
        """Base URL and settings. Read it once before threads use the hook: it requests connections from Airflow."""
        return self._opened[0]

    @cached_property
    def _opened(self) -> tuple[Endpoint, requests.Session]:
        endpoint = read_endpoint(self.get_connection(self.kafka_rest_conn_id))
        if endpoint.signing is None:
            return endpoint, open_session(endpoint, HeadersOnly())
        from pinterest_pipeline.kafka_rest.signing import sign  # noqa: PLC0415 - boto3, which few connections need

        return endpoint, open_session(endpoint, sign(endpoint, endpoint.signing))

    @classmethod
    @override
    def missing_fields(cls, connection: "Connection") -> Mapping[str, str]:
        missing = dict(super().missing_fields(connection))
        if has_credentials(connection):
            missing.pop("password", None)
        return missing

    def get_conn(self) -> requests.Session:
        """Return the session that every request of this hook shares; safe to use from several threads."""
        return self._opened[1]

    def stop(self) -> None:
        """Let requests in flight end, and make every wait and every further attempt fail at once."""
        self._stopped.set()

    def topics(self) -> list[str]:
        """Return the names of all topics; one request."""
        return sorted(self._get("/topics", "the list of topics"))

    def partitions(self, topic: str) -> list[int]:
        """Return the partition numbers of a topic; one request."""
        answer = self._get(f"{topic_path(topic)}/partitions", f"the partitions of topic {topic}", topic)
        return sorted(entry["partition"] for entry in answer)

    def call_v3(
        self, method: str, path: str, what: str, *, topic: str | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:
        """Make one request of Confluent's v3 API and return the answer's JSON document."""
        content = json.dumps(body).encode() if body else None
        text = self._attempt(method, path, what, topic=topic, body=content, media=V3)
        try:
            return json.loads(text)
        except ValueError as error:
            raise PermanentError(f"{method} {path} ({what}): the answer is no JSON, so it is no v3 API's") from error

    def bounds(self, topic: str) -> dict[int, Bounds]:
        """Return the first and the next offset of each partition; a request for each, and one more.

        :raises PermanentError: also where the proxy does not tell them.
        """
        path = f"{topic_path(topic)}/partitions"
        found: dict[int, Bounds] = {}
        for partition in self.partitions(topic):
            what = f"the offsets of topic {topic}, partition {partition}"
            answer = self._attempt("GET", f"{path}/{partition}/offsets", what, topic=topic)
            try:
                told = json.loads(answer)
                found[partition] = Bounds(int(told["beginning_offset"]), int(told["end_offset"]))
            except (KeyError, TypeError, ValueError) as error:
                raise PermanentError(f"asking for {what}: the answer has no beginning_offset and end_offset") from error
        return found

    def empty_ranges(self, topic: str, partition: int, ranges: Sequence[Range]) -> list[Range]:
        """Return those of some ranges of offsets at which Kafka has no record: see :mod:`.consumer`."""
        return empty_ranges(self._attempt, topic, partition, ranges)

    def test_connection(self) -> tuple[bool, str]:
        """Tell whether the connection's fields, the API key and the proxy behind it all work."""
        try:
            names = [name for name in self.topics() if not name.startswith("_")]
        except PipelineError as error:
            return False, str(error)
        return True, f"Kafka REST at {self.endpoint.base_url} answers: {len(names)} topics ({', '.join(names)})"

    def produce(
        self,
        topic: str,
        records: Sequence[Record],
        on_end: Callable[[Sequence[Record], BatchOutcomes], None] | None = None,
    ) -> ProduceResult:
        """Send records until each is delivered or at fault; those at fault are returned as dead letters.

        A record that fails for now is sent again, alone with others that do. One that is refused for a reason that may
        be its neighbours' is sent again in halves, then alone, twice: at most three requests a record, and about 24 for
        one in 2,000. No acknowledged record is sent again, but for the newest of a key that occurs twice or more, where
        an older one had to be sent again after it.

        :param on_end: Told what is known of the records, also where an error ends the call.
        :raises PermanentError: unknown topic, refused credentials or certificate, unknown host, a URL that is no Kafka
            REST proxy, or one that refuses whatever it is sent.
        :raises TransientError: records were left without an outcome in ``max_attempts`` in a row.
        """
        producer = Producer(
            topic,
            records,
            partial(self._produce, topic),
            is_answering=partial(self._is_answering, f"{topic_path(topic)}/partitions"),
            retries=self._retries,
            traffic=self._traffic.setdefault(topic, Traffic(topic)),
        )
        try:
            return producer.produce()
        finally:
            if on_end:
                on_end(records, producer.outcomes)

    def _is_answering(self, path: str) -> bool:
        try:
            self._request("GET", path, "a check whether the proxy answers")
        except PipelineError:
            return False
        return True

    def _produce(self, topic: str, what: str, *, body: bytes) -> bytes:
        """Make one produce request; where its outcome hints at it, find out whether the topic exists at all.

        Confluent's proxy waits a minute for an unknown topic before it answers 50003, which stands for any passing
        trouble; API Gateway gives it up before. To a question about the topic it answers 404 at once.
        """
        try:
            answer = self._request("POST", topic_path(topic), what, topic=topic, body=body)
        except UnansweredError as error:
            if error.timed_out:
                self._require_topic(topic)
            raise
        if WITHOUT_METADATA in answer:
            self._require_topic(topic)
        else:
            self._known_topics.add(topic)
        return answer

    def _require_topic(self, topic: str) -> None:
        """Raise :class:`PermanentError` where the proxy says that there is no such topic; ask it no more than once."""
        if topic in self._known_topics:
            return
        timeout = (self._timeout[0], min(self._timeout[1], TOPIC_SECONDS))
        try:
            self._request("GET", topic_path(topic), f"whether topic {topic} exists", topic=topic, timeout=timeout)
        except UnknownTopicError:
            raise
        except PipelineError as error:
            self.log.info("Not known whether topic %s exists: %s", topic, error)
        else:
            self._known_topics.add(topic)

    @cached_property
    def _timeout(self) -> tuple[float, float]:
        return self._connect_seconds, self.endpoint.timeout_seconds or self._read_seconds

    @cached_property
    def _request(self) -> partial[bytes]:
        return partial(request, self.get_conn(), self.endpoint, timeout=self._timeout)

    def _get(self, path: str, what: str, topic: str | None = None) -> list[Any]:
        answer = self._attempt("GET", path, what, topic=topic)
        return read_list(answer, f"asking for {what}", self.kafka_rest_conn_id)

    def _attempt(self, method: str, path: str, what: str, **arguments: Any) -> bytes:
        """Make one request, again while it may pass."""
        send = self._request  # a missing connection is for the task's next try, not for these attempts
        for attempt in self._attempts:
            with attempt:
                answer = send(method, path, what, **arguments)
        return answer


def topic_path(topic: str) -> str:
    return f"/topics/{quote(topic, safe='')}"
