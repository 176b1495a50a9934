"""Rows of a real PostgreSQL through the real proxy, behind API Gateway, into real Kafka; dead letters into the lake."""

import gzip
import json
import uuid
from types import SimpleNamespace

import psycopg
import pytest
from psycopg import sql

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.records import Record
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from pinterest_pipeline.kafka_rest.operators import KafkaRestProduceOperator
from pinterest_pipeline.kafka_rest.sensors import KafkaRestTopicSensor
from pinterest_pipeline.lake.hook import LakeHook
from tests.support.kafka import KafkaLab

ROWS = 1203
QUERY = "SELECT * FROM %s WHERE index <= %%(most)s ORDER BY index"
CREATE_POSTS = """
    CREATE TABLE {} AS
    SELECT n AS index, 'Grüße 😀 ' || n AS title, timestamp '2018-03-01' + n * interval '1 minute' AS timestamp
    FROM generate_series(1, {}) AS n
"""

pytestmark = pytest.mark.usefixtures("connections")


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("postgres", "ministack", "kafka", "kafka_rest")


@pytest.fixture(scope="module")
def topic(environment):
    lab = KafkaLab(environment, f"rest-test-{uuid.uuid4().hex[:8]}")
    yield lab
    lab.delete()


@pytest.fixture(scope="module")
def posts(environment):
    """A table of posts whose 700th is too large for Kafka, and another too large for the request."""
    name = f"posts_{uuid.uuid4().hex[:8]}"
    table = sql.Identifier(name)
    with psycopg.connect(environment["PINTEREST_SOURCE_URL"], autocommit=True) as connection:
        connection.execute(sql.SQL(CREATE_POSTS).format(table, sql.Literal(ROWS)))
        connection.execute(sql.SQL("UPDATE {} SET title = repeat('k', 1100000) WHERE index = 700").format(table))
        connection.execute(sql.SQL("UPDATE {} SET title = repeat('r', 5000000) WHERE index = 900").format(table))
        yield name
        connection.execute(sql.SQL("DROP TABLE {}").format(table))


def produce(environment, table, topic, **arguments):
    return send(environment, topic, sql=QUERY % table, parameters={"most": ROWS}, **arguments)


def send(environment, topic, **arguments):
    task = KafkaRestProduceOperator(
        task_id="send",
        topic=topic,
        key_column="index",
        dead_letter_bucket=environment["PINTEREST_BUCKET"],
        dead_letter_prefix="test/dead-letters",
        **arguments,
    )
    ti = SimpleNamespace(dag_id="d", run_id=uuid.uuid4().hex, task_id="send", try_number=1, map_index=-1)
    return task.execute({"ti": ti, "ds": "2026-11-24"})


def test_every_row_is_acknowledged_or_a_dead_letter_and_a_second_run_sends_again(environment, topic, posts):
    first = produce(environment, posts, topic.topic)
    second = produce(environment, posts, topic.topic)

    for result in (first, second):
        assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (ROWS, ROWS - 2, 2)
        assert (result["dialect"], result["retries"]) == ("confluent", 0)
    records = topic.records()
    assert len(records) == 2 * (ROWS - 2)
    keys = sorted(int(key) for _, _, key, _ in records)
    assert keys == sorted(2 * [n for n in range(1, ROWS + 1) if n not in {700, 900}])
    for partition, offset, key, value in records:
        number = int(key)
        expected = {"index": number, "title": f"Grüße 😀 {number}"}
        assert json.loads(value).items() >= expected.items(), (partition, offset)
    assert json.loads(records[0][3])["timestamp"].startswith("2018-03-01T")
    known = {entry["partition"]: entry for entry in first["partitions"]}
    again = {entry["partition"]: entry for entry in second["partitions"]}
    for partition in range(3):
        offsets = [offset for found, offset, _, _ in records if found == partition]
        assert known[partition]["first_offset"] == 0
        assert again[partition]["first_offset"] == known[partition]["last_offset"] + 1
        assert again[partition]["last_offset"] == max(offsets)


def test_dead_letters_are_in_the_lake_whole_with_their_reasons(environment, topic, posts):
    result = produce(environment, posts, topic.topic, max_batch_records=100)

    bucket, prefix = result["dead_letter_uri"].removeprefix("s3://").split("/", 1)
    lake = LakeHook(bucket)
    (name,) = lake.list_keys(bucket, prefix=prefix)
    letters = {letter["key"]: letter for letter in map(json.loads, lake.read_key(name, bucket).splitlines())}
    assert name.startswith(f"test/dead-letters/{topic.topic}/dt=2026-11-24/")
    assert set(letters) == {"700", "900"}
    assert json.loads(letters["700"]["value"])["title"] == "k" * 1_100_000
    assert letters["700"]["error_code"] == 50002
    assert json.loads(letters["900"]["value"])["title"] == "r" * 5_000_000
    assert "max_batch_bytes" in letters["900"]["reason"]


def test_unknown_topic_is_named_after_one_request_that_waited_for_it(environment, posts, monkeypatch):
    rest = {"conn_type": "http", "host": environment["KAFKA_REST_URL"], "password": environment["KAFKA_REST_API_KEY"]}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_KAFKA_REST", json.dumps({**rest, "extra": {"timeout": 2}}))

    with pytest.raises(PermanentError, match=r"topic no\.such\.topic is unknown: create it"):
        produce(environment, posts, "no.such.topic")


def test_wrong_key_is_refused_at_the_gateway(environment, monkeypatch):
    rest = {"conn_type": "http", "host": environment["KAFKA_REST_URL"], "password": "wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_KAFKA_REST", json.dumps(rest))

    worked, said = KafkaRestHook().test_connection()

    assert not worked
    assert "refused with 403: Forbidden: the API key (password of connection pinterest_kafka_rest) is missing" in said


def test_body_beyond_the_gateways_quota_still_delivers_its_other_records(topic):
    wide = [Record(b'"1"', b'{"v":"' + b"w" * 900_000 + b'"}')] * 12

    result = KafkaRestHook().produce(topic.topic, wide)

    assert result.acknowledged == 12
    assert result.dead_letters == ()
    assert result.requests == 3


def test_topics_partitions_and_the_sensor(topic):
    hook = KafkaRestHook()

    assert topic.topic in hook.topics()
    assert hook.partitions(topic.topic) == [0, 1, 2]
    assert hook.test_connection()[0]
    assert KafkaRestTopicSensor(task_id="t", topics=topic.topic).execute({}) == {"topics": [topic.topic]}


def test_lines_of_json_in_s3_arrive_in_kafka_with_every_digit_packed_or_not(environment):
    lake = LakeHook(environment["PINTEREST_BUCKET"])
    folder = f"test/in-{uuid.uuid4().hex[:8]}"
    lines = [b'{"index": %d, "title": "Gr\xc3\xbc\xc3\x9fe %d", "price": 1.10}\n' % (n, n) for n in range(3000)]
    lake.load_bytes(gzip.compress(b"".join(lines[:2000])), f"{folder}/a.json.gz", lake.bucket)
    lake.load_bytes(b"".join(lines[2000:]) + b"not JSON\n", f"{folder}/b.json", lake.bucket)
    lab = KafkaLab(environment, f"lines-test-{uuid.uuid4().hex[:8]}")

    try:
        result = send(environment, lab.topic, json_lines=f"s3://{lake.bucket}/{folder}/")
        found = sorted((value for _, _, _, value in lab.records()), key=lambda value: json.loads(value)["index"])
    finally:
        lab.delete()

    assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (3001, 3000, 1)
    # the proxy leaves out the white space, and no more
    assert found == [line.decode().rstrip().replace('": ', '":').replace(', "', ',"') for line in lines]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://{bucket}/test/nothing.json", "there is no such object"),
        ("s3://nobodys-bucket/a.json", "there is no such bucket"),
    ],
)
def test_lines_of_an_object_that_is_not_there_say_so(environment, uri, message):
    with pytest.raises(PermanentError, match=message):
        send(environment, "any", json_lines=uri.format(bucket=environment["PINTEREST_BUCKET"]))
