"""API Gateway in front of the Kafka REST proxy: who may pass, how much, and what comes through."""

import base64
import hashlib
import random
import socket
import threading
import time
import uuid
from contextlib import contextmanager

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition

from sandbox.run.settings import Settings
from sandbox.servers.api_gateway.gateway import INTEGRATION_SECONDS
from sandbox.servers.ministack import api_gateway, client
from tests.support.groups import TEST_HOME
from tests.support.kafka import client_of

TOPIC = "pinterest.dead-letters"  # one partition, and nothing else writes to it through the proxy
SERVER_ERROR = "InternalServerErrorException"
BINARY = "application/vnd.kafka.binary.v2+json"


def own_answer(answer):
    """Return status, error type and body of an answer that is API Gateway's, not its integration's."""
    assert answer.headers["content-type"] == "application/json"
    assert {"x-amzn-requestid", "x-amz-apigw-id"} <= answer.headers.keys()
    return answer.status_code, answer.headers["x-amzn-errortype"], answer.json()


@contextmanager
def recording(seconds=0, answer=b"HTTP/1.1 200 OK\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"):
    """Yield the port of a server that answers so, and the list of the paths that it sees."""
    listener, seen = socket.create_server(("127.0.0.1", 0)), []

    def serve():
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection:
                seen.append(connection.recv(65536).split()[1].decode())
                time.sleep(seconds)
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], seen
    finally:
        listener.close()


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
def test_without_its_key_no_client_passes(environment, key):
    answer = httpx.get(f"{environment['KAFKA_REST_URL']}/topics", headers={} if key is None else {"x-api-key": key})

    assert own_answer(answer) == (403, "ForbiddenException", {"message": "Forbidden"})


@pytest.mark.parametrize(
    ("path", "error_type", "message"),
    [
        ("{api}/v1", "MissingAuthenticationTokenException", "Missing Authentication Token"),
        ("{api}/v1/", "MissingAuthenticationTokenException", "Missing Authentication Token"),
        ("{api}/topics/pinterest.pin", "ForbiddenException", "Forbidden"),
        ("{api}/v2/topics", "ForbiddenException", "Forbidden"),
    ],
)
def test_a_wrong_path_or_stage_is_a_403(gate, path, error_type, message):
    origin, api = str(gate.base_url).rstrip("/").rsplit("/", 2)[:2]

    answer = httpx.get(f"{origin}/{path.format(api=api)}", headers=dict(gate.headers))

    assert own_answer(answer) == (403, error_type, {"message": message})


def test_with_the_key_the_proxys_answer_comes_back(gate):
    assert TOPIC in gate.get("/topics").json()


def test_the_proxys_refusal_comes_back_with_status_body_and_headers(gate):
    answer = gate.get("/topics/nowhere")

    assert (answer.status_code, answer.json()["error_code"]) == (404, 40401)
    assert answer.headers["content-type"] == "application/vnd.kafka.v2+json"
    assert "x-amzn-errortype" not in answer.headers
    assert {"x-amzn-requestid", "x-amz-apigw-id", "x-amzn-remapped-date"} <= answer.headers.keys()


def test_a_quoted_slash_and_a_query_reach_the_proxy_as_they_were_sent(gate, gateway_of):
    with recording() as (port, seen), gateway_of(f"http://127.0.0.1:{port}") as url:
        answer = httpx.get(f"{url}/topics/a%2Fb?x=%C3%BC&x=2", headers=dict(gate.headers))

    assert seen == ["/topics/a%2Fb?x=%C3%BC&x=2"]
    assert answer.headers["retry-after"] == "7"


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


@pytest.mark.parametrize(
    ("limits", "error_type", "message"),
    [
        ({"throttle": {"rateLimit": 0.01, "burstLimit": 2}}, "TooManyRequestsException", "Too Many Requests"),
        ({"quota": {"limit": 2, "period": "DAY"}}, "LimitExceededException", "Limit Exceeded"),
    ],
    ids=["rate", "quota"],
)
def test_beyond_the_usage_plan_requests_are_refused(gate, settings, limits, error_type, message):
    aws = client(settings, "apigateway")
    api_id = str(gate.base_url).rstrip("/").split("/")[-2]
    key = aws.create_api_key(name="greedy", enabled=True, value=f"greedy-client-{uuid.uuid4().hex}")
    plan = aws.create_usage_plan(name="greedy", apiStages=[{"apiId": api_id, "stage": api_gateway.STAGE}], **limits)
    aws.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    try:
        answers = [gate.get("/topics", headers={"x-api-key": key["value"]}) for _ in range(3)]
    finally:
        aws.delete_usage_plan(usagePlanId=plan["id"])
        aws.delete_api_key(apiKey=key["id"])

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert own_answer(answers[2]) == (429, error_type, {"message": message})
    assert gate.get("/topics").status_code == 200


def test_a_payload_beyond_10_mb_is_refused_in_plain_text(gate):
    answers = [gate.post(f"/topics/{TOPIC}", content=b" " * size) for size in (10_485_760, 10_485_761)]

    assert answers[0].json()["error_code"] == 415  # the proxy's own answer
    assert (answers[1].status_code, answers[1].text) == (413, "HTTP content length exceeded 10485760 bytes.")
    assert answers[1].headers["content-type"].startswith("text/plain")


def test_a_proxy_that_is_slow_is_given_up(gate, gateway_of):
    with recording(seconds=5) as (port, _), gateway_of(f"http://127.0.0.1:{port}", seconds=0.5) as url:
        answer = httpx.get(f"{url}/topics", headers=dict(gate.headers))

    assert own_answer(answer) == (504, SERVER_ERROR, {"message": "Endpoint request timed out"})


def test_the_gateway_gives_up_after_29_seconds():
    assert INTEGRATION_SECONDS == 29


def test_a_proxy_that_is_down_or_goes_away_is_a_504(gate, gateway_of):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with gateway_of(f"http://127.0.0.1:{port}") as url:
        down = httpx.get(f"{url}/topics", headers=dict(gate.headers))
    with recording(answer=b"") as (port, _), gateway_of(f"http://127.0.0.1:{port}") as url:
        gone = httpx.get(f"{url}/topics", headers=dict(gate.headers))

    for answer in (down, gone):
        assert own_answer(answer) == (504, SERVER_ERROR, {"message": "Network error communicating with endpoint"})


def test_a_proxy_that_speaks_no_http_is_a_502(gate, gateway_of):
    with recording(answer=b"SSH-2.0-OpenSSH_9.6\r\n") as (port, _), gateway_of(f"http://127.0.0.1:{port}") as url:
        answer = httpx.get(f"{url}/topics", headers=dict(gate.headers))

    assert own_answer(answer) == (502, SERVER_ERROR, {"message": "Internal server error"})


def test_provisioning_again_changes_nothing(settings):
    aws = client(settings, "apigateway")

    def count():
        lists = (aws.get_rest_apis, aws.get_api_keys, aws.get_usage_plans)
        return [sum(item["name"] == api_gateway.NAME for item in fetch()["items"]) for fetch in lists]

    before = api_gateway.invoke_url(settings)
    api_gateway.provision(settings)

    assert api_gateway.invoke_url(settings) == before
    assert count() == [1, 1, 1]
