"""The Kafka REST proxy over real Kafka, spoken to directly."""

import asyncio
import base64
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from sandbox.run.settings import Settings
from sandbox.servers.api_gateway.gateway import INTEGRATION_SECONDS
from sandbox.servers.kafka_rest import MAX_REQUEST_BYTES
from sandbox.servers.kafka_rest.app import create_app
from sandbox.servers.kafka_rest.broker import MAX_BLOCK_SECONDS
from tests.support.groups import TEST_HOME
from tests.support.waiting import wait_until

JSON = {"content-type": "application/vnd.kafka.json.v2+json"}
BINARY = {"content-type": "application/vnd.kafka.binary.v2+json"}
PARTITIONS = 3


@pytest.fixture(scope="module")
def settings(stand_ins):
    stand_ins("kafka_rest")
    return Settings.load(TEST_HOME)


@pytest.fixture(scope="module")
def proxy(settings):
    key = {"x-gateway-key": settings.secrets["kafka_rest_proxy_key"]}
    with httpx.Client(base_url=settings.url("kafka_rest"), headers=key, timeout=30) as client:
        yield client


@pytest.fixture
def topic(settings, proxy):
    admin = AdminClient(settings.kafka_client)
    name = f"rest-test-{uuid.uuid4().hex[:8]}"
    admin.create_topics([NewTopic(name, PARTITIONS)])[name].result(30)
    # The controller answers before the broker's own metadata has the topic
    wait_until(lambda: name in proxy.get("/topics").json(), 30, f"the broker knows topic {name}")
    yield name
    admin.delete_topics([name])[name].result(30)


@pytest.fixture
def consume(settings, topic):
    def read(count):
        consumer = Consumer({**settings.kafka_client, "group.id": topic})
        consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        messages = consumer.consume(count, timeout=30)
        consumer.close()
        return {(m.partition(), m.offset()): (m.key(), m.value()) for m in messages}

    return read


def places(answer):
    return [(entry["partition"], entry["offset"]) for entry in answer.json()["offsets"]]


def test_every_record_lies_where_the_answer_says(proxy, topic, consume):
    records = [{"key": str(n), "value": {"index": n, "title": "Ü …\u00a0🎄", "x": n / 7}} for n in range(500)]

    answer = proxy.post(f"/topics/{topic}", headers=JSON, json={"records": records})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.kafka.v2+json"
    found = consume(500)
    for place, sent in zip(places(answer), records, strict=True):
        value = json.dumps(sent["value"], ensure_ascii=False, separators=(",", ":")).encode()
        assert found[place] == (json.dumps(sent["key"]).encode(), value)


def test_broken_json_can_be_sent_as_binary(proxy, topic, consume):
    broken = b'{"index": 3, "title": "cut of\xff'
    record = {"key": base64.b64encode(b"3").decode(), "value": base64.b64encode(broken).decode()}

    answer = proxy.post(f"/topics/{topic}", headers=BINARY, json={"records": [record]})

    [place] = places(answer)
    assert consume(1)[place] == (b"3", broken)


def test_an_oversized_record_fails_alone(proxy, topic, consume):
    values = ["a", "b" * 1_100_000, "c"]

    answer = proxy.post(f"/topics/{topic}", headers=JSON, json={"records": [{"value": value} for value in values]})

    assert answer.status_code == 200
    codes = [entry["error_code"] for entry in answer.json()["offsets"]]
    assert codes == [None, 50002, None]
    assert {value for _, value in consume(2).values()} == {b'"a"', b'"c"'}


def test_a_record_for_an_unknown_partition_fails_alone(proxy, topic):
    records = [{"value": 1, "partition": PARTITIONS - 1}, {"value": 2, "partition": PARTITIONS}]

    offsets = proxy.post(f"/topics/{topic}", headers=JSON, json={"records": records}).json()["offsets"]

    assert (offsets[0]["partition"], offsets[0]["error_code"]) == (PARTITIONS - 1, None)
    assert (offsets[1]["partition"], offsets[1]["error_code"]) == (None, 40403)


def test_the_urls_partition_is_used(proxy, topic):
    answer = proxy.post(
        f"/topics/{topic}/partitions/2", headers=JSON, json={"records": [{"value": n} for n in range(3)]}
    )

    assert places(answer) == [(2, 0), (2, 1), (2, 2)]


def test_topics_and_partitions_are_described(proxy, topic):
    described = proxy.get(f"/topics/{topic}").json()

    assert topic in proxy.get("/topics").json()
    assert described["name"] == topic
    assert described["configs"]["cleanup.policy"] == "delete"
    replica = {"broker": 1, "leader": True, "in_sync": True}
    expected = [{"partition": n, "leader": 1, "replicas": [replica]} for n in range(PARTITIONS)]
    assert described["partitions"] == expected
    assert proxy.get(f"/topics/{topic}/partitions").json() == expected
    assert proxy.get(f"/topics/{topic}/partitions/2").json() == expected[2]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/topics/nowhere", 40401),
        ("GET", "/topics/{topic}/partitions/3", 40402),
        ("POST", "/topics/{topic}/partitions/3", 40402),
        ("GET", "/brokers", 404),
        ("DELETE", "/topics/{topic}", 405),
    ],
)
def test_what_is_not_there_is_named_by_its_code(proxy, topic, method, path, code):
    content = {"content": b'{"records":[{"value":1}]}', "headers": JSON} if method == "POST" else {}

    answer = proxy.request(method, path.format(topic=topic), **content)

    assert (answer.status_code, answer.json()["error_code"]) == (int(str(code)[:3]), code)


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        pytest.param({"content-type": "application/json"}, b'{"records":[{"value":1}]}', 415, id="media type"),
        pytest.param({**JSON, "accept": "text/html"}, b'{"records":[{"value":1}]}', 406, id="accept"),
        pytest.param(JSON, b'{"records":[', 400, id="broken"),
        pytest.param(JSON, b'{"records":[]}', 422, id="empty"),
        pytest.param(JSON, b" " * (MAX_REQUEST_BYTES + 1), 413, id="too large"),
    ],
)
def test_a_bad_request_is_refused_whole(proxy, topic, headers, body, code):
    answer = proxy.post(f"/topics/{topic}", headers=headers, content=body)

    assert (answer.status_code, answer.json()["error_code"]) == (code, code)


def test_a_request_of_the_largest_size_is_read(proxy, topic):
    body = b'{"records":[{"value":1}]}'

    answer = proxy.post(f"/topics/{topic}", headers=JSON, content=body.ljust(MAX_REQUEST_BYTES))

    assert answer.status_code == 200


async def produce_to(app, topic):
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://proxy", timeout=30) as client:
            return await client.post(f"/topics/{topic}", headers=JSON, content=b'{"records":[{"value":1},{"value":2}]}')


def test_an_unknown_topic_is_waited_for_and_then_retriable(settings):
    app = create_app(settings.kafka_client, MAX_REQUEST_BYTES, max_block_seconds=1.2)
    started = time.monotonic()

    answer = asyncio.run(produce_to(app, "nowhere"))

    assert 1.2 <= time.monotonic() - started < 10
    entry = {"error_code": 50003, "error": "Topic nowhere not present in metadata after 1200 ms."}
    assert answer.status_code == 200
    assert answer.json()["offsets"] == [{"partition": None, "offset": None, **entry}] * 2


def test_it_waits_for_a_topic_as_long_as_java_s_producer_does():
    assert MAX_BLOCK_SECONDS == 60


def test_a_topic_that_appears_while_it_is_waited_for_gets_its_records(settings, proxy):
    admin = AdminClient(settings.kafka_client)
    name = f"rest-test-{uuid.uuid4().hex[:8]}"
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(proxy.post, f"/topics/{name}", headers=JSON, json={"records": [{"value": 1}]})
        time.sleep(1)
        admin.create_topics([NewTopic(name, 1)])[name].result(30)
        assert places(answer.result()) == [(0, 0)]
    admin.delete_topics([name])[name].result(30)


def test_without_a_broker_it_says_so_soon():
    app = create_app({"bootstrap.servers": "127.0.0.1:1"}, MAX_REQUEST_BYTES)
    started = time.monotonic()
    answer = asyncio.run(produce_to(app, "t"))

    assert (answer.status_code, answer.json()["error_code"]) == (503, 50302)
    assert time.monotonic() - started < INTEGRATION_SECONDS  # then the gateway answers for it
