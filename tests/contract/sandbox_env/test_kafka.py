"""The sandbox's Kafka node: real Kafka, its topics, its limits, and nothing on any interface but loopback."""

import os
import signal
import socket
from pathlib import Path

import psutil
import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from tests.support.groups import TEST_HOME
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[3]
PIDS = TEST_HOME / "pids"


def test_the_pipelines_topics_are_there_with_their_partitions(sink):
    topics = sink.admin.list_topics(timeout=10).topics

    partitions = {name: len(topic.partitions) for name, topic in topics.items() if name.startswith("pinterest.")}
    assert partitions == {
        "pinterest.pin": 3,
        "pinterest.geo": 3,
        "pinterest.user": 3,
        "pinterest.dead-letters": 1,
    }


def test_a_topic_does_not_come_into_being_because_someone_writes_to_it(sink):
    failures = []
    producer = Producer({**sink.client, "topic.metadata.propagation.max.ms": 500})
    producer.produce("pinterest.pins", b"{}", on_delivery=lambda error, _: failures.append(error))
    producer.flush(30)

    assert [error.code() for error in failures] == [KafkaError.UNKNOWN_TOPIC_OR_PART]
    assert "pinterest.pins" not in sink.admin.list_topics(timeout=10).topics


@pytest.mark.parametrize(("size", "accepted"), [(1_000_000, True), (1_100_000, False)])
def test_a_record_of_more_than_a_mebibyte_is_refused(sink, size, accepted):
    outcomes = []
    producer = Producer({**sink.client, "message.max.bytes": 2_000_000})
    producer.produce(sink.topic, b"x" * size, on_delivery=lambda error, _: outcomes.append(error))
    producer.flush(30)

    codes = [error.code() if error else None for error in outcomes]
    assert codes == [None if accepted else KafkaError.MSG_SIZE_TOO_LARGE]


@pytest.mark.parametrize("server", ["kafka", "kafka_connect"])
def test_it_listens_on_loopback_only(sink, server):
    process = psutil.Process(int((PIDS / f"{server}.pid").read_text()))

    listening = [c.laddr for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]

    assert len(listening) == {"kafka": 2, "kafka_connect": 1}[server]  # broker and controller; no JMX
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_a_killed_broker_comes_back_with_every_acknowledged_record(sink):
    sink.send(*(str(number) for number in range(500)))
    pid = int((PIDS / "kafka.pid").read_text())

    os.kill(pid, signal.SIGKILL)

    def is_back():
        return int((PIDS / "kafka.pid").read_text()) != pid and broker_answers(sink)

    wait_until(is_back, 60, "the broker is back", pause=0.2)
    sink.send("after")
    assert sink.consume(501) == [str(number).encode() for number in range(500)] + [b"after"]


def broker_answers(sink) -> bool:
    host, port = sink.client["bootstrap.servers"].split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return bool(sink.admin.list_topics(timeout=2).brokers)
    except (OSError, KafkaException):
        return False
