"""The whole stream, from Kinesis to PostgreSQL; a driver dies and a server dies, and nothing is lost or doubled."""

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import boto3
import psycopg
import pytest
from botocore.exceptions import BotoCoreError

from tests.support.groups import TEST_HOME
from tests.support.stream import warehouse_of, wire
from tests.support.waiting import read_until

PROJECT = Path(__file__).resolve().parents[3]
KINESIS_PID = TEST_HOME / "pids" / "kinesis.pid"
TABLES = ("pin", "geo", "user")
POSTS = 120
BAD = {
    "unparsable JSON": b'{"index": 5, "title": "cut of',
    "wrong type in index": b'{"index": "twelve"}',
    "no index": b'{"title": "no id"}',
    "record of another table": wire("geo", 5),
    "empty record": b" ",
}
MEBIBYTE = b'{"index": "' + b"x" * (2**20 - 64)
SUMS = """SELECT query, sum(record_count)::int, sum(row_count)::int, sum(duplicate_count)::int,
    sum(quarantined_count)::int FROM stream.progress GROUP BY 1"""


class Streams:
    """Three streams of two shards."""

    def __init__(self, environment):
        self.kinesis = boto3.client(
            "kinesis", endpoint_url=environment["AWS_ENDPOINT_URL_KINESIS"], region_name=environment["AWS_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip
        self.prefix = f"streaming-test-{uuid.uuid4().hex[:8]}"
        for table in TABLES:
            self.kinesis.create_stream(StreamName=self.name(table), ShardCount=2)
        for table in TABLES:
            self.kinesis.get_waiter("stream_exists").wait(
                StreamName=self.name(table), WaiterConfig={"Delay": 1, "MaxAttempts": 60}
            )

    def name(self, table):
        return f"{self.prefix}-{table}"

    def put(self, table, records):
        entries = [{"Data": data, "PartitionKey": str(key)} for key, data in records]
        answer = self.kinesis.put_records(StreamName=self.name(table), Records=entries)
        assert answer["FailedRecordCount"] == 0

    def count(self, table):
        """Count the records of a stream with nothing but boto3."""
        found = 0
        for shard in self.kinesis.list_shards(StreamName=self.name(table))["Shards"]:
            place = {"StreamName": self.name(table), "ShardId": shard["ShardId"]}
            iterator = self.kinesis.get_shard_iterator(**place, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            while True:
                answer = self.kinesis.get_records(ShardIterator=iterator)
                found += len(answer["Records"])
                if not answer["Records"] and not answer["MillisBehindLatest"]:
                    break
                iterator = answer["NextShardIterator"]
        return found

    def answers(self):
        with suppress(BotoCoreError):
            return bool(self.kinesis.list_streams()["StreamNames"])
        return False

    def delete(self):
        for table in TABLES:
            self.kinesis.delete_stream(StreamName=self.name(table))


class Driver:
    """A streaming driver's process group."""

    def __init__(self, folder, environment, widgets, url, **given):
        self.log = folder / f"driver-{uuid.uuid4().hex[:4]}.log"
        jars = str(PROJECT / ".jars" / "spark")
        argument = json.dumps({"widgets": widgets, "url": url, "jars": jars, **given})
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(PROJECT / "tests" / "support" / "stream_driver.py"), argument],
                env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip

    def wait(self, seconds=120):
        """Return the exit code and the result that was printed."""
        try:
            printed = self.process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the driver is still there:\n{self.log.read_text()[-3000:]}") from None
        return self.process.returncode, json.loads(printed) if printed else None

    def workers(self):
        """Return the process ids of the Pythons that Spark has started: what reads Kinesis, and what runs tasks."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True)
        found = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
        family = {self.process.pid}
        while more := {int(pid) for pid, parent, _ in found if int(parent) in family} - family:
            family |= more
        return [int(pid) for pid, _, command in found if int(pid) in family and " -m pyspark." in command]

    def kill(self):
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("postgres", "kinesis")


@pytest.fixture(scope="module")
def streams(environment):
    three = Streams(environment)
    yield three
    three.delete()


@pytest.fixture(scope="module")
def warehouse(environment):
    with warehouse_of(environment["PINTEREST_WAREHOUSE_URL"]) as one:
        yield one


@pytest.fixture(scope="module")
def start(environment, streams, warehouse, tmp_path_factory):
    """Return a function that starts a driver, always with the same checkpoints."""
    folder = tmp_path_factory.mktemp("stream")
    widgets = {
        "stream_prefix": streams.prefix, "region": environment["AWS_REGION"], "trigger_seconds": "0.2",
        "checkpoint_uri": f"file://{folder}/checkpoints", "max_records_per_batch": "60",
    }  # fmt: skip
    drivers = []

    def begin(**given):
        drivers.append(Driver(folder, environment, widgets, warehouse.url, **given))
        return drivers[-1]

    yield begin
    for driver in drivers:
        driver.kill()


def counted(warehouse):
    """Return the sums of progress by query, or nothing while PostgreSQL is away."""
    with suppress(psycopg.OperationalError, psycopg.InterfaceError):
        return {query: sums for query, *sums in warehouse.rows(SUMS)}
    return {}


def put_posts(streams, first, last):
    for table in TABLES:
        streams.put(table, [(ind, wire(table, ind)) for ind in range(first, last)])


@pytest.fixture(scope="module")
def survivor(start, streams, warehouse):
    """A driver whose predecessor died between PostgreSQL's commit and Spark's."""
    put_posts(streams, 0, POSTS)
    streams.put("pin", [(7, wire("pin", 7, title="sent again"))])
    streams.put("pin", [(7, data) for data in BAD.values()])
    streams.put("pin", [(7, MEBIBYTE)])
    first = start(die_after={"stream_pin": 2})
    code, _ = first.wait()
    assert code == -signal.SIGKILL, first.log.read_text()[-3000:]
    assert counted(warehouse)["stream_pin"][0] < streams.count("pin")
    return SimpleNamespace(start=start, driver=start())


def test_a_driver_killed_between_the_two_commits_loses_and_doubles_nothing(survivor, streams, warehouse):
    expected = {table: streams.count(table) for table in TABLES}
    assert expected == {"pin": POSTS + 7, "geo": POSTS, "user": POSTS}

    sums = read_until(
        lambda: counted(warehouse),
        lambda found: all(found.get(f"stream_{table}", [0])[0] >= expected[table] for table in TABLES),
        seconds=120,
    )

    assert sums == {
        "stream_pin": [POSTS + 7, POSTS, 1, 6], "stream_geo": [POSTS, POSTS, 0, 0], "stream_user": [POSTS, POSTS, 0, 0],
    }  # fmt: skip
    for table in ("pin", "geo", '"user"', "post"):
        assert warehouse.one(f"SELECT count(*) FROM stream.{table}") == POSTS
    assert warehouse.one("SELECT title FROM stream.post WHERE ind = 7") == "sent again"
    assert warehouse.one("SELECT count(DISTINCT checkpoint_id) FROM stream.progress") == 3


def test_bad_records_are_in_quarantine_with_shard_and_sequence_number(survivor, streams, warehouse):
    found = warehouse.rows("SELECT reject_reason, payload, stream, shard_id, sequence_number FROM stream.quarantine")

    kept = sorted((reason, payload.encode()) for reason, payload, *_ in found)
    assert kept == sorted([*BAD.items(), ("unparsable JSON", MEBIBYTE)])
    for _, payload, stream, shard, sequence in found:
        iterator = streams.kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard, ShardIteratorType="AT_SEQUENCE_NUMBER",
            StartingSequenceNumber=str(sequence),
        )["ShardIterator"]  # fmt: skip
        [record] = streams.kinesis.get_records(ShardIterator=iterator, Limit=1)["Records"]
        assert record["Data"].decode() == payload


def test_kinesis_killed_mid_stream_costs_no_record(survivor, streams, warehouse):
    put_posts(streams, POSTS, 2 * POSTS)
    os.kill(int(KINESIS_PID.read_text()), signal.SIGKILL)
    read_until(streams.answers, bool, seconds=60)
    put_posts(streams, 2 * POSTS, 3 * POSTS)

    sums = read_until(lambda: counted(warehouse), arrived(3 * POSTS), seconds=120)

    assert sums["stream_pin"] == [streams.count("pin"), 3 * POSTS, 1, 6]
    assert sums["stream_user"] == [streams.count("user"), 3 * POSTS, 0, 0]


def test_the_python_workers_of_spark_killed_mid_stream_cost_no_record(survivor, streams, warehouse):
    put_posts(streams, 3 * POSTS, 4 * POSTS)
    workers = survivor.driver.workers()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    put_posts(streams, 4 * POSTS, 5 * POSTS)

    died = survivor.driver
    code, _ = died.wait()  # it ends, for its watcher to start it again
    survivor.driver = survivor.start()
    sums = read_until(lambda: counted(warehouse), arrived(5 * POSTS), seconds=120)

    assert len(workers) >= len(TABLES)
    assert code == 1
    assert re.search(r"stream_\w+ failed, the other queries were stopped\. \w{5}", died.log.read_text())
    assert sums["stream_pin"] == [streams.count("pin"), 5 * POSTS, 1, 6]
    assert sums["stream_geo"] == [streams.count("geo"), 5 * POSTS, 0, 0]


def test_postgresql_killed_mid_stream_costs_no_row_and_a_stop_ends_the_run_well(survivor, streams, warehouse):
    put_posts(streams, 5 * POSTS, 6 * POSTS)
    os.kill(postmaster(), signal.SIGKILL)
    put_posts(streams, 6 * POSTS, 7 * POSTS)

    sums = read_until(lambda: counted(warehouse), arrived(7 * POSTS), seconds=120)

    assert sums["stream_pin"] == [7 * POSTS + 7, 7 * POSTS, 1, 6]
    assert warehouse.one("SELECT count(*) FROM stream.post") == 7 * POSTS
    warehouse.rows("INSERT INTO stream.control (query, stop_requested_at) VALUES ('all', now()) RETURNING query")
    code, result = survivor.driver.wait()
    assert code == 0, survivor.driver.log.read_text()[-3000:]
    assert result["stage"] == "stream"
    assert result["tables"]["geo"]["records"] >= 2 * POSTS


def arrived(posts):
    """Return a predicate on the sums: each query has written so many rows."""
    return lambda found: len(found) == len(TABLES) and all(rows >= posts for _, rows, _, _ in found.values())


def postmaster():
    """Return the process id of the server."""
    return int((TEST_HOME / "pids" / "postgres.pid").read_text())
