"""Kafka for tests that have no Kafka client of their own: the sandbox's Python makes and reads topics for them."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.waiting import read_until

PROJECT = Path(__file__).resolve().parents[2]
SANDBOX_PYTHON = PROJECT / ".venv" / "sandbox" / "bin" / "python"
CREATE = """
import json, os, sys
from confluent_kafka.admin import AdminClient, NewTopic
client, topic, arguments = json.loads(os.environ["KAFKA_CLIENT"]), *sys.argv[1:]
admin = AdminClient(client)
admin.create_topics([NewTopic(topic, **json.loads(arguments))])[topic].result(30)
"""
DELETE = CREATE.replace("create_topics([NewTopic(topic, **json.loads(arguments))])", "delete_topics([topic])")
SEND = """
import json, os, sys
from confluent_kafka import Producer
client, topic, values = json.loads(os.environ["KAFKA_CLIENT"]), sys.argv[1], json.loads(sys.argv[2])
producer = Producer({**client, "linger.ms": 5})
for value in values:
    producer.produce(topic, value, partition=0)
sys.exit(producer.flush(100))
"""
COMMITTED = """
import json, os, sys, time
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
client, topic, group = json.loads(os.environ["KAFKA_CLIENT"]), *sys.argv[1:]
wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])
admin = AdminClient(client)
for left in range(29, -1, -1):
    [answer] = admin.list_consumer_group_offsets([wanted]).values()
    try:
        print(answer.result(timeout=30).topic_partitions[0].offset)
        break
    except KafkaException:  # a broker that has just started is still loading its groups
        if not left:
            raise
        time.sleep(1)
"""
BROKERS = """
import json, os
from confluent_kafka.admin import AdminClient
print(*AdminClient(json.loads(os.environ["KAFKA_CLIENT"])).list_topics(timeout=30).brokers)
"""
READ = """
import json, os, sys
from confluent_kafka import Consumer, TopicPartition
client, topic = json.loads(os.environ["KAFKA_CLIENT"]), sys.argv[1]
consumer = Consumer({**client, "group.id": "reads", "enable.auto.commit": False})
found = []
for partition in range(3):
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
    consumer.assign([TopicPartition(topic, partition, low)])
    for _ in range(high - low):
        message = consumer.poll(30)
        key = message.key()
        found.append([message.partition(), message.offset(), key and key.decode(), message.value().decode()])
print(json.dumps(found))
"""


def client_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a librdkafka client from what ``sandbox env`` prints."""
    return {
        "bootstrap.servers": environment["KAFKA_BOOTSTRAP_SERVERS"],
        "security.protocol": environment["KAFKA_SECURITY_PROTOCOL"],
        "sasl.mechanism": environment["KAFKA_SASL_MECHANISM"],
        "sasl.username": environment["KAFKA_SASL_USERNAME"],
        "sasl.password": environment["KAFKA_SASL_PASSWORD"],
    }


class KafkaLab:
    """One topic of three partitions, gone after the test.

    :param arguments: More for ``confluent_kafka.admin.NewTopic``: ``config``, ``replica_assignment``.
    """

    def __init__(self, environment: Mapping[str, str], topic: str, **arguments: Any) -> None:
        self.client = client_of(environment)
        self.topic = topic
        self._run(CREATE, json.dumps({"num_partitions": 3, **arguments}))

    @classmethod
    def of_existing(cls, environment: Mapping[str, str], topic: str) -> "KafkaLab":
        lab = cls.__new__(cls)
        lab.client, lab.topic = client_of(environment), topic
        return lab

    def records(self) -> list[tuple[int, int, str | None, str]]:
        """Return partition, offset, key and value of every record."""
        return [tuple(record) for record in json.loads(self._run(READ))]

    def send(self, *values: str) -> None:
        """Send records to partition 0; return once Kafka has them."""
        self._run(SEND, json.dumps(values))

    def committed(self, group: str) -> int:
        """Return a group's committed offset of partition 0; below 0 where there is none."""
        return int(self._run(COMMITTED, group))

    def delete(self) -> None:
        self._run(DELETE)

    def _run(self, script: str, arguments: str = "") -> str:
        command = [str(SANDBOX_PYTHON), "-c", script, self.topic, arguments]
        environment = {**os.environ, "KAFKA_CLIENT": json.dumps(self.client)}
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, env=environment).stdout


class SecondBroker:
    """A broker that joins the sandbox's, and can be stopped and started again with its data.

    :param home: Of the sandbox.
    """

    node_id = 2

    def __init__(self, environment: Mapping[str, str], home: Path, folder: Path) -> None:
        client = {"KAFKA_CLIENT": json.dumps(client_of(environment))}
        self._environment = {**os.environ, **client, "PINTEREST_SANDBOX_HOME": str(home), "PYTHONPATH": str(PROJECT)}
        self._folder = folder
        self._command = (str(SANDBOX_PYTHON), "-m", "tests.support.second_broker", str(folder))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=PROJECT, env=self._environment, stdout=log, stderr=log)
        read_until(self.is_up, bool, seconds=240)

    def is_up(self) -> bool:
        command = [str(SANDBOX_PYTHON), "-c", BROKERS]
        found = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=60, env=self._environment
        ).stdout
        return str(self.node_id) in found.split()

    def stop(self) -> None:
        """End it as a restart does; its partitions have no leader until it is back."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def forget(self) -> None:
        """End it for good."""
        self.stop()
        subprocess.run([*self._command, "forget"], cwd=PROJECT, env=self._environment, check=True, timeout=150)
