"""Kinesis in the sandbox, driven by boto3: what the pipeline relies on, and what a kill -9 must not take away."""

import contextlib
import os
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.groups import TEST_HOME
from tests.support.kinesis import active, client_of, create, put, read, texts_in
from tests.support.waiting import wait_until

PID_FILE = TEST_HOME / "pids" / "kinesis.pid"
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def client(stand_ins):
    client = client_of(stand_ins("kinesis"))
    yield client
    for page in client.get_paginator("list_streams").paginate():
        for name in page["StreamNames"]:
            if name.startswith("test-"):
                client.delete_stream(StreamName=name, EnforceConsumerDeletion=True)


@pytest.fixture(scope="module")
def stream(client):
    return create(client)


def kill_and_wait(client):
    os.kill(int(PID_FILE.read_text()), signal.SIGKILL)

    def answers():
        with contextlib.suppress(BotoCoreError):
            return client.list_streams()

    wait_until(answers, 60, "Kinesis answers again")


def test_a_stream_is_created_described_and_deleted(client):
    name = create(client, ShardCount=2)

    described = active(client, name)
    assert (described["OpenShardCount"], described["RetentionPeriodHours"]) == (2, 24)
    assert described["StreamARN"].endswith(f":stream/{name}")
    with pytest.raises(ClientError, match="ResourceInUseException"):
        client.create_stream(StreamName=name, ShardCount=2)

    client.delete_stream(StreamName=name)
    client.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.describe_stream_summary(StreamName=name)


def test_a_delete_that_was_refused_deletes_nothing_that_comes_after_it(client):
    name = f"test-{uuid.uuid4().hex[:12]}"
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.delete_stream(StreamName=name)
    client.create_stream(StreamName=name, ShardCount=1)
    arn = active(client, name)["StreamARN"]
    client.register_stream_consumer(StreamARN=arn, ConsumerName="reader")
    with pytest.raises(ClientError, match="ResourceInUseException"):
        client.delete_stream(StreamName=name)
    time.sleep(0.3)  # kinesis-local deletes 100 ms after its answer
    assert active(client, name)["ConsumerCount"] == 1

    client.delete_stream(StreamARN=arn, EnforceConsumerDeletion=True)
    with pytest.raises(ClientError, match=r"ResourceInUseException|ResourceNotFoundException"):
        client.delete_stream(StreamName=name)
    client.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    with ThreadPoolExecutor(4) as callers:
        refused = [callers.submit(client.delete_stream, StreamName=name) for _ in range(4)]
    assert all("ResourceNotFoundException" in str(call.exception()) for call in refused)
    client.create_stream(StreamName=name, ShardCount=1)
    time.sleep(0.3)

    assert active(client, name)["ConsumerCount"] == 0


def test_a_stream_changes_its_mode(client):
    name = create(client, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    stream = active(client, name)
    assert stream["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}

    client.update_stream_mode(StreamARN=stream["StreamARN"], StreamModeDetails={"StreamMode": "PROVISIONED"})

    assert active(client, name)["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}


def test_records_come_back_in_the_order_they_were_put(client, stream):
    results = put(client, stream, [f"in-order-{number:03}" for number in range(500)])

    found = [(number, text) for _, number, text in read(client, stream) if text.startswith("in-order")]
    assert [text for _, text in found] == [f"in-order-{number:03}" for number in range(500)]
    assert [number for number, _ in found] == [result["SequenceNumber"] for result in results]


@pytest.mark.parametrize(("size", "accepted"), [(MEBIBYTE - 1, True), (MEBIBYTE, True), (MEBIBYTE + 1, False)])
def test_a_record_has_at_most_a_mebibyte(client, stream, size, accepted):
    expected = contextlib.nullcontext() if accepted else pytest.raises(ClientError, match="exceeds")
    with expected:
        client.put_record(StreamName=stream, Data=b"x" * size, PartitionKey="large")


@pytest.mark.parametrize(("count", "accepted"), [(499, True), (500, True), (501, False)])
def test_a_put_has_at_most_five_hundred_records(client, stream, count, accepted):
    expected = contextlib.nullcontext() if accepted else pytest.raises(ClientError, match="ValidationException")
    with expected:
        put(client, stream, map(str, range(count)))


@pytest.mark.parametrize(("spare", "accepted"), [(1, True), (0, True), (-1, False)])
def test_a_put_has_at_most_ten_mebibytes_of_data_and_keys(client, stream, spare, accepted):
    records = [{"Data": b"x" * (MEBIBYTE - 1), "PartitionKey": "k"} for _ in range(10)]
    records[0]["Data"] = b"x" * (MEBIBYTE - 1 - max(spare, 0))
    records[1]["PartitionKey"] = "k" * (1 - min(spare, 0))
    expected = contextlib.nullcontext() if accepted else pytest.raises(ClientError, match="InvalidArgumentException")
    with expected:
        assert client.put_records(StreamName=stream, Records=records)["FailedRecordCount"] == 0


def test_resharding_keeps_lineage_and_every_record_once(client):
    name = create(client, ShardCount=2)
    texts = [f"{number:04}" for number in range(600)]
    put(client, name, texts[:200])
    client.update_shard_count(StreamName=name, TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    assert active(client, name)["OpenShardCount"] == 4
    put(client, name, texts[200:400])
    client.update_shard_count(StreamName=name, TargetShardCount=3, ScalingType="UNIFORM_SCALING")
    assert active(client, name)["OpenShardCount"] == 3
    put(client, name, texts[400:])

    shards = {shard["ShardId"]: shard for shard in client.list_shards(StreamName=name)["Shards"]}
    open_shards = [s for s in shards.values() if "EndingSequenceNumber" not in s["SequenceNumberRange"]]
    parents = {p for s in shards.values() for p in (s.get("ParentShardId"), s.get("AdjacentParentShardId")) if p}
    assert len(open_shards) == 3
    assert parents == set(shards) - {shard["ShardId"] for shard in open_shards}
    assert texts_in(client, name) == texts


def test_the_end_of_a_closed_shard_names_its_children(client):
    name = create(client, ShardCount=1)
    put(client, name, ["a"])
    client.update_shard_count(StreamName=name, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    active(client, name)

    parent, *children = sorted(shard["ShardId"] for shard in client.list_shards(StreamName=name)["Shards"])
    first = client.get_shard_iterator(StreamName=name, ShardId=parent, ShardIteratorType="TRIM_HORIZON")
    answer = client.get_records(ShardIterator=first["ShardIterator"])

    assert [record["Data"] for record in answer["Records"]] == [b"a"]
    assert "NextShardIterator" not in answer
    assert sorted(child["ShardId"] for child in answer["ChildShards"]) == children
    assert {tuple(child["ParentShards"]) for child in answer["ChildShards"]} == {(parent,)}


def test_retention_tags_and_encryption_are_kept(client):
    name = create(client)
    client.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    active(client, name)
    client.add_tags_to_stream(StreamName=name, Tags={"owner": "data", "tier": "gold"})
    client.remove_tags_from_stream(StreamName=name, TagKeys=["tier"])
    client.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId="alias/aws/kinesis")

    described = active(client, name)
    assert described["RetentionPeriodHours"] == 48
    assert (described["EncryptionType"], described["KeyId"]) == ("KMS", "alias/aws/kinesis")
    assert client.list_tags_for_stream(StreamName=name)["Tags"] == [{"Key": "owner", "Value": "data"}]


def test_it_listens_on_loopback_only(client):
    server = psutil.Process(int(PID_FILE.read_text()))
    processes = [server, *server.children(recursive=True)]
    listening = [c.laddr.ip for p in processes for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]

    assert len(listening) == 3  # its two, and the door before them
    assert set(listening) == {"127.0.0.1"}


def test_a_kill_takes_no_record_no_number_and_no_setting(client):
    name = create(client, ShardCount=2)
    put(client, name, [f"before-{number}" for number in range(50)])
    client.update_shard_count(StreamName=name, TargetShardCount=3, ScalingType="UNIFORM_SCALING")
    active(client, name)
    client.add_tags_to_stream(StreamName=name, Tags={"owner": "data"})
    last = put(client, name, [f"after-{number}" for number in range(50)])[-1]
    known, settings = read(client, name), active(client, name)
    shards = client.list_shards(StreamName=name)["Shards"]

    kill_and_wait(client)

    assert read(client, name) == known
    assert len(known) == 100
    assert active(client, name) == settings
    assert client.list_shards(StreamName=name)["Shards"] == shards
    assert client.list_tags_for_stream(StreamName=name)["Tags"] == [{"Key": "owner", "Value": "data"}]
    iterator = client.get_shard_iterator(
        StreamName=name,
        ShardId=last["ShardId"],
        ShardIteratorType="AFTER_SEQUENCE_NUMBER",
        StartingSequenceNumber=last["SequenceNumber"],
    )["ShardIterator"]
    again = client.put_record(StreamName=name, Data=b"later", PartitionKey="after-49")
    assert int(again["SequenceNumber"]) > int(last["SequenceNumber"])
    assert [record["Data"] for record in client.get_records(ShardIterator=iterator)["Records"]] == [b"later"]


def test_a_kill_right_after_an_answer_does_not_undo_it(client):
    doomed = create(client)
    client.delete_stream(StreamName=doomed)
    created = create(client)
    client.increase_stream_retention_period(StreamName=created, RetentionPeriodHours=48)

    kill_and_wait(client)

    assert active(client, created)["RetentionPeriodHours"] == 48
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.describe_stream_summary(StreamName=doomed)


def test_a_kill_under_load_takes_nothing_that_was_acknowledged(client):
    name = create(client, ShardCount=2)
    acknowledged, is_back = [], Event()

    def write(writer):
        for number in count():
            if is_back.is_set():  # else a writer that was between two requests would go on for a minute
                return
            try:
                acknowledged.extend(put(client, name, [f"{writer}-{number}-{record}" for record in range(20)]))
            except BotoCoreError:
                return

    with ThreadPoolExecutor(3) as writers:
        running = [writers.submit(write, writer) for writer in range(3)]
        try:
            wait_until(lambda: len(acknowledged) >= 500, 60, "500 records are acknowledged", pause=0.01)
            kill_and_wait(client)
        finally:
            is_back.set()
    for writer in running:
        writer.result()

    found = [number for _, number, _ in read(client, name)]
    assert len(found) == len(set(found))
    assert {result["SequenceNumber"] for result in acknowledged} <= set(found)
