"""Kafka REST API v2, as Confluent's proxy, Karapace and Strimzi's bridge speak it, behind Amazon API Gateway.

Limits: API Gateway refuses bodies beyond 10 MB and gives up on the proxy after 29 s; its usage plan answers 429.
The proxy may have carried out a request that timed out. It is sent again, and keys make that harmless.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter

from pinterest_pipeline.common.concurrency import MAX_IN_FLIGHT
from pinterest_pipeline.common.connections import CheckedConnectionHook
from pinterest_pipeline.common.errors import PipelineError
from pinterest_pipeline.common.records import Record
from pinterest_pipeline.kafka_rest.endpoint import (
    METADATA,
    Endpoint,
    UnansweredError,
    attempts_of_one_request,
    read_endpoint,
    read_list,
    refusal,
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

JSON_RECORDS = "application/vnd.kafka.json.v2+json"


class KafkaRestHook(CheckedConnectionHook):
    """Produces records to a topic and lists topics, through a connection of type ``http``.

    :param kafka_rest_conn_id: ``host`` = whole base URL with its path, ``password`` = API key (header ``x-api-key``).
        With a ``login`` it is basic authentication instead.
    :param connect_timeout_seconds: For the TCP and TLS handshake.
    :param read_timeout_seconds: For the answer; below the 29 s after which API Gateway itself gives up.
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
        self._timeout = (connect_timeout_seconds, read_timeout_seconds)
        self._stopped = threading.Event()
        self._traffic: dict[str, Traffic] = {}
        self._retries = Retries(max_attempts, first_wait_seconds, max_wait_seconds, self._stopped)
        self._attempts = attempts_of_one_request(
            max_attempts=max_attempts,
            first_wait_seconds=first_wait_seconds,
            max_wait_seconds=max_wait_seconds,
            stopped=self._stopped,
        )

    @cached_property
    def endpoint(self) -> Endpoint:
        """Base URL and headers. Read it once before threads use the hook: it requests the connection from Airflow."""
        return read_endpoint(self.get_connection(self.kafka_rest_conn_id))

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        session.headers.update(self.endpoint.headers)
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=MAX_IN_FLIGHT))
        return session

    def get_conn(self) -> requests.Session:
        """Return the session that every request of this hook shares; safe to use from several threads."""
        return self._session

    def stop(self) -> None:
        """Let requests in flight end, and make every wait and every further attempt fail at once."""
        self._stopped.set()

    def topics(self) -> list[str]:
        """Return the names of all topics; one request."""
        return sorted(self._get("/topics", "the list of topics"))

    def partitions(self, topic: str) -> list[int]:
        """Return the partition numbers of a topic; one request."""
        answer = self._get(f"/topics/{quote(topic, safe='')}/partitions", f"the partitions of topic {topic}", topic)
        return sorted(entry["partition"] for entry in answer)

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
        be its neighbours' is sent again in halves, then alone, twice: at most three requests a record, and about 20 for
        one in 500. No acknowledged record is sent again, but for the newest of a key that occurs more than once, where
        an older one had to be sent again after it.

        :param on_end: Told what is known of the records, also where an error ends the call.
        :raises PermanentError: unknown topic, refused credentials, a URL that is no Kafka REST proxy, or one that
            refuses whatever it is sent.
        :raises TransientError: records were left without an outcome in ``max_attempts`` in a row.
        """
        path = f"/topics/{quote(topic, safe='')}"
        producer = Producer(
            topic,
            records,
            partial(self._request, "POST", path, topic=topic),
            is_answering=partial(self._is_answering, f"{path}/partitions"),
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

    @cached_property
    def _request(self) -> partial[bytes]:
        return partial(request, self._session, self.endpoint, timeout=self._timeout)

    def _get(self, path: str, what: str, topic: str | None = None) -> list[Any]:
        for attempt in self._attempts:
            with attempt:
                text = self._request("GET", path, what, topic=topic)
        return read_list(text, f"asking for {what}", self.kafka_rest_conn_id)


def request(
    session: requests.Session,
    endpoint: Endpoint,
    method: str,
    path: str,
    what: str,
    *,
    timeout: tuple[float, float],
    topic: str | None = None,
    body: bytes | None = None,
) -> bytes:
    """Make one HTTP request; return the body of a 200, raise the error that any other answer means."""
    headers: Mapping[str, str] = {"Accept": METADATA, **({"Content-Type": JSON_RECORDS} if body else {})}
    url = endpoint.base_url + path
    try:
        response = session.request(method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False)
    except requests.RequestException as error:
        raise UnansweredError(f"{method} {url} ({what}): {type(error).__name__}: {error}") from error
    if response.status_code != requests.codes.ok:
        raise refusal(
            f"{method} {url} ({what})",
            response.status_code,
            response.content,
            conn_id=endpoint.conn_id,
            topic=topic,
            retry_after=response.headers.get("Retry-After"),
        )
    return response.content
