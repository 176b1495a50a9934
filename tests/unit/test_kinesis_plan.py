"""What to do about a stream: every difference, every limit, every mistake in the file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.kinesis.model import StreamDescription
from pinterest_pipeline.kinesis.plan import (
    Await,
    StreamSpec,
    is_same_key,
    next_step,
    read_streams_file,
    require_stream_name,
    scale_path,
    scaling,
)

PROJECT = Path(__file__).resolve().parents[2]
SPEC = StreamSpec("s", shard_count=2, retention_hours=48, key_id="alias/aws/kinesis", tags={"a": "1", "b": "2"})
AS_DECLARED = StreamDescription(
    name="s", arn="arn:s", status="ACTIVE", mode="PROVISIONED", open_shard_count=2, retention_hours=48,
    encryption="KMS", key_id="alias/aws/kinesis", tags={"a": "1", "b": "2", "of-someone-else": "3"},
)  # fmt: skip


def test_what_is_as_declared_is_left_alone_with_the_tags_of_others():
    assert next_step(AS_DECLARED, SPEC) is None


@pytest.mark.parametrize(
    ("seen", "operation", "says", "arguments"),
    [
        pytest.param({"mode": "ON_DEMAND"}, "update_stream_mode", "mode ON_DEMAND -> PROVISIONED",
                     {"StreamARN": "arn:s", "StreamModeDetails": {"StreamMode": "PROVISIONED"}}, id="mode"),
        pytest.param({"open_shard_count": 9}, "update_shard_count", "shards 9 -> 5",
                     {"StreamName": "s", "TargetShardCount": 5, "ScalingType": "UNIFORM_SCALING"}, id="shards"),
        pytest.param({"retention_hours": 24}, "increase_stream_retention_period", "retention 24 h -> 48 h",
                     {"StreamName": "s", "RetentionPeriodHours": 48}, id="longer"),
        pytest.param({"retention_hours": 72}, "decrease_stream_retention_period", "retention 72 h -> 48 h",
                     {"StreamName": "s", "RetentionPeriodHours": 48}, id="shorter"),
        pytest.param({"encryption": "NONE", "key_id": None}, "start_stream_encryption",
                     "encryption with alias/aws/kinesis",
                     {"StreamName": "s", "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}, id="encryption"),
        pytest.param({"key_id": "alias/other"}, "start_stream_encryption", "encryption with alias/aws/kinesis",
                     {"StreamName": "s", "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}, id="another key"),
        pytest.param({"tags": {"a": "1", "b": "0"}}, "add_tags_to_stream", "tags b",
                     {"StreamName": "s", "Tags": {"b": "2"}}, id="tags"),
    ],
)  # fmt: skip
def test_each_difference_is_one_change(seen, operation, says, arguments):
    step = next_step(replace(AS_DECLARED, **seen), SPEC)

    assert (step.operation, step.says, step.arguments) == (operation, says, arguments)


def test_all_differences_are_corrected_one_by_one_in_a_fixed_order():
    stream = replace(
        AS_DECLARED, mode="ON_DEMAND", open_shard_count=1, retention_hours=24, encryption="NONE", key_id=None, tags={}
    )
    changes = [
        {"mode": "PROVISIONED"}, {"open_shard_count": 2}, {"retention_hours": 48},
        {"encryption": "KMS", "key_id": "arn:aws:kms:r:1:alias/aws/kinesis"}, {"tags": SPEC.tags},
    ]  # fmt: skip

    operations = []
    for change in changes:
        operations.append(next_step(stream, SPEC).operation)
        stream = replace(stream, **change)

    assert operations == [
        "update_stream_mode", "update_shard_count", "increase_stream_retention_period", "start_stream_encryption",
        "add_tags_to_stream",
    ]  # fmt: skip
    assert next_step(stream, SPEC) is None


def test_encryption_that_is_not_declared_is_turned_off_with_the_key_that_is_there():
    step = next_step(AS_DECLARED, replace(SPEC, key_id=None))

    assert step.operation == "stop_stream_encryption"
    assert step.arguments == {"StreamName": "s", "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}


@pytest.mark.parametrize(
    ("reported", "is_same"),
    [
        pytest.param("arn:aws:kms:r:1:key/1234-ab", True, id="by its ARN"),
        pytest.param("1234-ab", True, id="by its id"),
        pytest.param("arn:aws:kms:r:1:key/991234-ab", False, id="another id with the same end"),
        pytest.param(None, False, id="none"),
    ],
)
def test_a_key_is_the_same_by_its_id_or_its_arn(reported, is_same):
    assert is_same_key(reported, "1234-ab") is is_same


def test_shards_are_left_alone_where_the_count_is_for_creation_only():
    assert next_step(replace(AS_DECLARED, open_shard_count=9), SPEC, converge_shard_count=False) is None


@pytest.mark.parametrize(
    ("spec", "arguments"),
    [
        pytest.param(StreamSpec("s", shard_count=3, tags={"a": "1"}),
                     {"StreamName": "s", "ShardCount": 3, "StreamModeDetails": {"StreamMode": "PROVISIONED"},
                      "Tags": {"a": "1"}}, id="provisioned"),
        pytest.param(StreamSpec("s", mode="ON_DEMAND", shard_count=None),
                     {"StreamName": "s", "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}, id="on demand"),
    ],
)  # fmt: skip
def test_a_missing_stream_is_created(spec, arguments):
    step = next_step(None, spec)

    assert (step.operation, step.arguments) == ("create_stream", arguments)


@pytest.mark.parametrize(
    ("status", "awaited"),
    [("CREATING", Await.ACTIVE), ("UPDATING", Await.ACTIVE), ("DELETING", Await.DELETED), ("NEW", Await.ACTIVE)],
)
def test_a_busy_stream_is_waited_for(status, awaited):
    assert next_step(replace(AS_DECLARED, status=status, retention_hours=24), SPEC) is awaited


@pytest.mark.parametrize(
    ("current", "target", "path"),
    [
        (2, 2, []), (2, 3, [3]), (2, 4, [4]), (2, 5, [4, 5]), (1, 5, [2, 4, 5]), (4, 3, [3]), (4, 2, [2]),
        (4, 1, [2, 1]), (3, 1, [2, 1]), (5, 2, [3, 2]), (1, 1024, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]),
    ],
)  # fmt: skip
def test_a_call_at_most_doubles_the_shards_or_halves_them(current, target, path):
    assert scale_path(current, target) == path


def test_what_takes_more_than_a_days_calls_is_refused_with_what_today_allows():
    stream = replace(AS_DECLARED, open_shard_count=1)

    assert scaling(stream, 1024).says == "shards 1 -> 2"
    with pytest.raises(PermanentError, match=r"from 1 to 1025 shards takes 11 calls.*ask for 1024 today and for 1025"):
        scaling(stream, 1025)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"shard_count": 0}, "shard_count is 0, expected 1 to 10,000"),
        ({"shard_count": 10_001}, "shard_count is 10001, expected 1 to 10,000"),
        ({"shard_count": True}, "shard_count is True, expected"),
        ({"shard_count": None}, "shard_count is None, expected"),
        ({"mode": "ON_DEMAND"}, "expected none: an ON_DEMAND stream scales itself"),
        ({"mode": "SERVERLESS"}, "mode is 'SERVERLESS', expected ON_DEMAND or PROVISIONED"),
        ({"retention_hours": 23}, "retention_hours is 23, expected 24 to 8,760"),
        ({"retention_hours": 8761}, "retention_hours is 8761, expected 24 to 8,760"),
        ({"tags": {str(n): "" for n in range(51)}}, "51 tags, expected at most 50"),
    ],
)
def test_what_kinesis_would_refuse_is_named(changed, problem):
    [found] = replace(SPEC, **changed).problems()

    assert problem in found


def test_the_limits_themselves_are_allowed():
    for allowed in ({"shard_count": 1}, {"shard_count": 10_000}, {"retention_hours": 24}, {"retention_hours": 8760}):
        assert replace(SPEC, **allowed).problems() == []


def test_a_stream_of_another_account_is_named_by_arn_and_never_created():
    arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/theirs"

    assert require_stream_name(arn) == arn
    with pytest.raises(PermanentError, match=r"Stream arn:.*theirs does not exist"):
        next_step(None, StreamSpec(arn))


@pytest.mark.parametrize(
    "name", ["arn:aws:kinesis:eu-west-1:1:stream/a", "arn:aws:s3:::a", "", "a b", "x" * 129, None, 7, "ä"]
)
def test_a_name_that_kinesis_does_not_take_is_refused(name):
    with pytest.raises(PermanentError, match="expected 1 to 128 of a-z"):
        require_stream_name(name)


def test_the_products_streams_are_pin_geo_and_user_and_a_weekend_without_readers_loses_nothing():
    streams = read_streams_file(PROJECT / "include" / "kinesis" / "streams.json", {"prefix": "p"})

    assert {table: stream.name for table, stream in streams.items()} == {
        table: f"streaming-p-{table}" for table in ("pin", "geo", "user")
    }
    assert min(stream.retention_hours for stream in streams.values()) >= 72


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", "is not JSON", id="not JSON"),
        pytest.param("{}", "declares no stream", id="empty"),
        pytest.param("[]", "declares no stream", id="a list"),
        pytest.param('{"pin": {"name": "${nobody}"}}', "no value for nobody", id="placeholder"),
        pytest.param('{"pin": {"name": "${prefix}", "shards": 2}}', "too many or too few.*shards", id="unknown"),
        pytest.param(
            '{"pin": {"shard_count": 2, "key_id": "${prefix}"}}', "setting too many or too few.*name", id="no name"
        ),
        pytest.param(
            json.dumps({"pin": {"name": "${prefix}", "shard_count": 0}, "geo": {"name": "b", "retention_hours": 1}}),
            "pin: shard_count is 0.*; geo: retention_hours is 1",
            id="all at once",
        ),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path, text, message):
    file = tmp_path / "streams.json"
    file.write_text(text)

    with pytest.raises(PermanentError, match=message):
        read_streams_file(file, {"prefix": "p"})
