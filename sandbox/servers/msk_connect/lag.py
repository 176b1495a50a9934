"""How far a consumer group is behind, in records and in seconds, from Kafka's own offsets."""

import time
from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

REQUEST_SECONDS = 30
REMEMBERED_SAMPLES = 720  # an hour at one sample each 5 s

Partition = tuple[str, int]


@dataclass(frozen=True)
class TopicLag:
    """The three figures that MSK publishes of a consumer group and a topic."""

    sum_offset_lag: int
    max_offset_lag: int
    estimated_max_time_lag_seconds: int


class LagReader:
    """Reads lags, and remembers end offsets to tell since when a record waits to be read."""

    def __init__(self, kafka_client: Mapping[str, str]) -> None:
        self._admin = AdminClient(dict(kafka_client))
        self._history: dict[Partition, deque[tuple[float, int]]] = defaultdict(lambda: deque(maxlen=REMEMBERED_SAMPLES))

    def read(self, group: str, topics: Collection[str]) -> dict[str, TopicLag]:
        """Return the lag of each existing topic. Three requests; raises ``KafkaException`` without a broker."""
        metadata = self._admin.list_topics(timeout=REQUEST_SECONDS).topics
        partitions = [(topic, number) for topic in topics if topic in metadata for number in metadata[topic].partitions]
        if not partitions:
            return {}
        ends = self._offsets(partitions, OffsetSpec.latest())
        sampled_at = time.monotonic()
        for partition, end in ends.items():
            self._history[partition].append((sampled_at, end))
        read = {**self._offsets(partitions, OffsetSpec.earliest()), **self._committed(group)}
        ages = {p: age_seconds(self._history[p], read[p], sampled_at) for p in partitions}
        return {topic: summarise(topic, ends, read, ages) for topic, _ in partitions}

    def _offsets(self, partitions: Sequence[Partition], which: OffsetSpec) -> dict[Partition, int]:
        futures = self._admin.list_offsets(
            {TopicPartition(topic, number): which for topic, number in partitions}, request_timeout=REQUEST_SECONDS
        )
        return {(p.topic, p.partition): future.result().offset for p, future in futures.items()}

    def _committed(self, group: str) -> dict[Partition, int]:
        futures = self._admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group)], request_timeout=REQUEST_SECONDS
        )
        found = futures[group].result().topic_partitions or []
        return {(p.topic, p.partition): p.offset for p in found if p.offset >= 0}


def age_seconds(history: Sequence[tuple[float, int]], read: int, now: float) -> int:
    """Return the seconds since the sample before the first unread record; 0 when all is read."""
    if not history or history[-1][1] <= read:
        return 0
    before = [at for at, end in history if end <= read]
    return round(now - (before[-1] if before else history[0][0]))


def summarise(
    topic: str, ends: Mapping[Partition, int], read: Mapping[Partition, int], ages: Mapping[Partition, int]
) -> TopicLag:
    lags = [max(0, end - read[partition]) for partition, end in ends.items() if partition[0] == topic]
    age = max(age for partition, age in ages.items() if partition[0] == topic)
    return TopicLag(sum(lags), max(lags), age)
