"""The task that keeps the topics as they are declared, through API Gateway and the proxy, on real Kafka."""

import json
import uuid

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.kafka_rest.ensure_topics import KafkaRestEnsureTopicsOperator
from tests.conftest import PROJECT
from tests.support.kafka import KafkaLab

FILE = include_folder(str(PROJECT / "dags" / "any.py")) / "kafka" / "topics.json"


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("ministack", "kafka", "kafka_rest")


@pytest.fixture(autouse=True)
def connection(environment, use_kafka_rest):
    use_kafka_rest(environment)


@pytest.fixture
def topic(environment):
    """A topic of three partitions without a retention of its own."""
    lab = KafkaLab(environment, f"declared-{uuid.uuid4().hex[:8]}.pin")
    yield lab
    lab.delete()


def ensure(file=FILE, **values):
    values = {"prefix": "pinterest", "replication_factor": 1, **values}
    return KafkaRestEnsureTopicsOperator(task_id="t", topics_file=file, topics_values=values).execute({})


def test_the_topics_of_the_sandbox_are_as_the_products_file_says():
    names = ["pinterest.pin", "pinterest.geo", "pinterest.user", "pinterest.dead-letters"]

    assert ensure() == {"topics": names, "created": []}


def test_what_differs_is_named(tmp_path, topic):
    wanted = {"name": topic.topic, "partitions": 5, "replication_factor": 2, "retention_hours": 24}
    file = tmp_path / "topics.json"
    file.write_text(json.dumps({"pin": wanted, "geo": {**wanted, "name": "${prefix}.geo", "partitions": 2}}))

    with pytest.raises(PermanentError) as caught:
        KafkaRestEnsureTopicsOperator(task_id="t", topics_file=file, topics_values={"prefix": "pinterest"}).execute({})

    sentences = str(caught.value).split("; ")
    assert [sentence.partition(": kafka")[0] for sentence in sentences] == [
        f"Kafka differs from topics.json: topic {topic.topic} has 3 partitions, declared 5",
        f"topic {topic.topic} keeps records for ever, declared 24 hours",
        f"topic {topic.topic} has replication factor 1, declared 2",
        "topic pinterest.geo has 3 partitions, declared 2: Kafka takes none away, declare 3, or create the topic again",
        "topic pinterest.geo keeps records 168 hours, declared 24 hours",
        "topic pinterest.geo has replication factor 1, declared 2",
    ]


def test_missing_topics_are_created_once_and_are_then_as_declared(environment, tmp_path, topic):
    name = f"{topic.topic}.created"
    file = tmp_path / "topics.json"
    wanted = {"name": name, "partitions": 3, "replication_factor": "${replication_factor}", "retention_hours": -1}
    file.write_text(json.dumps({"pin": wanted}))
    values = {"replication_factor": 1}

    def run():
        return KafkaRestEnsureTopicsOperator(task_id="t", topics_file=file, topics_values=values).execute({})

    created, again = run(), run()

    assert [created["created"], again["created"]] == [[name], []]
    lab = KafkaLab.of_existing(environment, name)
    assert lab.records() == []
    lab.delete()


def test_more_replicas_than_brokers_are_refused_in_kafkas_words(tmp_path):
    file = tmp_path / "topics.json"
    wanted = {"name": f"three-{uuid.uuid4().hex[:8]}", "partitions": 1, "replication_factor": 3, "retention_hours": 1}
    file.write_text(json.dumps({"pin": wanted}))

    with pytest.raises(PermanentError, match="replication factor of 3 cannot be reached because only 1 broker"):
        KafkaRestEnsureTopicsOperator(task_id="t", topics_file=file, topics_values={}).execute({})
