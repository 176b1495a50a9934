"""What ``sandbox emulate --also-kafka`` sends through the gateway: each row once, and nothing that is broken."""

import json
import uuid
from types import SimpleNamespace

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from sandbox.data import emulate_senders
from sandbox.run.settings import SandboxError, Settings
from tests.support.groups import TEST_HOME


@pytest.fixture(scope="module")
def settings(stand_ins):
    stand_ins("kafka_rest")
    return Settings.load(TEST_HOME)


@pytest.fixture
def topic(settings, monkeypatch):
    monkeypatch.setattr(emulate_senders, "TOPIC_PREFIX", f"test-{uuid.uuid4().hex[:8]}")
    admin = AdminClient(settings.kafka_client)
    name = f"{emulate_senders.TOPIC_PREFIX}.pin"
    admin.create_topics([NewTopic(name, num_partitions=1)])[name].result(30)
    yield name
    admin.delete_topics([name])[name].result(30)


def emission(kind, post_id, data):
    return SimpleNamespace(kind=kind, key=str(post_id), data=data)


def test_rows_alone_arrive_keyed_by_their_post(settings, topic):
    sent = [
        emission("row", 1, '{"index": 1, "title": "Grüße 😀"}'.encode()),
        emission("duplicate", 1, b'{"index": 1}'),
        emission("malformed", 1, b'{"index'),
        emission("row", 2, b'{"index": 2, "title": null}'),
    ]

    emulate_senders.KafkaSender(settings).send("pin", sent)

    consumer = Consumer({**settings.kafka_client, "group.id": topic})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = [consumer.poll(30) for _ in range(consumer.get_watermark_offsets(TopicPartition(topic, 0), 30)[1])]
    consumer.close()
    assert [message.key() for message in found] == [b"1", b"2"]
    assert [json.loads(message.value()) for message in found] == [
        {"index": 1, "title": "Grüße 😀"},
        {"index": 2, "title": None},
    ]


def test_a_missing_topic_is_named_at_once(settings, monkeypatch):
    monkeypatch.setattr(emulate_senders, "TOPIC_PREFIX", "nowhere")

    with pytest.raises(SandboxError, match=r"Kafka REST knows no topic nowhere\.pin: .*40401"):
        emulate_senders.KafkaSender(settings).send("pin", [emission("row", 1, b"{}")])
