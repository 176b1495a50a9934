"""The hook on stubbed botocore clients: paging, and what each refusal of the service means."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.kinesis.backlog import ReadUpTo
from pinterest_pipeline.kinesis.hook import KinesisStreamHook
from pinterest_pipeline.kinesis.model import Shard, StreamRecord

SUMMARY = {
    "StreamName": "s", "StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s", "StreamStatus": "ACTIVE",
    "RetentionPeriodHours": 24, "StreamCreationTimestamp": datetime(2026, 1, 1, tzinfo=UTC), "EnhancedMonitoring": [],
    "OpenShardCount": 2,
}  # fmt: skip


@pytest.fixture
def hook(monkeypatch):
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return KinesisStreamHook(aws_conn_id=None)


@pytest.fixture
def kinesis(hook):
    with Stubber(hook.conn) as stub:
        yield stub
        stub.assert_no_pending_responses()


def shard(number, *, ending=None):
    ends = {"EndingSequenceNumber": ending} if ending else {}
    return {
        "ShardId": f"shard-{number}", "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "9"},
        "SequenceNumberRange": {"StartingSequenceNumber": "1", **ends},
    }  # fmt: skip


def test_a_description_has_the_tags_of_every_page(hook, kinesis):
    kinesis.add_response("describe_stream_summary", {"StreamDescriptionSummary": SUMMARY}, {"StreamName": "s"})
    first = {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b"}], "HasMoreTags": True}
    kinesis.add_response("list_tags_for_stream", first, {"StreamName": "s"})
    last = {"Tags": [{"Key": "c", "Value": "3"}], "HasMoreTags": False}
    kinesis.add_response("list_tags_for_stream", last, {"StreamName": "s", "ExclusiveStartTagKey": "b"})

    stream = hook.find("s")

    assert (stream.mode, stream.encryption, stream.open_shard_count) == ("PROVISIONED", "NONE", 2)
    assert stream.tags == {"a": "1", "b": "", "c": "3"}


def test_shards_of_every_page_are_listed_open_and_closed(hook, kinesis):
    pages = [
        ({"Shards": [shard(0, ending="5")], "NextToken": "t1"}, {"StreamName": "s"}),
        ({"Shards": [], "NextToken": "t2"}, {"NextToken": "t1"}),
        ({"Shards": [shard(1)]}, {"NextToken": "t2"}),
    ]
    for page, asked in pages:
        kinesis.add_response("list_shards", page, asked)

    assert hook.list_shards("s") == (Shard("shard-0", "1"), Shard("shard-1", "1"))


def test_a_missing_stream_is_none(hook, kinesis):
    kinesis.add_client_error("describe_stream_summary", "ResourceNotFoundException")

    assert hook.find("s") is None


@pytest.mark.parametrize(
    ("code", "status", "kind", "message"),
    [
        (
            "LimitExceededException",
            400,
            PermanentError,
            "at most 10 times in any 24 hours, and only up to the account's",
        ),
        ("ResourceInUseException", 400, TransientError, "update shard count, stream s: ResourceInUseException"),
        ("ThrottlingException", 400, TransientError, "ThrottlingException"),
        ("InternalFailure", 500, TransientError, "InternalFailure"),
        ("503", 503, TransientError, "503"),
        ("AccessDeniedException", 400, PermanentError, "give the role of the AWS connection this right"),
        ("ResourceNotFoundException", 400, PermanentError, "create it"),
        ("ValidationException", 400, PermanentError, "refused with ValidationException"),
    ],
)
def test_each_refusal_says_whether_to_try_again_and_what_to_do(hook, kinesis, code, status, kind, message):
    kinesis.add_client_error("update_shard_count", code, http_status_code=status)

    with pytest.raises(kind, match=message):
        hook.change(
            "update_shard_count", "s", StreamName="s", TargetShardCount=2, ScalingType="UNIFORM_SCALING"
        )  # fmt: skip


def test_arguments_that_botocore_refuses_are_named_in_one_line(hook):
    with pytest.raises(PermanentError, match=r"create stream, stream s: Parameter validation failed: .*ShardCount"):
        hook.change("create_stream", "s", StreamName="s", ShardCount="many")


def test_a_missing_region_is_named_with_the_remedy(monkeypatch):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(
        PermanentError, match="no region: set region_name in the extra of the AWS connection, or AWS_DEF"
    ):
        KinesisStreamHook(aws_conn_id=None).find("s")


def test_no_answer_can_be_asked_again(hook, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:9")

    with pytest.raises(TransientError, match="describing stream s: no answer"):
        KinesisStreamHook(aws_conn_id=None, config={"retries": {"total_max_attempts": 1}}).find("s")


def test_time_outs_and_retries_are_bounded_and_what_the_caller_says_wins():
    config = KinesisStreamHook(aws_conn_id=None, config={"read_timeout": 7}).config

    assert (config.connect_timeout, config.read_timeout) == (5, 7)
    assert config.retries["total_max_attempts"] == 5


ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/theirs"


def test_a_stream_of_another_account_is_named_by_its_arn_in_every_request(hook, kinesis):
    by_arn = {"StreamARN": ARN}
    kinesis.add_response("describe_stream_summary", {"StreamDescriptionSummary": SUMMARY}, by_arn)
    kinesis.add_response("list_tags_for_stream", {"Tags": [], "HasMoreTags": False}, by_arn)
    kinesis.add_response("list_shards", {"Shards": [shard(0)]}, by_arn)
    where = {"ShardId": "shard-0", "ShardIteratorType": "TRIM_HORIZON"}
    kinesis.add_response("get_shard_iterator", {"ShardIterator": "i"}, {**by_arn, **where})
    tip = {"Records": [], "MillisBehindLatest": 0}
    kinesis.add_response("get_records", tip, {**by_arn, "ShardIterator": "i", "Limit": 1})
    hours = {"RetentionPeriodHours": 48}
    kinesis.add_response("increase_stream_retention_period", {}, {**by_arn, **hours})

    hook.find(ARN)
    assert hook.unread(ARN) == ()
    hook.change("increase_stream_retention_period", ARN, StreamName="theirs", **hours)

    kinesis.assert_no_pending_responses()


def test_what_a_record_may_weigh_is_the_streams_own(hook, kinesis):
    summary = {**SUMMARY, "MaxRecordSizeInKiB": 10_240}
    for answer in (summary, SUMMARY):
        kinesis.add_response("describe_stream_summary", {"StreamDescriptionSummary": answer})
        kinesis.add_response("list_tags_for_stream", {"Tags": [], "HasMoreTags": False})

    assert [hook.find("s").max_record_bytes for _ in range(2)] == [10_485_760, 1_048_576]


def test_an_explicit_hash_key_goes_out_with_its_record(hook):
    class Client:
        def put_records(self, **request):
            return request

    sent = hook._put_request(Client(), ARN, [StreamRecord("a", b"1"), StreamRecord("b", b"2", 2**128 - 1)])

    assert sent == {"StreamARN": ARN, "Records": [
        {"Data": b"1", "PartitionKey": "a"},
        {"Data": b"2", "PartitionKey": "b", "ExplicitHashKey": "340282366920938463463374607431768211455"},
    ]}  # fmt: skip


def test_a_large_request_that_is_refused_is_known_to_be_too_large(hook):
    class Client:
        def put_records(self, **_):
            raise ClientError({"Error": {"Code": "InvalidArgumentException", "Message": "m"}}, "PutRecords")

    mebibyte = StreamRecord("a", b"x" * 2**20)

    for count, kind in ((6, "RequestTooLargeError"), (4, "PermanentError")):
        with pytest.raises(PermanentError) as caught:
            hook._put_request(Client(), "s", [mebibyte] * count)
        assert type(caught.value).__name__ == kind


def test_the_iterator_age_is_cloudwatchs_and_only_else_the_shards(hook, kinesis):
    with Stubber(hook._cloudwatch.conn) as cloudwatch:
        age = {"Id": "age", "Timestamps": [datetime.now(UTC)], "Values": [42.0]}
        cloudwatch.add_response("get_metric_data", {"MetricDataResults": [age]})
        assert hook.iterator_age("s", ReadUpTo({}, None)) == (42, "cloudwatch")

        cloudwatch.add_response("get_metric_data", {"MetricDataResults": []})
        assert hook.iterator_age("s") == (None, "nothing")

        cloudwatch.add_response("get_metric_data", {"MetricDataResults": []})
        kinesis.add_response("list_shards", {"Shards": [shard(0)]})
        kinesis.add_response("get_shard_iterator", {"ShardIterator": "i"})
        kinesis.add_response("get_records", {"Records": [], "MillisBehindLatest": 0, "NextShardIterator": "j"})
        assert hook.iterator_age("s", ReadUpTo({}, None)) == (0, "shards")


@pytest.mark.parametrize("in_flight", [0, 17])
def test_requests_in_flight_are_1_to_16(hook, in_flight):
    with pytest.raises(ValueError, match=f"max_in_flight is {in_flight}, expected 1 to 16"):
        hook.put_records("s", [], max_in_flight=in_flight)
