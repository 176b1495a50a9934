"""Kafka for tests that have no Kafka client of their own: the sandbox's Python makes and reads topics for them."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.support.waiting import read_until

PROJECT = Path(__file__).resolve().parents[2]
SANDBOX_PYTHON = PROJECT / ".venv" / "sandbox" / "bin" / "python"
CREATE = """
import json, sys
from confluent_kafka.admin import AdminClient, NewTopic
bootstrap, topic, arguments = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": bootstrap})
admin.create_topics([NewTopic(topic, **json.loads(arguments))])[topic].result(30)
"""
DELETE = CREATE.replace("create_topics([NewTopic(topic, **json.loads(arguments))])", "delete_topics([topic])")
BROKERS = """
import sys
from confluent_kafka.admin import AdminClient
print(*AdminClient({"bootstrap.servers": sys.argv[1]}).list_topics(timeout=30).brokers)
"""
READ = """
import json, sys
from confluent_kafka import Consumer, TopicPartition
bootstrap, topic, _ = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reads", "enable.auto.commit": False})
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


class KafkaLab:
    """One topic of three partitions, gone after the test.

    :param arguments: More for ``confluent_kafka.admin.NewTopic``: ``config``, ``replica_assignment``.
    """

    def __init__(self, bootstrap_servers: str, topic: str, **arguments: Any) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.topic = topic
        self._run(CREATE, json.dumps({"num_partitions": 3, **arguments}))

    def records(self) -> list[tuple[int, int, str | None, str]]:
        """Return partition, offset, key and value of every record."""
        return [tuple(record) for record in json.loads(self._run(READ))]

    def delete(self) -> None:
        self._run(DELETE)

    def _run(self, script: str, arguments: str = "") -> str:
        command = [str(SANDBOX_PYTHON), "-c", script, self.bootstrap_servers, self.topic, arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


class SecondBroker:
    """A broker that joins the sandbox's, and can be stopped and started again with its data.

    :param home: Of the sandbox.
    """

    node_id = 2

    def __init__(self, bootstrap_servers: str, home: Path, folder: Path) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._environment = {**os.environ, "PINTEREST_SANDBOX_HOME": str(home), "PYTHONPATH": str(PROJECT)}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(SANDBOX_PYTHON), "-m", "tests.support.second_broker", str(self._folder)]
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=PROJECT, env=self._environment, stdout=log, stderr=log)
        read_until(self.is_up, bool, seconds=240)

    def is_up(self) -> bool:
        command = [str(SANDBOX_PYTHON), "-c", BROKERS, self._bootstrap_servers]
        found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        return str(self.node_id) in found.split()

    def stop(self) -> None:
        """End it as a restart does; its partitions have no leader until it is back."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None
