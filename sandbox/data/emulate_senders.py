"""Where emulated posts go: Kinesis through plain boto3, Kafka through its REST proxy, as any client outside would."""

import json
import random
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.data import kpl
from sandbox.run.settings import CALL_SECONDS, TOPIC_PREFIX, SandboxError, Settings
from sandbox.servers.ministack import api_gateway, client

STREAM_DAG = "pinterest_kinesis_streams"
ATTEMPTS = 8
FIRST_PAUSE_SECONDS = 0.1
MOST_BYTES_PER_PUT = 4 * 1024 * 1024  # below the 5 MiB that PutRecords takes everywhere
JSON_RECORDS = "application/vnd.kafka.json.v2+json"


class Emission(Protocol):
    """What a sender reads; see ``pinterest_pipeline.emulator.plan``."""

    key: str
    data: bytes
    kind: str


class Put(NamedTuple):
    """An acknowledged record: when its request set out (seconds since the epoch), and its place in the stream."""

    table: str
    sequence_number: int
    sent_at: float


def stream_name(table: str) -> str:
    return f"streaming-{TOPIC_PREFIX}-{table}"


class Entry(NamedTuple):
    """A record of a request and the emissions in it: one, or those of an aggregate."""

    key: str
    data: bytes
    emissions: Sequence[Emission]
    explicit_hash_key: int | None = None

    def request(self) -> dict[str, Any]:
        where = {} if self.explicit_hash_key is None else {"ExplicitHashKey": str(self.explicit_hash_key)}
        return {"Data": self.data, "PartitionKey": self.key, **where}


class KinesisSender:
    """Puts records and remembers each that was acknowledged; those that failed are put again.

    :param aggregate: Records of an aggregate at most, as the Kinesis Producer Library makes them; 1 for none.
    """

    def __init__(self, settings: Settings, aggregate: int = 1) -> None:
        self.aggregate = aggregate
        self.shards: dict[str, list[kpl.Shard]] = {}
        self.port = settings.ports["kinesis"]
        self.kinesis = client(settings, "kinesis")
        self.acknowledged: list[Put] = []
        self.retried = 0

    def check_streams(self) -> None:
        """Refuse to begin where a stream is missing, and at once where nothing listens: boto3 would try for 25 s."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=CALL_SECONDS).close()
        except OSError as error:
            raise self._away(error) from error
        for table in ("pin", "geo", "user"):
            self._call("describe_stream_summary", stream_name(table), StreamName=stream_name(table))

    def send(self, table: str, emissions: Sequence[Emission]) -> None:
        entries = [Entry(emission.key, emission.data, [emission]) for emission in emissions]
        if self.aggregate > 1:
            entries = self._aggregates(stream_name(table), emissions)
        for part in in_envelopes(entries):
            self._put(table, part)

    def _aggregates(self, name: str, emissions: Sequence[Emission]) -> list[Entry]:
        if name not in self.shards:
            self.shards[name] = kpl.open_shards(self.kinesis, name)
        shards = self.shards[name]
        return [
            Entry(
                group[0].key,
                kpl.aggregate([(one.key, one.data) for one in group]),
                group,
                kpl.shard_of(shards, group[0].key).first_hash_key,
            )
            for group in kpl.grouped(emissions, shards, self.aggregate)
        ]

    def _put(self, table: str, waiting: Sequence[Entry]) -> None:
        name = stream_name(table)
        for attempt in range(1, ATTEMPTS + 1):
            requested = [entry.request() for entry in waiting]
            sent_at = time.time()
            answers = self._call("put_records", name, StreamName=name, Records=requested)["Records"]
            self.acknowledged += [
                Put(table, int(answer["SequenceNumber"]), sent_at)
                for entry, answer in zip(waiting, answers, strict=True)
                if "ErrorCode" not in answer
                for _ in entry.emissions
            ]
            failed = [answer for answer in answers if "ErrorCode" in answer]
            if not failed:
                return
            waiting = [entry for entry, answer in zip(waiting, answers, strict=True) if "ErrorCode" in answer]
            self.retried += len(waiting)
            pause(attempt)
        raise SandboxError(
            f"Stream {name} did not take {len(waiting)} records in {ATTEMPTS} attempts ({failed[0]['ErrorCode']}: "
            f"{failed[0].get('ErrorMessage', '')}): emulate at a lower --rate, or give it more shards."
        )

    def _call(self, verb: str, name: str, **arguments: Any) -> Any:
        try:
            return getattr(self.kinesis, verb)(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                raise SandboxError(
                    f"There is no stream {name}: unpause DAG {STREAM_DAG} in Airflow, which makes it."
                ) from error
            raise SandboxError(f"Kinesis refused {verb} of {name}: {error}.") from error
        except BotoCoreError as error:
            raise self._away(error) from error

    def _away(self, error: Exception) -> SandboxError:
        return SandboxError(
            f"Kinesis on port {self.port} does not answer ({error}): start it with `python -m sandbox up`."
        )


def in_envelopes(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Split records so that no request is beyond the service's bytes."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        own = len(entry.data) + len(entry.key)
        if part and size + own > MOST_BYTES_PER_PUT:
            yield part
            part, size = [], 0
        part.append(entry)
        size += own
    if part:
        yield part


class KafkaSender:
    """Sends each row, and nothing else, to its topic: JSON is all that the proxy takes, broken text is none."""

    def __init__(self, settings: Settings) -> None:
        url = api_gateway.invoke_url(settings)
        headers = {"x-api-key": settings.secrets["kafka_rest_api_key"], "Content-Type": JSON_RECORDS}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=30)
        self.known_topics: set[str] = set()

    def require_topic(self, topic: str) -> None:
        """Refuse a topic that does not exist: records for it would wait until API Gateway gives them up."""
        if topic not in self.known_topics:
            answer = self.http.get(f"/topics/{topic}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise SandboxError(f"Kafka REST knows no topic {topic}: {answer.text[:300]}.")
            self.known_topics.add(topic)

    def send(self, table: str, emissions: Sequence[Emission]) -> None:
        topic = f"{TOPIC_PREFIX}.{table}"
        self.require_topic(topic)
        waiting = [emission for emission in emissions if emission.kind == "row"]
        said = ""
        for attempt in range(1, ATTEMPTS + 1):
            if not waiting:
                return
            records = [{"key": int(emission.key), "value": json.loads(emission.data)} for emission in waiting]
            try:
                answer = self.http.post(f"/topics/{topic}", json={"records": records})
            except httpx.HTTPError as error:
                said = f"{type(error).__name__} {error}"
            else:
                said = answer.text[:300]
                if answer.is_success:
                    codes = [offset.get("error_code") for offset in answer.json()["offsets"]]
                    waiting = [emission for emission, code in zip(waiting, codes, strict=True) if code is not None]
                elif answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and answer.status_code != 429:
                    break
            if waiting:
                pause(attempt)
        if waiting:
            raise SandboxError(f"Kafka REST did not take {len(waiting)} records for topic {topic}: {said}.")


def pause(attempt: int) -> None:
    time.sleep(min(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), 5.0) * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
