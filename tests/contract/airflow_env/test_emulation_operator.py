"""Emulated posts of a real PostgreSQL in real streams, counted by plain boto3; a killed try is gone on with."""

import json
import threading
import time
import uuid
from collections import Counter
from types import SimpleNamespace

import boto3
import psycopg
import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.emulator.operators import EmulatePostsOperator
from pinterest_pipeline.emulator.plan import TABLES
from pinterest_pipeline.kinesis.hook import KinesisStreamHook
from tests.conftest import PROJECT
from tests.support.kafka import KafkaLab
from tests.support.kinesis import active

POSTS = 120
SOURCE = f"""
    CREATE TABLE pinterest_data AS
    SELECT n AS index, 'Grüße 😀 ' || n AS title, md5(n::text) AS unique_id, '' AS description, 'P' AS poster_name,
        '1k' AS follower_count, 'a,b' AS tag_list, 'image' AS is_image_or_video, '' AS image_src, 1 AS downloaded,
        '' AS save_location, 'art' AS category
    FROM generate_series(1, {POSTS}) AS n;
    CREATE TABLE geolocation_data AS
    SELECT n::bigint AS ind, timestamp '2018-03-01' AS timestamp, 1.5::float8 AS latitude, 2.5::float8 AS longitude,
        'Peru' AS country
    FROM generate_series(1, {POSTS}) AS n;
    CREATE TABLE user_data AS
    SELECT n::bigint AS ind, 'Ada' AS first_name, 'L' AS last_name, 30 AS age, timestamp '2016-01-01' AS date_joined
    FROM generate_series(1, {POSTS}) AS n
"""


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("postgres", "ministack", "kinesis", "kafka_rest")


@pytest.fixture(scope="module")
def source(environment):
    """A schema of three small tables, of this test's own."""
    schema = f"emulation_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(environment["PINTEREST_SOURCE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"SET search_path TO {schema}")
        connection.execute(SOURCE)
        yield f"{environment['PINTEREST_SOURCE_URL']}?options=-csearch_path%3D{schema}"
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(autouse=True)
def own_source(connections, source, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_SOURCE", source)


class Streams:
    """Three streams of a test's own, and a reader that knows nothing of the pipeline."""

    def __init__(self, environment):
        self.prefix = f"test-{uuid.uuid4().hex[:8]}"
        self.kinesis = boto3.client(
            "kinesis",
            endpoint_url=environment["AWS_ENDPOINT_URL_KINESIS"],
            region_name=environment["AWS_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )

    def create(self):
        for table in TABLES:
            self.kinesis.create_stream(StreamName=f"{self.prefix}-{table}", ShardCount=2)
        for table in TABLES:
            active(self.kinesis, f"{self.prefix}-{table}")

    def delete(self):
        for table in TABLES:
            self.kinesis.delete_stream(StreamName=f"{self.prefix}-{table}", EnforceConsumerDeletion=True)

    def records(self, table):
        name, found = f"{self.prefix}-{table}", []
        for shard in self.kinesis.list_shards(StreamName=name)["Shards"]:
            iterator = self.kinesis.get_shard_iterator(
                StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while True:
                answer = self.kinesis.get_records(ShardIterator=iterator)
                found += [(record["PartitionKey"], record["Data"]) for record in answer["Records"]]
                iterator = answer["NextShardIterator"]
                if not answer["MillisBehindLatest"]:
                    break
        return found


@pytest.fixture
def streams(environment):
    made = Streams(environment)
    made.create()
    yield made
    made.delete()


def operator(environment, streams, **plan):
    return EmulatePostsOperator(
        task_id="emulate_posts",
        plan={"rate": 2000, "count": 1000, **plan},
        sql_folder=str(PROJECT / "include" / "sql"),
        stream_prefix=streams.prefix,
        bucket=environment["PINTEREST_BUCKET"],
    )


def context(run_id, try_number=1):
    ti = SimpleNamespace(dag_id="d", run_id=run_id, task_id="emulate_posts", try_number=try_number, map_index=-1)
    return {"ti": ti}


def test_every_row_is_in_its_stream_once_and_the_result_counts_what_arrived(environment, streams):
    result = operator(environment, streams).execute(context(uuid.uuid4().hex))

    assert json.loads(json.dumps(result)) == result
    assert (result["posts"], result["rows"], result["exhausted"], result["kafka_rows"]) == (POSTS, 3 * POSTS, True, 0)
    for table in TABLES:
        found = streams.records(table)
        assert Counter(key for key, _ in found) == Counter(str(n) for n in range(1, POSTS + 1))
        assert result["put"][table] == POSTS
        key = "index" if table == "pin" else "ind"
        assert all(json.loads(data)[key] == int(partition_key) for partition_key, data in found)
    titles = {json.loads(data)["title"] for _, data in streams.records("pin")}
    assert "Grüße 😀 7" in titles


def test_malformed_records_arrive_beside_the_rows(environment, streams):
    result = operator(environment, streams, duplicates=0.2, malformed=0.2, late=0.1, late_seconds=0.01).execute(
        context(uuid.uuid4().hex)
    )

    arrived = {table: len(streams.records(table)) for table in TABLES}
    assert arrived == result["put"]
    assert sum(arrived.values()) == 3 * POSTS + result["duplicates"] + sum(result["malformed"].values())
    assert result["duplicates"] > 20
    assert sum(result["malformed"].values()) > 20


def test_with_a_topic_prefix_each_row_goes_to_kafka_once_too(environment, streams):
    topics = [KafkaLab(environment, f"{streams.prefix}.{table}") for table in TABLES]
    task = operator(environment, streams, duplicates=0.5, malformed=0.5)
    task.topic_prefix = streams.prefix

    result = task.execute(context(uuid.uuid4().hex))

    assert result["kafka_rows"] == 3 * POSTS
    for topic in topics:
        assert Counter(key for _, _, key, _ in topic.records()) == Counter(str(n) for n in range(1, POSTS + 1))
        topic.delete()


def test_a_killed_try_is_gone_on_with_and_no_post_is_lost_or_repeated(environment, streams):
    run_id = uuid.uuid4().hex
    task = operator(environment, streams, rate=20)

    def kill_once_something_is_sent():
        while not streams.records("pin"):
            time.sleep(0.05)
        task.on_kill()

    threading.Thread(target=kill_once_something_is_sent, daemon=True).start()
    with pytest.raises(TransientError, match="the next try continues there"):
        task.execute(context(run_id))
    before = len(streams.records("pin"))

    result = operator(environment, streams, rate=20).execute(context(run_id, try_number=2))

    assert 0 < before < POSTS
    assert (result["posts"], result["start"], result["next_position"]) == (POSTS, 0, POSTS)
    for table in TABLES:
        assert Counter(key for key, _ in streams.records(table)) == Counter(str(n) for n in range(1, POSTS + 1))
        assert result["put"][table] == POSTS


def test_a_try_that_failed_in_the_middle_loses_nothing(environment, streams, monkeypatch):
    run_id, hook, calls = uuid.uuid4().hex, KinesisStreamHook, []

    def failing(**arguments):
        real = hook(**arguments)
        put = real.put_records

        def put_records(*given, **options):
            calls.append(given)
            if len(calls) == 2:  # of at least three, however slow the machine
                raise TransientError("Kinesis is away")
            return put(*given, **options)

        real.put_records = put_records
        return real

    monkeypatch.setattr("pinterest_pipeline.kinesis.hook.KinesisStreamHook", failing)
    with pytest.raises(TransientError, match="away"):
        operator(environment, streams, rate=200).execute(context(run_id))

    result = operator(environment, streams, rate=200).execute(context(run_id, try_number=2))

    assert (result["start"], result["next_position"]) == (0, POSTS)
    for table in TABLES:
        found = streams.records(table)
        assert {key for key, _ in found} == {str(n) for n in range(1, POSTS + 1)}
        assert len(found) == result["put"][table]


def test_cleared_after_a_success_it_starts_from_the_beginning(environment, streams):
    run_id = uuid.uuid4().hex
    operator(environment, streams, count=10).execute(context(run_id))

    result = operator(environment, streams, count=10).execute(context(run_id, try_number=2))

    assert (result["posts"], result["next_position"]) == (10, 10)
    assert len(streams.records("geo")) == 20


def test_a_missing_stream_an_empty_source_and_a_wrong_plan_fail_at_once(environment, streams, monkeypatch):
    missing = SimpleNamespace(prefix="nowhere")
    with pytest.raises(PermanentError, match="nowhere-pin"):
        operator(environment, missing).execute(context(uuid.uuid4().hex))

    with pytest.raises(PermanentError, match=r"rate is 0, expected more than 0.*Correct the params"):
        operator(environment, streams, rate=0).execute(context(uuid.uuid4().hex))

    monkeypatch.setattr(EmulatePostsOperator, "_sql", lambda self, name: "SELECT 1 WHERE false")
    with pytest.raises(PermanentError, match="pinterest_source holds no posts"):
        operator(environment, streams).execute(context(uuid.uuid4().hex))
