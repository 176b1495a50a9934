"""Kafka behind the proxy: one idempotent producer, topic metadata, and what a Kafka error means to a client."""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ClusterMetadata, ConfigResource, OffsetSpec, TopicMetadata

from sandbox.servers.kafka_rest.wire import (
    BROKER_NOT_AVAILABLE,
    KAFKA_AUTHENTICATION_ERROR,
    KAFKA_AUTHORIZATION_ERROR,
    KAFKA_ERROR,
    RECORD_PARTITION_NOT_FOUND,
    RETRIABLE_KAFKA_ERROR,
    TOPIC_NOT_FOUND,
    ApiError,
    Outcome,
    Record,
)

log = logging.getLogger(__name__)

DELIVERY_SECONDS = 15  # the answer must come before API Gateway's 29 s
PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 5,  # Java's own default since Kafka 4.0
    "message.max.bytes": 1_000_000,  # below the broker's default of 1,048,588, so that a full batch passes too
    "message.timeout.ms": DELIVERY_SECONDS * 1000,
    "queue.buffering.max.messages": 200_000,
    "partitioner": "murmur2_random",  # Java's, as in Confluent's proxy
    "topic.metadata.propagation.max.ms": 3_000,
}
METADATA_SECONDS = 10
MAX_BLOCK_SECONDS = 60  # max.block.ms of Java's producer: how long it waits for a topic that it does not know
TOPIC_POLL_SECONDS = 0.5
AUTHENTICATION = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})
AUTHORIZATION = frozenset({KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED})
POLL_SECONDS = 0.1
RETRIABLE = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._MSG_TIMED_OUT,
        KafkaError._PURGE_INFLIGHT,
        KafkaError._PURGE_QUEUE,
        KafkaError._QUEUE_FULL,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._TRANSPORT,
        KafkaError._FATAL,  # the producer is replaced, so the next attempt may succeed
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)


def refusal(error: KafkaError) -> Outcome:
    if error.code() == KafkaError._UNKNOWN_PARTITION:
        return Outcome(None, None, RECORD_PARTITION_NOT_FOUND, "Partition not found.")
    if error.code() in AUTHENTICATION:
        return Outcome(None, None, KAFKA_AUTHENTICATION_ERROR, error.str())
    if error.code() in AUTHORIZATION:
        return Outcome(None, None, KAFKA_AUTHORIZATION_ERROR, error.str())
    code = RETRIABLE_KAFKA_ERROR if error.retriable() or error.code() in RETRIABLE else KAFKA_ERROR
    return Outcome(None, None, code, error.str())


class Delivery:
    """The outcomes of one request's records, which Kafka reports one by one from another thread.

    Without a lock: outcomes are only ever appended, and either thread that finds them complete says so.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._found: list[tuple[int, Outcome]] = []
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()

    @property
    def outcomes(self) -> list[Outcome]:
        """In the order of the records."""
        return [outcome for _, outcome in sorted(self._found)]

    def record(self, index: int, outcome: Outcome) -> None:
        self._found.append((index, outcome))
        if len(self._found) == self._count:
            self._loop.call_soon_threadsafe(self._finish)

    def report(self, index: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.record(index, Outcome(message.partition(), message.offset(), None, None))
        else:
            self.record(index, refusal(error))

    def _finish(self) -> None:
        if not self.done.done():  # the client may have hung up, which cancels it
            self.done.set_result(None)


class Broker:
    """What the routes need of Kafka. Every verb that may block runs in a thread."""

    def __init__(self, kafka_client: Mapping[str, str], max_block_seconds: float = MAX_BLOCK_SECONDS) -> None:
        self._max_block_seconds = max_block_seconds
        self._client = {**kafka_client, "logger": log}
        self._admin = AdminClient(dict(kafka_client), logger=log)
        self._partition_counts: dict[str, int] = {}
        self._is_reachable = True
        self._is_stopping = threading.Event()
        self._producer = self._new_producer()
        self._poller = threading.Thread(target=self._poll, name="deliveries", daemon=True)
        self._poller.start()

    @property
    def admin(self) -> AdminClient:
        return self._admin

    def _new_producer(self) -> Producer:
        return Producer({**self._client, **PRODUCER, "error_cb": self._on_error})

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._is_reachable = False
        if error.fatal():
            log.error("Replacing the producer after a fatal error: %s", error.str())
            self._producer = self._new_producer()

    def _poll(self) -> None:
        while not self._is_stopping.is_set():
            self._producer.poll(POLL_SECONDS)

    async def close(self) -> None:
        """Wait for what is on its way, then stop."""
        await asyncio.to_thread(self._producer.flush, DELIVERY_SECONDS)
        self._is_stopping.set()
        await asyncio.to_thread(self._poller.join)

    async def produce(self, topic: str, records: Sequence[Record]) -> list[Outcome]:
        """Send the records and wait until each has an outcome.

        An unknown topic is waited for, as Java's producer does, and then every record's outcome is 50003.

        :raises ApiError: 50302 when no broker answers.
        """
        partition_count = self._partition_counts.get(topic)
        if partition_count is None or not self._is_reachable:
            partition_count = await self._partitions_once_known(topic)
        if partition_count is None:
            waited = f"Topic {topic} not present in metadata after {self._max_block_seconds * 1000:.0f} ms."
            return [Outcome(None, None, RETRIABLE_KAFKA_ERROR, waited)] * len(records)
        delivery = Delivery(len(records))
        producer = self._producer
        for index, (key, value, partition) in enumerate(records):
            if partition is not None and partition >= partition_count:
                delivery.record(index, refusal(KafkaError(KafkaError._UNKNOWN_PARTITION)))
                continue
            try:
                producer.produce(
                    topic,
                    value,
                    key,
                    -1 if partition is None else partition,
                    on_delivery=partial(delivery.report, index),
                )
            except BufferError:
                delivery.record(index, refusal(KafkaError(KafkaError._QUEUE_FULL)))
            except KafkaException as error:
                delivery.record(index, refusal(error.args[0]))
        await delivery.done
        outcomes = delivery.outcomes
        if any(outcome.error_code == RETRIABLE_KAFKA_ERROR for outcome in outcomes):
            self._partition_counts.pop(topic, None)  # it may have been deleted: the next request reads it again
        return outcomes

    async def _partitions_once_known(self, topic: str) -> int | None:
        deadline = time.monotonic() + self._max_block_seconds
        while (found := (await self.metadata()).topics.get(topic)) is None:
            if time.monotonic() >= deadline:
                return None
            await asyncio.sleep(TOPIC_POLL_SECONDS)
        return len(found.partitions)

    async def metadata(self) -> ClusterMetadata:
        try:
            metadata = await asyncio.to_thread(self._admin.list_topics, timeout=METADATA_SECONDS)
        except KafkaException as error:
            raise ApiError(BROKER_NOT_AVAILABLE, f"No Kafka broker is available: {error.args[0].str()}") from error
        self._is_reachable = True
        self._partition_counts = {name: len(topic.partitions) for name, topic in metadata.topics.items()}
        return metadata

    async def topic(self, name: str) -> TopicMetadata:
        metadata = await self.metadata()
        if name not in metadata.topics:
            raise ApiError(TOPIC_NOT_FOUND, "Topic not found.")
        return metadata.topics[name]

    async def offsets(self, topic: str, number: int) -> tuple[int, int]:
        """Return a partition's first offset and the next one, which is that of the high watermark."""
        partition = TopicPartition(topic, number)
        found = []
        for spec in (OffsetSpec.earliest(), OffsetSpec.latest()):
            answer = self._admin.list_offsets({partition: spec}, request_timeout=METADATA_SECONDS)[partition]
            try:
                found.append((await asyncio.wrap_future(answer)).offset)
            except KafkaException as error:
                raise ApiError(BROKER_NOT_AVAILABLE, f"No Kafka broker is available: {error.args[0].str()}") from error
        return found[0], found[1]

    async def topic_settings(self, name: str) -> dict[str, str]:
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        answer = self._admin.describe_configs([resource], request_timeout=METADATA_SECONDS)[resource]
        try:
            entries = await asyncio.wrap_future(answer)
        except KafkaException as error:
            raise ApiError(BROKER_NOT_AVAILABLE, f"No Kafka broker is available: {error.args[0].str()}") from error
        return {entry.name: entry.value for entry in entries.values() if entry.value is not None}
