"""The topics file, and the task that keeps the topics so, against a scripted proxy with the v3 API."""

import json
from pathlib import Path

import pytest

from pinterest_pipeline.common.compat import AirflowSkipException
from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.kafka_rest.ensure_topics import KafkaRestEnsureTopicsOperator
from pinterest_pipeline.kafka_rest.topics import FoundTopic, Topic, differences, read_topics_file
from tests.unit.scripted_kafka_rest import Answer

PROJECT = Path(__file__).resolve().parents[2]
WEEK_MS = 7 * 24 * 3_600_000
PIN = {"name": "${prefix}.pin", "partitions": 3, "replication_factor": "${replication}", "retention_hours": 168}
VALUES = {"prefix": "p", "replication": 2}
DECLARED = Topic("p.pin", 3, 2, 168)
TOPICS = "/gate/v1/v3/clusters/c-1/topics"


@pytest.fixture
def write(tmp_path):
    def write(content):
        file = tmp_path / "topics.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    return write


@pytest.fixture
def ensure(write, proxy):
    """Return a function that runs the task on a file of one topic, or of others."""

    def run(content=None, **arguments):
        file = write(content or {"pin": {**PIN, "comment": "Posts."}})
        return KafkaRestEnsureTopicsOperator(task_id="t", topics_file=file, topics_values=VALUES, **arguments).execute(
            {}
        )

    return run


class Cluster:
    """The v3 API of one cluster: topics by name, with partitions, replication factor and retention."""

    def __init__(self, proxy, **topics):
        self.topics = {name.replace("_", "."): found for name, found in topics.items()}
        self.created = []
        proxy.always = self.answer

    def answer(self, asked):
        if asked.method == "POST":
            self.created.append(json.loads(asked.body))
            return Answer({"kind": "KafkaTopic"}, 201)
        if asked.path == "/gate/v1/v3/clusters":
            return Answer({"kind": "KafkaClusterList", "data": [{"cluster_id": "c-1"}]})
        if asked.path == TOPICS:
            data = [
                {"topic_name": name, "partitions_count": partitions, "replication_factor": replication}
                for name, (partitions, replication, _) in self.topics.items()
            ]
            return Answer({"kind": "KafkaTopicList", "data": data})
        name, rest = asked.path.removeprefix(f"{TOPICS}/").split("/", 1)
        assert rest == "configs/retention.ms"
        return Answer({"kind": "KafkaTopicConfig", "name": "retention.ms", "value": str(self.topics[name][2])})


def test_the_products_file_declares_the_topics_of_all_tables_and_the_dead_letters():
    file = PROJECT / "include" / "kafka" / "topics.json"

    assert read_topics_file(file, {"prefix": "pinterest", "replication_factor": "2"}) == [
        Topic("pinterest.pin", 3, 2, 168),
        Topic("pinterest.geo", 3, 2, 168),
        Topic("pinterest.user", 3, 2, 168),
        Topic("pinterest.dead-letters", 1, 2, 168),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("{", r"is not JSON \(.*line 1 column 2", id="no JSON"),
        pytest.param("[]", "declares no topic", id="no object"),
        pytest.param({}, "declares no topic", id="none"),
        pytest.param({"pin": 3}, "pin: expected an object with name, partitions", id="no topic"),
        pytest.param({"pin": {**PIN, "partition": 3}}, "pin.partition is no member of a topic", id="misspelt"),
        pytest.param({"pin": {"name": "${prefix}", "partitions": "${replication}"}},
                     "pin has no replication_factor; pin has no retention_hours", id="members"),
        pytest.param({"pin": {**PIN, "partitions": 0}}, "pin.partitions is 0, expected a whole number of 1 to", id="0"),
        pytest.param({"pin": {**PIN, "partitions": 1.5}}, "pin.partitions is 1.5, expected", id="a fraction"),
        pytest.param({"pin": {**PIN, "partitions": True}}, "pin.partitions is True, expected", id="a boolean"),
        pytest.param({"pin": {**PIN, "partitions": "three"}}, "pin.partitions is 'three', expected", id="a word"),
        pytest.param({"pin": {**PIN, "retention_hours": -2}}, "retention_hours is -2, expected .* or -1", id="hours"),
        pytest.param({"pin": {**PIN, "name": "${prefix}/pin"}}, "pin.name is 'p/pin', expected 1 to 249", id="name"),
        pytest.param({"pin": PIN, "geo": PIN}, "p.pin is declared 2 times", id="twice"),
        pytest.param({"pin": {**PIN, "name": "${prefx}.pin"}},
                     "no value for prefx and a value that it does not use for prefix", id="placeholder"),
    ],
)  # fmt: skip
def test_a_misspelt_file_is_refused_by_name_and_place(write, content, said):
    with pytest.raises(PermanentError, match=rf"Topics file .*topics\.json.*{said}"):
        read_topics_file(write(content), VALUES)


def test_every_mistake_is_named_at_once(write):
    content = {"pin": {**PIN, "partitions": 0}, "geo": {**PIN, "name": "${prefix}.geo", "retention": 1}}

    with pytest.raises(PermanentError, match=r"geo\.retention is no member") as caught:
        read_topics_file(write(content), VALUES)

    assert "pin.partitions is 0" in str(caught.value)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param((3, 2, WEEK_MS), None, id="as declared"),
        pytest.param(
            (2, 2, WEEK_MS),
            "has 2 partitions, declared 3: kafka-topics.sh --alter --topic p.pin --partitions 3",
            id="-1",
        ),
        pytest.param((4, 2, WEEK_MS), "has 4 partitions, declared 3: Kafka takes none away, declare 4", id="+1"),
        pytest.param(
            (3, 2, WEEK_MS - 1),
            "keeps records 604799999 ms, declared 168 hours: kafka-configs.sh --alter --entity-type topics "
            "--entity-name p.pin --add-config retention.ms=604800000",
            id="a millisecond less",
        ),
        pytest.param((3, 2, -1), "keeps records for ever, declared 168 hours", id="for ever"),
        pytest.param(
            (3, 1, WEEK_MS), "has replication factor 1, declared 2: kafka-reassign-partitions.sh", id="replicas"
        ),
    ],
)
def test_what_differs_is_named_with_a_remedy(found, said):
    sentences = differences(DECLARED, FoundTopic("p.pin", *found))

    assert sentences == [] if said is None else f"topic p.pin {said}" in sentences[0]


def test_topics_that_are_as_declared_are_left_alone(ensure, proxy):
    Cluster(proxy, p_pin=(3, 2, WEEK_MS), other=(9, 9, 9))

    assert ensure() == {"topics": ["p.pin"], "created": []}
    assert [asked.headers["accept"] for asked in proxy.asked] == ["application/json"] * 3


def test_a_missing_topic_is_created_as_declared(ensure, proxy):
    cluster = Cluster(proxy)

    assert ensure()["created"] == ["p.pin"]
    assert cluster.created == [
        {
            "topic_name": "p.pin",
            "partitions_count": 3,
            "replication_factor": 2,
            "configs": [{"name": "retention.ms", "value": str(WEEK_MS)}],
        }
    ]
    assert proxy.asked[-1].headers["content-type"] == "application/json"


def test_all_differences_of_all_topics_are_named_after_the_missing_ones_are_created(ensure, proxy):
    cluster = Cluster(proxy, p_pin=(2, 1, 3_600_000), p_geo=(3, 2, -1))
    topics = {name: {**PIN, "name": f"${{prefix}}.{name}"} for name in ("pin", "geo", "user")}

    with pytest.raises(PermanentError) as caught:
        ensure(topics)

    said = str(caught.value)
    assert said.startswith("Kafka differs from topics.json: topic p.pin has 2 partitions")
    assert [word in said for word in ("replication factor 1", "p.pin keeps records 1 hours", "p.geo keeps")] == [
        True
    ] * 3
    assert [topic["topic_name"] for topic in cluster.created] == ["p.user"]


def test_a_topic_that_another_created_meanwhile_is_no_error(ensure, proxy):
    cluster = Cluster(proxy)

    def refuse(asked):
        if asked.method != "POST":
            return cluster.answer(asked)
        cluster.topics["p.pin"] = (3, 2, WEEK_MS)
        return Answer({"error_code": 40002, "message": "Topic 'p.pin' already exists."}, 400)

    proxy.always = refuse

    assert ensure()["topics"] == ["p.pin"]


def test_a_topic_that_kafka_refuses_is_an_error_with_its_words(ensure, proxy):
    cluster = Cluster(proxy)
    words = "The target replication factor of 2 cannot be reached because only 1 broker(s) are registered."
    refusal = Answer({"error_code": 40002, "message": words}, 400)
    proxy.always = lambda asked: refusal if asked.method == "POST" else cluster.answer(asked)

    with pytest.raises(PermanentError, match=r"creating topic p\.pin.*only 1 broker\(s\) are registered"):
        ensure()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer({"error_code": 404, "message": "HTTP 404 Not Found"}, 404), id="no v3 in this proxy"),
        pytest.param(Answer({"message": "Missing Authentication Token"}, 403), id="API Gateway has no such path"),
        pytest.param(Answer({"message": "Forbidden"}, 403), id="API Gateway forbids it"),
        pytest.param(Answer(["pin"]), id="something else answers"),
        pytest.param(Answer(b"<html>"), id="a page answers"),
    ],
)
def test_a_proxy_without_the_v3_api_is_an_error_that_says_what_to_do(ensure, proxy, answer):
    proxy.always = lambda _: answer

    with pytest.raises(PermanentError, match=r"/v3/clusters.*api\.v3\.enable=true.*or set check_topics to false"):
        ensure()


def test_where_topics_are_not_to_be_checked_the_task_is_skipped(ensure, proxy):
    with pytest.raises(AirflowSkipException, match="check_topics of the Variable is false"):
        ensure(check=False)

    assert proxy.asked == []
