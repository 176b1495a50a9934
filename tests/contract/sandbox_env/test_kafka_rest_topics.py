"""Topics through the stand-in of Confluent's REST API v3, over real Kafka, and the topics that the sandbox declares."""

import json
import uuid

import httpx
import pytest
from confluent_kafka.admin import AdminClient

from sandbox.run.settings import Settings
from sandbox.servers.kafka import topics
from tests.conftest import PROJECT
from tests.support.groups import TEST_HOME
from tests.support.waiting import wait_until

WEEK_MS = str(7 * 24 * 3_600_000)


@pytest.fixture(scope="module")
def settings(stand_ins):
    stand_ins("kafka_rest")
    return Settings.load(TEST_HOME)


@pytest.fixture(scope="module")
def proxy(settings):
    key = {"x-gateway-key": settings.secrets["kafka_rest_proxy_key"]}
    with httpx.Client(base_url=f"{settings.url('kafka_rest')}/v3", headers=key, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def cluster(proxy):
    [found] = proxy.get("/clusters").json()["data"]
    return f"/clusters/{found['cluster_id']}"


@pytest.fixture(scope="module")
def admin(settings):
    return AdminClient(settings.kafka_client)


@pytest.fixture
def name(admin):
    name = f"topics-test-{uuid.uuid4().hex[:8]}"
    yield name
    if name in admin.list_topics(timeout=10).topics:
        admin.delete_topics([name])[name].result(30)


def described(proxy, cluster, name):
    def known():
        answer = proxy.get(f"{cluster}/topics/{name}")
        return answer.json() if answer.is_success else None

    return wait_until(known, 30, f"the broker knows topic {name}", pause=0.1)


def test_the_cluster_is_the_one_that_the_proxy_serves(proxy, cluster):
    listed = proxy.get("/clusters").json()
    one = proxy.get(cluster).json()

    assert (listed["kind"], listed["metadata"]["next"]) == ("KafkaClusterList", None)
    assert listed["data"] == [one]
    assert one["metadata"]["resource_name"] == f"crn:///kafka={one['cluster_id']}"
    assert one["topics"]["related"].endswith(f"/v3{cluster}/topics")
    unknown = proxy.get("/clusters/nowhere/topics")
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, 404)


def test_a_topic_is_created_with_its_settings_and_described(proxy, cluster, name):
    body = {
        "topic_name": name,
        "partitions_count": 2,
        "replication_factor": 1,
        "configs": [{"name": "retention.ms", "value": WEEK_MS}],
    }
    created = proxy.post(f"{cluster}/topics", json=body)

    assert created.status_code == 201
    found = described(proxy, cluster, name)
    assert (found["kind"], found["topic_name"], found["is_internal"]) == ("KafkaTopic", name, False)
    assert (found["partitions_count"], found["replication_factor"]) == (2, 1)
    assert found in proxy.get(f"{cluster}/topics").json()["data"]
    partitions = proxy.get(f"{cluster}/topics/{name}/partitions").json()
    assert [partition["partition_id"] for partition in partitions["data"]] == [0, 1]
    setting = proxy.get(f"{cluster}/topics/{name}/configs/retention.ms").json()
    assert (setting["value"], setting["is_default"], setting["source"]) == (WEEK_MS, False, "DYNAMIC_TOPIC_CONFIG")
    configs = {each["name"]: each for each in proxy.get(f"{cluster}/topics/{name}/configs").json()["data"]}
    assert configs["retention.ms"] == setting
    assert configs["cleanup.policy"]["is_default"] is True


def test_a_request_to_validate_creates_nothing(proxy, cluster, admin, name):
    body = {"topic_name": name, "partitions_count": 1, "replication_factor": 1, "validate_only": True}

    assert proxy.post(f"{cluster}/topics", json=body).status_code == 201
    assert name not in admin.list_topics(timeout=10).topics


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        pytest.param({"replication_factor": 3}, 40002, "eplication factor", id="more replicas than brokers"),
        pytest.param({"partitions_count": 0}, 40002, "artitions", id="no partition"),
        pytest.param({"topic_name": "a/b"}, 40002, "a/b", id="a name that Kafka refuses"),
        pytest.param({"topic_name": ""}, 400, "topic_name", id="no name"),
        pytest.param({"partitions": 3}, 400, "Unrecognized field: partitions", id="a misspelt field"),
        pytest.param({"configs": [{"name": "retention", "value": "1"}]}, 40002, "retention", id="an unknown setting"),
    ],
)
def test_what_kafka_refuses_is_a_400_with_its_words(proxy, cluster, name, change, code, words):
    body = {"topic_name": name, "partitions_count": 1, "replication_factor": 1, **change}

    refused = proxy.post(f"{cluster}/topics", json=body)

    assert (refused.status_code, refused.json()["error_code"]) == (400, code)
    assert words in refused.json()["message"]


def test_a_topic_that_exists_and_one_that_does_not_have_confluents_codes(proxy, cluster, name):
    body = {"topic_name": name, "partitions_count": 1, "replication_factor": 1}
    proxy.post(f"{cluster}/topics", json=body)
    described(proxy, cluster, name)

    again = proxy.post(f"{cluster}/topics", json=body)
    missing = proxy.get(f"{cluster}/topics/{name}-2/configs")

    assert (again.status_code, again.json()["error_code"]) == (400, 40002)
    assert "already exists" in again.json()["message"]
    assert (missing.status_code, missing.json()["error_code"]) == (404, 40403)
    assert proxy.get(f"{cluster}/topics/{name}/configs/nothing").status_code == 404


def test_the_sandboxes_topics_are_those_of_the_file(proxy, cluster):
    declared = json.loads((PROJECT / "include" / "kafka" / "topics.json").read_text())
    found = {each["topic_name"]: each["partitions_count"] for each in proxy.get(f"{cluster}/topics").json()["data"]}

    for topic in declared.values():
        name = topic["name"].replace("${prefix}", "pinterest")
        assert found[name] == topic["partitions"]
        retention = proxy.get(f"{cluster}/topics/{name}/configs/retention.ms").json()["value"]
        assert retention == str(topic["retention_hours"] * 3_600_000)


def test_a_topic_of_an_older_sandbox_is_given_its_retention(proxy, cluster, admin, name):
    [topic] = topics.declared()[:1]
    old = topics.NewTopic(name, num_partitions=1, replication_factor=1)
    admin.create_topics([old])[name].result(30)
    described(proxy, cluster, name)

    topics.ensure(admin, [topics.NewTopic(name, num_partitions=1, replication_factor=1, config=dict(topic.config))])

    assert proxy.get(f"{cluster}/topics/{name}/configs/retention.ms").json()["value"] == WEEK_MS
