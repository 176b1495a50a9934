"""A Kafka topic, a connector of the product's own file and a bucket, for one test and gone after it."""

import gzip
import json
import uuid
from pathlib import Path
from string import Template
from typing import Any

from tests.support.kafka import client_of
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
CONNECTOR_FILE = PROJECT / "include" / "kafka" / "pinterest-s3-sink.json"
PLUGIN = "pinterest.sandbox.s3sink.S3SinkConnector"


def sink_configuration(topic: str, bucket: str, **values: str) -> dict[str, str]:
    """Return the product's connector configuration, aimed at a topic and a folder of its own."""
    request = json.loads(CONNECTOR_FILE.read_text())["connectorConfiguration"]
    filled = {
        name: Template(value).substitute(
            topics=topic, bucket=bucket, region="us-east-1",
            rotate_schedule_interval_ms="1000", dead_letter_topic="pinterest.dead-letters", topics_dir="topics",
        )
        for name, value in request.items()
    }  # fmt: skip
    return {**filled, "connector.class": PLUGIN, "tasks.max": "1", "topics.dir": f"test/{topic}", **values}


class SinkLab:
    """One topic, its connectors, and what they put into the lake."""

    def __init__(self, environment: dict[str, str]) -> None:
        import boto3
        import httpx
        from confluent_kafka.admin import AdminClient

        self.client = client_of(environment)
        self.bucket = environment["PINTEREST_BUCKET"]
        self.s3_url = environment["AWS_ENDPOINT_URL"]
        self.connect = httpx.Client(base_url=environment["KAFKA_CONNECT_URL"], timeout=30)
        self.admin = AdminClient(self.client)
        self.s3 = boto3.client(
            "s3",
            endpoint_url=self.s3_url,
            region_name=environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )
        self.topic = f"sink-test-{uuid.uuid4().hex[:8]}"
        self.connectors: list[str] = []
        self.create_topic()

    def create_topic(self) -> None:
        from confluent_kafka.admin import NewTopic

        for created in self.admin.create_topics([NewTopic(self.topic, num_partitions=2)]).values():
            created.result(timeout=30)

    def create_topic_again(self) -> None:
        """Delete the connectors and the topic, and create the topic: its offsets begin at 0 again."""
        self.close()
        wait_until(lambda: self.topic not in self.admin.list_topics(timeout=10).topics, 30)
        self.create_topic()

    def configuration(self, **values: str) -> dict[str, str]:
        return sink_configuration(self.topic, self.bucket, **values)

    def create(self, **values: str) -> str:
        name = f"{self.topic}-{len(self.connectors)}"
        self.connect.put(f"/connectors/{name}/config", json=self.configuration(**values)).raise_for_status()
        self.connectors.append(name)
        return name

    def task(self, name: str) -> dict[str, Any]:
        """Return the state of the connector's only task; an empty one until Connect has started it."""
        answer = self.connect.get(f"/connectors/{name}/status")
        tasks = answer.json()["tasks"] if answer.is_success else []
        return tasks[0] if tasks else {"state": None}

    def problems(self, **values: str) -> dict[str, list[str]]:
        """Return what the plugin says against a configuration, by property."""
        answer = self.connect.put(
            f"/connector-plugins/{PLUGIN}/config/validate", json={"name": "x", **self.configuration(**values)}
        )
        found = (config["value"] for config in answer.raise_for_status().json()["configs"])
        return {value["name"]: value["errors"] for value in found if value["errors"]}

    def send(self, *values: str | bytes | None, partition: int = 0, timestamp_ms: int = 0) -> None:
        from confluent_kafka import Producer

        producer = Producer({**self.client, "linger.ms": 5})
        for value in values:
            producer.produce(self.topic, value, key=b"1", partition=partition, timestamp=timestamp_ms)
        assert producer.flush(30) == 0

    def objects(self, topics_dir: str | None = None) -> dict[str, str]:
        """Return key below the topic's folder -> ETag."""
        prefix = f"{topics_dir or 'test/' + self.topic}/{self.topic}/"
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {item["Key"].removeprefix(prefix): item["ETag"] for page in pages for item in page.get("Contents", [])}

    def lines(self, topics_dir: str | None = None) -> list[str]:
        """Return every line of every object, in the order of the keys."""
        found: list[str] = []
        folder = f"{topics_dir or 'test/' + self.topic}/{self.topic}"
        for key in sorted(self.objects(topics_dir)):
            body = self.s3.get_object(Bucket=self.bucket, Key=f"{folder}/{key}")["Body"]
            found += gzip.decompress(body.read()).decode().removesuffix("\n").split("\n")
        return found

    def offsets(self, partition: int = 0) -> list[int]:
        records = map(json.loads, self.lines())
        return sorted(r["kafka_offset"] for r in records if r["kafka_partition"] == partition)

    def committed(self, name: str, partition: int = 0) -> int:
        """Return the connector's committed offset; below 0 where there is none."""
        from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

        group = ConsumerGroupTopicPartitions(f"connect-{name}", [TopicPartition(self.topic, partition)])
        [answer] = self.admin.list_consumer_group_offsets([group]).values()
        offset: int = answer.result(timeout=30).topic_partitions[0].offset
        return offset

    def consume(self, count: int) -> list[bytes | None]:
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({**self.client, "group.id": self.topic})
        consumer.assign([TopicPartition(self.topic, 0, 0)])
        values = [message.value() for message in consumer.consume(count, timeout=30)]
        consumer.close()
        return values

    def close(self) -> None:
        for name in self.connectors:
            self.connect.delete(f"/connectors/{name}")
        for deleted in self.admin.delete_topics([self.topic]).values():
            deleted.result(timeout=30)
