"""Rows at fault on the real way: PostgreSQL, API Gateway, proxy and broker. Each is a dead letter, the rest arrives."""

import json
import uuid
from contextlib import closing
from types import SimpleNamespace

import psycopg
import psycopg2
import pytest

from pinterest_pipeline.common.records import UnreadableValue
from pinterest_pipeline.kafka_rest.operators import KafkaRestProduceOperator
from pinterest_pipeline.lake.hook import LakeHook
from pinterest_pipeline.source.queries import open_query
from tests.support.kafka import KafkaLab

USERS = """
SELECT n AS ind, CASE n WHEN 3 THEN '20000-01-01'::timestamp WHEN 5 THEN 'infinity' WHEN 7 THEN '-infinity'
    WHEN 9 THEN '0044-03-15 BC' ELSE '2017-10-18T01:02:03' END AS date_joined
FROM generate_series(1, 10) AS n
ORDER BY n
"""
DOCUMENTS = """
SELECT n AS ind, CASE n WHEN 2 THEN '{"half": "\\ud800"}' WHEN 4 THEN repeat('[', 1500) || repeat(']', 1500)
    WHEN 6 THEN repeat('{"a":', 1500) || '1' || repeat('}', 1500) WHEN 8 THEN '"' || repeat('[', 1500) || '"'
    ELSE '{"a": [1]}' END::json AS document
FROM generate_series(1, 10) AS n
ORDER BY n
"""
MOMENTS = "SELECT 'infinity'::date, '20000-01-01'::timestamptz, '0044-03-15 BC'::date, NULL::date, '2017-10-18'::date"

pytestmark = pytest.mark.usefixtures("connections")


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("postgres", "ministack", "kafka", "kafka_rest")


@pytest.fixture
def topic(environment):
    """Return a function that creates a topic of three partitions."""
    created = []

    def create(**arguments):
        created.append(KafkaLab(environment, f"fault-{uuid.uuid4().hex[:8]}", **arguments))
        return created[-1]

    yield create
    for lab in created:
        lab.delete()


@pytest.fixture
def send(environment):
    """Return a function that sends a query's rows and returns the result and the dead letters by key."""

    def execute(topic, query, *, run="", try_number=1, **arguments):
        bucket, run = environment["PINTEREST_BUCKET"], run or uuid.uuid4().hex
        task = KafkaRestProduceOperator(
            task_id="send", sql=query, topic=topic, key_column="ind", dead_letter_bucket=bucket,
            dead_letter_prefix="test/dead-letters", **arguments,
        )  # fmt: skip
        ti = SimpleNamespace(dag_id="d", run_id=run, task_id="send", try_number=try_number, map_index=-1)
        result = task.execute({"ti": ti, "ds": "2026-11-24"})
        lake = LakeHook(bucket)
        prefix = (result["dead_letter_uri"] or f"s3://{bucket}/none").removeprefix(f"s3://{bucket}/")
        lines = [line for key in lake.list_keys(bucket, prefix=prefix) for line in lake.read_json_lines(key)]
        return result, {line["key"]: line for line in lines}

    return execute


def test_a_null_key_on_a_compacted_topic_is_the_only_dead_letter_of_3000_rows(topic, send):
    lab = topic(config={"cleanup.policy": "compact"})

    result, dead_letters = send(
        lab.topic, "SELECT CASE n WHEN 1700 THEN NULL ELSE n END AS ind, 'title ' || n AS title"
        " FROM generate_series(1, 3000) AS n ORDER BY n",
    )  # fmt: skip

    assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (3000, 2999, 1)
    (dead_letter,) = dead_letters.values()
    assert (dead_letter["topic"], dead_letter["key"], dead_letter["error_code"]) == (lab.topic, None, 50002)
    assert json.loads(dead_letter["value"]) == {"ind": None, "title": "title 1700"}
    assert sorted(int(key) for _, _, key, _ in lab.records()) == [n for n in range(1, 3001) if n != 1700]


def test_a_moment_that_python_cannot_hold_holds_back_its_row_only(topic, send):
    lab = topic()

    result, dead_letters = send(lab.topic, USERS)

    assert (result["rows"], result["acknowledged"]) == (10, 6)
    assert sorted(int(key) for _, _, key, _ in lab.records()) == [1, 2, 4, 6, 8, 10]
    assert {key: line["reason"].split(":")[1] for key, line in dead_letters.items()} == {
        "3": " column 'date_joined' has 20000-01-01 00",
        "5": " column 'date_joined' has infinity",
        "7": " column 'date_joined' has -infinity",
        "9": " column 'date_joined' has 0044-03-15 00",
    }
    assert {line["topic"] for line in dead_letters.values()} == {lab.topic}


def test_a_document_that_no_reader_takes_holds_back_its_row_only(topic, send):
    lab = topic()

    result, dead_letters = send(lab.topic, DOCUMENTS)

    assert (result["rows"], result["acknowledged"]) == (10, 7)
    assert sorted(int(key) for _, _, key, _ in lab.records()) == [1, 3, 5, 7, 8, 9, 10]
    assert "surrogates not allowed" in dead_letters["2"]["reason"]
    for key in ("4", "6"):
        assert "JSON nested deeper than 1,000 levels" in dead_letters[key]["reason"]
    assert "[" * 1500 in dead_letters["4"]["value"]


def test_the_last_try_leaves_its_own_dead_letters_only(environment, topic, send):
    lab, run, lake = topic(), uuid.uuid4().hex, LakeHook(environment["PINTEREST_BUCKET"])
    fixed = USERS.replace("'infinity'", "'2017-10-19'")

    _, first = send(lab.topic, USERS, run=run)
    result, last = send(lab.topic, fixed, run=run, try_number=2)

    assert (set(first), set(last)) == ({"3", "5", "7", "9"}, {"3", "7", "9"})
    assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (10, 7, 3)
    prefix = f"/{lab.topic}/dt=2026-11-24/d.{run}.send.try"
    assert lake.names(f"test/dead-letters/{lab.topic}/") == [f"test/dead-letters{prefix}2-0.json"]
    moved = f"test/dead-letters-superseded{prefix}1-0.json"
    assert {line["key"] for line in lake.read_json_lines(moved)} == set(first)


@pytest.mark.parametrize("driver", [psycopg, psycopg2], ids=lambda driver: driver.__name__)
def test_both_drivers_read_on_over_what_they_cannot_hold(environment, driver):
    database = SimpleNamespace(get_conn=lambda: driver.connect(environment["PINTEREST_SOURCE_URL"]))

    with open_query(database, MOMENTS) as (_, rows):
        (row,) = rows
    with open_query(database, DOCUMENTS) as (_, rows):
        documents = dict(rows)

    assert [type(value) is UnreadableValue for value in row] == [True, True, True, False, False]
    assert [value.text[:8] for value in row[:3]] == ["infinity", "20000-01", "0044-03-"]
    assert (row[3], row[4].isoformat()) == (None, "2017-10-18")
    assert [n for n, value in documents.items() if isinstance(value, UnreadableValue)] == [4, 6]
    with closing(driver.connect(environment["PINTEREST_SOURCE_URL"])) as other, closing(other.cursor()) as cursor:
        cursor.execute("SELECT '2017-10-18'::date")
        assert cursor.fetchone()[0].isoformat() == "2017-10-18"
