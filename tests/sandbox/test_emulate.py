"""``sandbox emulate`` against real Kinesis and PostgreSQL stand-ins, counted by a consumer of its own."""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from hashlib import md5
from uuid import uuid4

import pytest

from sandbox.data import emulate, emulate_senders, kpl
from sandbox.data.source.generator import generate
from sandbox.data.source.load import seed
from sandbox.data.source.schema import TABLES, wire_object
from sandbox.run.settings import PROJECT, SandboxError, Settings
from sandbox.servers.ministack import client
from tests.support.groups import TEST_HOME
from tests.support.kinesis import active
from tests.support.kinesis import records_of as records_in
from tests.support.waiting import wait_until

sys.path.append(str(PROJECT / "include" / "spark"))
from pinterest_spark.kinesis.aggregate import sub_records

POSTS = 60


@pytest.fixture(scope="module")
def settings(stand_ins):
    stand_ins("postgres", "kinesis")
    return Settings.load(TEST_HOME)


@pytest.fixture
def streams(settings, monkeypatch):
    """The three streams, empty and this test's own."""
    monkeypatch.setattr(emulate_senders, "TOPIC_PREFIX", f"test-{uuid4().hex[:8]}")
    kinesis = client(settings, "kinesis")
    names = {table: emulate_senders.stream_name(table) for table in TABLES}
    for name in names.values():
        kinesis.create_stream(StreamName=name, ShardCount=2)
    for name in names.values():
        active(kinesis, name)
    yield names
    for name in names.values():
        kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)


@pytest.fixture
def source(empty_database, monkeypatch):
    monkeypatch.setattr(Settings, "postgres_url", lambda self, database: empty_database)
    return empty_database


def options(*given):
    parser = argparse.ArgumentParser()
    emulate.add_arguments(parser)
    return parser.parse_args(["--rate", "1000", *given])


def records_of(settings, name):
    kinesis = client(settings, "kinesis")
    found = []
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=1000)
            found += [(record["PartitionKey"], record["Data"]) for record in answer["Records"]]
            iterator = answer["NextShardIterator"]
            if not answer["MillisBehindLatest"]:
                break
    return found


def test_every_row_is_in_its_stream_once_keyed_by_its_post(settings, streams, source, capsys):
    seed(source, "faithful", POSTS, 7)

    assert emulate.run(options("--count", "1000"), settings) == 0

    posts = list(generate("faithful", POSTS, 7))
    for place, table in enumerate(TABLES):
        expected = {str(post[place][0]): wire_object(table, post[place]) for post in posts}
        found = records_of(settings, streams[table])
        assert len(found) == POSTS
        assert {key: json.loads(data) for key, data in found} == expected
    said = capsys.readouterr().out
    assert "60 posts" in said
    assert "every post of the source has been sent" in said


def test_duplicates_and_malformed_are_all_there_and_all_remembered(settings, streams, source):
    seed(source, "hard", POSTS, 7)
    kinesis = emulate_senders.KinesisSender(settings)
    plan = emulate.plan_of(options("--duplicates", "0.2", "--malformed", "0.2", "--late", "0.1", "--reorder", "9"))

    done = emulate.emulate(settings, plan, threading.Event(), kinesis=kinesis).summary()

    put = {table: len(records_of(settings, name)) for table, name in streams.items()}
    assert put == done["put"] == Counter(put.table for put in kinesis.acknowledged)
    assert sum(put.values()) == 3 * POSTS + done["duplicates"] + sum(done["malformed"].values())
    assert done["duplicates"] > 10
    assert len({(p.table, p.sequence_number) for p in kinesis.acknowledged}) == len(kinesis.acknowledged)


def test_aggregates_hold_every_record_in_the_shard_that_its_own_key_has(settings, streams, source):
    seed(source, "faithful", POSTS, 7)
    kinesis = emulate_senders.KinesisSender(settings, aggregate=7)

    emulate.emulate(settings, emulate.plan_of(options()), threading.Event(), kinesis=kinesis)

    for table, name in streams.items():
        shards = kpl.open_shards(kinesis.kinesis, name)
        keys = []
        for one in records_in(kinesis.kinesis, name):
            held = sub_records(one["Data"])
            assert 1 <= len(held) <= 7
            keys += [key for key, _ in held]
            assert {kpl.shard_of(shards, key).shard_id for key, _ in held} == {one["ShardId"]}
        assert sorted(keys, key=int) == [str(post) for post in range(POSTS)], table
    assert len(kinesis.acknowledged) == 3 * POSTS


@pytest.mark.parametrize(
    ("records", "made_by_the_library"),
    [
        ([("a", b'{"ind": 1}')], "19a5d075c85793f74afd8d5914002d35"),
        ([("a", b"1"), ("b", b"2"), ("a", b"3")], "d70dd0b2f61529ce48b3cdde59855afb"),
        ([("kéy", b"\xff\xfe\x00"), ("kéy", b"")], "328825cc725a0daddc1ef294b46233ef"),
        ([(f"key-{n}", b"x" * (n + 1)) for n in range(300)], "043a92ccaa990451f382fb86ef3236fc"),
    ],
    ids=["one record", "two keys", "bytes", "lengths of two bytes"],
)
def test_aggregates_are_byte_for_byte_those_of_aws_kinesis_agg(records, made_by_the_library):
    made = kpl.aggregate(records)

    assert md5(made, usedforsecurity=False).hexdigest() == made_by_the_library  # of its version 1.2.3
    assert sub_records(made) == records


def test_going_on_where_a_run_ended_sends_the_rest(settings, streams, source, capsys):
    seed(source, "faithful", POSTS, 7)

    emulate.run(options("--count", "25"), settings)
    assert "--start 25" in capsys.readouterr().out
    emulate.run(options("--start", "25"), settings)

    keys = Counter(key for key, _ in records_of(settings, streams["geo"]))
    assert keys == Counter(map(str, range(POSTS)))


def test_interrupted_it_ends_cleanly_and_says_how_to_go_on(settings, streams, source):
    seed(source, "faithful", POSTS, 7)
    script = f"""
import sys
from pathlib import Path
from sandbox.data import emulate, emulate_senders, kpl
from sandbox.__main__ import main
from sandbox.run.settings import Settings
emulate_senders.TOPIC_PREFIX = {emulate_senders.TOPIC_PREFIX!r}
Settings.postgres_url = lambda self, database: {source!r}
sys.exit(main(["emulate", "--rate", "5"]))
"""
    environment = {**os.environ, "PINTEREST_SANDBOX_HOME": str(TEST_HOME), "PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    wait_until(lambda: records_of(settings, streams["pin"]), 60, "a record is put", pause=0.2)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)

    sent = len(records_of(settings, streams["user"]))
    assert process.returncode == 0
    assert f"stopped; go on with the same --seed and --mode and --start {sent}\n" in said
    assert 0 < sent < POSTS


def test_missing_streams_are_named_with_the_dag_that_makes_them(settings, source, monkeypatch):
    monkeypatch.setattr(emulate_senders, "TOPIC_PREFIX", "nowhere")

    with pytest.raises(SandboxError, match=r"no stream streaming-nowhere-pin: unpause DAG pinterest_kinesis_streams"):
        emulate.run(options(), settings)


def test_an_empty_source_is_named_with_the_command_that_fills_it(settings, streams, source):
    with pytest.raises(SandboxError, match="no posts: load some with `python -m sandbox seed`"):
        emulate.run(options(), settings)


def test_servers_out_of_reach_are_named(tmp_path, settings, streams):
    secrets = settings.secrets
    nowhere = Settings(home=tmp_path, ports={**settings.ports, "kinesis": 1}, secrets=secrets)
    with pytest.raises(SandboxError, match="Kinesis on port 1 does not answer"):
        emulate.run(options(), nowhere)

    nowhere = Settings(home=tmp_path, ports={**settings.ports, "postgres": 1}, secrets=secrets)
    with pytest.raises(SandboxError, match="PostgreSQL on port 1 said"):
        emulate.run(options(), nowhere)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        pytest.param(["--rate", "0"], "rate is 0.0, expected more than 0", id="rate 0"),
        pytest.param(["--rate", "-1"], "rate is -1.0", id="rate below 0"),
        pytest.param(["--count", "0"], "count is 0, expected 1 or more", id="no posts"),
        pytest.param(["--duplicates", "1.5"], "duplicates is 1.5, expected 0 to 1", id="duplicates"),
    ],
)
def test_numbers_out_of_range_end_with_one_line(settings, given, complaint):
    with pytest.raises(SandboxError, match=complaint):
        emulate.run(options(*given), settings)


def test_without_a_sandbox_it_says_how_to_start_one(tmp_path, monkeypatch, capsys):
    from sandbox.__main__ import main

    monkeypatch.setenv("PINTEREST_SANDBOX_HOME", str(tmp_path / "none"))

    assert main(["emulate"]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert "start one with `python -m sandbox up`" in line
