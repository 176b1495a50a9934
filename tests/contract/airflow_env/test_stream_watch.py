"""One check of a stream through a real warehouse and real Kinesis: the SQL, the shards, and what they amount to."""

import json
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import urlsplit

import boto3
import psycopg
import pytest
from airflow.providers.postgres.hooks.postgres import PostgresHook

from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.databricks.runs import Run, State
from pinterest_pipeline.stream import tables as stream_tables
from pinterest_pipeline.stream.monitor import StreamMonitor, Watched
from pinterest_pipeline.stream.policy import Backlog, LagLimits, Request, StreamState
from tests.support.postgres import create_tables

BATCH = """INSERT INTO stream.progress
(query, checkpoint_id, batch_id, record_count, row_count, duplicate_count, quarantined_count, content_key, committed_at)
VALUES (%s, %s, %s, 1, 1, 0, 0, 'k', now() - make_interval(secs => %s))"""


class World:
    """A stream, its query's rows in the warehouse, and the run that is said to make them."""

    def __init__(self, variables):
        self.name = f"watch-{uuid.uuid4().hex[:8]}"
        self.url = variables["PINTEREST_WAREHOUSE_URL"]
        self.kinesis = boto3.client("kinesis")
        self.state = State("RUNNING")
        self.checkpoint = uuid.uuid4()

    def create_stream(self):
        self.kinesis.create_stream(StreamName=self.name, ShardCount=2)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=self.name, WaiterConfig={"Delay": 1})

    def run(self, run_id):
        return Run(run_id, "r", self.state, "http://page", {}, start_time=time.time() - 100)

    def sql(self, statement, *values):
        with psycopg.connect(self.url) as connection:
            connection.execute(statement, values)

    def commit(self, put, *, batch=0, seconds_ago=0.0):
        """Write what the sink writes of a committed record."""
        self.sql(BATCH, self.name, self.checkpoint, batch, seconds_ago)
        position = "INSERT INTO stream.position VALUES (%s, %s, %s) ON CONFLICT (stream, shard_id) DO UPDATE SET "
        position += "sequence_number = excluded.sequence_number"
        self.sql(position, self.name, put["ShardId"], put["SequenceNumber"])

    def put(self, key="1"):
        return self.kinesis.put_record(StreamName=self.name, PartitionKey=key, Data=b"{}")

    def check(self, stale_after=1.0):
        watched = Watched(1, "job", {self.name: self.name}, stale_after, 10, "d", "pinterest_warehouse", None, None)
        return StreamMonitor(watched, SimpleNamespace(run=self.run)).check(watch_until=time.time() + 60)


@pytest.fixture
def world(stand_ins, use_aws, monkeypatch):
    variables = stand_ins("kinesis", "postgres")
    use_aws(variables)
    url = urlsplit(variables["PINTEREST_WAREHOUSE_URL"])
    connection = {
        "conn_type": "postgres", "host": url.hostname, "port": url.port, "login": url.username,
        "password": url.password, "schema": url.path[1:], "extra": {"connect_timeout": 10},
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_WAREHOUSE", json.dumps(connection))
    found = World(variables)
    create_tables(found.url)
    yield found
    with suppress(found.kinesis.exceptions.ResourceNotFoundException):
        found.kinesis.delete_stream(StreamName=found.name)
    found.sql("DELETE FROM stream.progress WHERE query = %s", found.name)
    found.sql("DELETE FROM stream.position WHERE stream = %s", found.name)
    found.sql("DELETE FROM stream.control WHERE query = 'all'")
    for table in ("data_loss", "lag"):
        found.sql(f"DELETE FROM stream.{table}")


def test_a_record_that_waits_before_a_silent_query_is_stale_and_its_age_the_lag(world):
    world.create_stream()
    world.commit(world.put("1"), seconds_ago=30)
    world.put("2")
    time.sleep(1.5)

    report = world.check()

    assert report.health.state is StreamState.STALE
    assert 1000 < report.lag_ms[world.name] < 20_000
    assert report.progress[world.name].batch_id == 0


def test_a_quiet_stream_whose_shards_are_all_read_is_fine_however_long(world):
    world.create_stream()
    for batch, key in enumerate(("1", "2", "3", "4")):
        world.commit(world.put(key), batch=batch, seconds_ago=9999)

    assert world.check(stale_after=0).health.state is StreamState.HEALTHY


def test_where_nothing_was_ever_committed_the_oldest_record_counts(world):
    world.create_stream()
    assert world.check().health.state is StreamState.HEALTHY
    world.put()
    time.sleep(1.5)

    assert world.check().health.state is StreamState.STALE


def test_the_newest_batch_is_the_one_committed_last_also_of_a_new_checkpoint(world):
    put = {"ShardId": "shard-0", "SequenceNumber": "1"}
    world.commit(put, batch=900, seconds_ago=500)
    world.checkpoint = uuid.uuid4()
    world.commit(put, batch=3)

    row = world.check(stale_after=60).progress[world.name]

    assert row.batch_id == 3
    assert abs((datetime.now(UTC) - row.committed_at).total_seconds()) < 20


def test_requests_are_remembered_and_taken_back(world):
    database = PostgresHook("pinterest_warehouse")
    assert stream_tables.read_control(database) == stream_tables.Control()

    stream_tables.obey(database, Request.STOP, by="ann", reason="r")
    stopped = stream_tables.read_control(database)
    stream_tables.obey(database, Request.PAUSE, by="bob", reason="r")
    paused = stream_tables.read_control(database)
    stream_tables.obey(database, Request.RESTART, by="bob", reason="r")
    restarted = stream_tables.read_control(database)

    assert (stopped.paused_by, stopped.stop_requested_at is None) == ("ann", False)
    assert (paused.paused_at, paused.paused_by) == (stopped.paused_at, "bob")
    assert restarted.paused_at is None
    assert restarted.stop_requested_at > stopped.stop_requested_at


def test_an_end_that_was_asked_for_is_no_death(world):
    world.state = State("TERMINATED", "SUCCESS")
    assert world.check().health.state is StreamState.DEAD

    stream_tables.obey(PostgresHook("pinterest_warehouse"), Request.RESTART, by="ann", reason="r")

    assert world.check().health.state is StreamState.STOPPED


def test_a_warehouse_that_is_away_is_a_passing_trouble(world, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_WAREHOUSE", "postgres://u:p@127.0.0.1:1/x")

    with pytest.raises(TransientError, match=r"reading stream\.control"):
        world.check()


FOUND = (
    "INSERT INTO stream.data_loss (query, found_at, what, lost_from, lost_to) VALUES (%s, now(), 'gone', now(), now())"
)
ROWS = "SELECT query, accepted_by, lost_records, used_at IS NULL FROM stream.data_loss ORDER BY id"


def test_a_loss_is_reported_once_and_accepted_by_table_for_one_launch(world):
    database = PostgresHook("pinterest_warehouse")
    database.run(FOUND, parameters=["stream_pin"])
    [loss] = stream_tables.read_losses(database)
    before = stream_tables.read_troubles(database)
    stream_tables.loss_alarmed(database, loss, 12)
    alarmed = stream_tables.read_troubles(database)

    for user in ("ann", "bob"):
        stream_tables.accept_losses(database, ["stream_pin", "stream_geo"], by=user, reason="r")
    database.run("UPDATE stream.data_loss SET used_at = now() WHERE query = 'stream_pin'")
    database.run(FOUND, parameters=["stream_pin"])

    assert [(one.query, one.state, one.is_news) for one in before] == [("stream_pin", "records lost", True)]
    assert [one.is_news for one in alarmed] == [False]
    assert database.get_records(ROWS) == [
        ("stream_pin", "bob", 12, False), ("stream_geo", "bob", None, True), ("stream_pin", None, None, True),
    ]  # fmt: skip
    assert [one.is_news for one in stream_tables.read_troubles(database)] == [True]


def test_the_lag_of_a_query_is_one_row_and_its_alarm_comes_again_once_it_has_caught_up(world):
    database = PostgresHook("pinterest_warehouse")

    def write(hours):
        backlog = Backlog("stream_pin", "s", hours * 3_600_000, 72, "shards")
        stream_tables.write_lag(database, [backlog], LagLimits(300, 0.5))
        news = stream_tables.lags_to_alarm(database)
        for query in news:
            stream_tables.lag_alarmed(database, query)
        return news

    assert [write(hours) for hours in (1, 40, 41, 2, 50)] == [[], ["stream_pin"], [], [], ["stream_pin"]]
    assert database.get_records("SELECT level, lag_ms, hours_left FROM stream.lag") == [("at risk", 180_000_000, 22)]
    assert [one.state for one in stream_tables.read_troubles(database)] == ["at risk"]
