"""The topics that ``include/kafka/topics.json`` declares, as far as one broker can have them."""

import json
from pathlib import Path
from string import Template
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from sandbox.run.settings import CALL_SECONDS, PROJECT, TOPIC_PREFIX, SandboxError

TOPICS_FILE = PROJECT / "include" / "kafka" / "topics.json"
REPLICATION_FACTOR = 1  # one broker
MS_PER_HOUR = 3_600_000


def declared(file: Path = TOPICS_FILE) -> list[NewTopic]:
    """Return the topics of the file, with the sandbox's prefix and one replica."""
    try:
        return [new_topic(topic) for topic in json.loads(file.read_text(encoding="utf-8")).values()]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SandboxError(
            f"{file} does not declare topics as docs/connections/kafka_rest.md says: {error!r}"
        ) from error


def new_topic(topic: dict[str, Any]) -> NewTopic:
    hours = int(topic["retention_hours"])
    return NewTopic(
        Template(topic["name"]).substitute(prefix=TOPIC_PREFIX),
        num_partitions=int(topic["partitions"]),
        replication_factor=REPLICATION_FACTOR,
        config={"retention.ms": str(hours * MS_PER_HOUR if hours >= 0 else -1)},
    )


def ensure(client: AdminClient, topics: list[NewTopic]) -> None:
    """Create the topics that are not there yet, and give those that are there their retention."""
    for name, created in client.create_topics(topics, operation_timeout=CALL_SECONDS).items():
        try:
            created.result(timeout=CALL_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise SandboxError(f"Kafka could not create topic {name}: {error.args[0].str()}") from error
    settings = [
        ConfigResource(
            ResourceType.TOPIC,
            topic.topic,
            incremental_configs=[
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                for name, value in topic.config.items()
            ],
        )
        for topic in topics
    ]
    for altered in client.incremental_alter_configs(settings, request_timeout=CALL_SECONDS).values():
        altered.result(timeout=CALL_SECONDS)
