"""API Gateway in front of the Kafka REST proxy: who may pass, how much, and what comes through."""

import base64
import hashlib
import random
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition

from sandbox.run.settings import Settings
from sandbox.servers.ministack import api_gateway, client
from tests.support.kafka import client_of

TEST_HOME = Path(__file__).resolve().parents[3] / ".sandbox-test"
TOPIC = "pinterest.dead-letters"  # one partition, and nothing else writes to it through the proxy
BINARY = "application/vnd.kafka.binary.v2+json"


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("kafka_rest")


@pytest.fixture(scope="module")
def settings(environment):
    return Settings.load(TEST_HOME)


@pytest.fixture(scope="module")
def gate(environment):
    headers = {"x-api-key": environment["KAFKA_REST_API_KEY"]}
    with httpx.Client(base_url=environment["KAFKA_REST_URL"], headers=headers, timeout=60) as http:
        yield http


@pytest.mark.parametrize("key", [None, "", "wrong"])
def test_without_its_key_nobody_passes(environment, key):
    answer = httpx.get(f"{environment['KAFKA_REST_URL']}/topics", headers={} if key is None else {"x-api-key": key})

    assert answer.status_code == 403
    assert answer.json() == {"message": "Forbidden"}


def test_with_the_key_the_proxys_answer_comes_back(gate):
    assert TOPIC in gate.get("/topics").json()


def test_the_proxys_refusal_comes_back_with_status_and_body(gate):
    answer = gate.post("/topics/nowhere", headers={"content-type": BINARY}, json={"records": [{"value": ""}]})

    assert (answer.status_code, answer.json()["error_code"]) == (404, 40401)


def test_four_megabytes_pass_unchanged(gate, environment):
    values = [random.Random(n).randbytes(780_000) for n in range(4)]
    records = [{"value": base64.b64encode(value).decode()} for value in values]

    answer = gate.post(f"/topics/{TOPIC}", headers={"content-type": BINARY}, json={"records": records})

    offsets = answer.json()["offsets"]
    assert [entry["error_code"] for entry in offsets] == [None] * 4
    consumer = Consumer({**client_of(environment), "group.id": "gateway-test"})
    consumer.assign([TopicPartition(TOPIC, 0, offsets[0]["offset"])])
    received = [message.value() for message in consumer.consume(4, timeout=30)]
    consumer.close()
    assert [hashlib.sha256(v).hexdigest() for v in received] == [hashlib.sha256(v).hexdigest() for v in values]


def test_beyond_the_usage_plan_requests_are_refused(gate, settings):
    aws = client(settings, "apigateway")
    api_id = str(gate.base_url).rstrip("/").split("/")[-2]
    key = aws.create_api_key(name="greedy", enabled=True, value="greedy-client-of-a-test")
    plan = aws.create_usage_plan(
        name="greedy",
        apiStages=[{"apiId": api_id, "stage": api_gateway.STAGE}],
        throttle={"rateLimit": 0.01, "burstLimit": 2},
    )
    aws.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    try:
        statuses = [gate.get("/topics", headers={"x-api-key": key["value"]}).status_code for _ in range(3)]
    finally:
        aws.delete_usage_plan(usagePlanId=plan["id"])
        aws.delete_api_key(apiKey=key["id"])

    assert statuses == [200, 200, 429]
    assert gate.get("/topics").status_code == 200


def test_provisioning_again_changes_nothing(settings):
    aws = client(settings, "apigateway")

    def count():
        lists = (aws.get_rest_apis, aws.get_api_keys, aws.get_usage_plans)
        return [sum(item["name"] == api_gateway.NAME for item in fetch()["items"]) for fetch in lists]

    before = api_gateway.invoke_url(settings)
    api_gateway.provision(settings)

    assert api_gateway.invoke_url(settings) == before
    assert count() == [1, 1, 1]
