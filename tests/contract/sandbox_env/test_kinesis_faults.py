"""The fault proxy before Kinesis: each fault reaches boto3 as the service's own, and touches nothing else."""

import json
import time
from urllib.error import HTTPError

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.support.kinesis import client_of, create, put, read

THROTTLED = "ProvisionedThroughputExceededException"


@pytest.fixture(scope="module")
def direct(stand_ins):
    return client_of(stand_ins("kinesis"))


@pytest.fixture(scope="module")
def stream(direct):
    name = create(direct)
    yield name
    direct.delete_stream(StreamName=name)


@pytest.fixture
def arrived(direct, stream):
    """Return a function that tells what reached Kinesis since the test began."""
    earlier = len(read(direct, stream))
    return lambda: sorted(text for _, _, text in read(direct, stream)[earlier:])


@pytest.fixture(scope="module")
def client(stand_ins, kinesis_fault_proxy):
    return client_of(stand_ins("kinesis"), kinesis_fault_proxy.url)


def put_letters(client, stream, letters):
    records = [{"Data": letter.encode(), "PartitionKey": letter} for letter in letters]
    return client.put_records(StreamName=stream, Records=records)


def test_without_a_rule_it_is_kinesis(client, direct, stream, arrived, kinesis_faults):
    put(client, stream, ["a", "b"])

    assert arrived() == ["a", "b"]
    assert read(client, stream) == read(direct, stream)
    assert kinesis_faults.fired() == []


@pytest.mark.parametrize(
    ("choice", "failing"),
    [
        pytest.param({"indexes": [0, 4]}, "ae", id="by-index"),
        pytest.param({"every": 2}, "bd", id="every-second"),
        pytest.param({"partition_keys": ["c"]}, "c", id="by-partition-key"),
        pytest.param({"every": 1}, "abcde", id="all"),
    ],
)
@pytest.mark.parametrize("code", [THROTTLED, "InternalFailure"])
def test_chosen_records_fail_in_their_places_and_only_the_others_arrive(
    client, stream, arrived, kinesis_faults, choice, failing, code
):
    kinesis_faults.set({"kind": "fail_records", "code": code, **choice})

    answer = put_letters(client, stream, "abcde")

    assert answer["FailedRecordCount"] == len(failing)
    codes = {letter: result.get("ErrorCode") for letter, result in zip("abcde", answer["Records"], strict=True)}
    assert codes == {letter: code if letter in failing else None for letter in "abcde"}
    assert all(r["ErrorMessage"] if "ErrorCode" in r else r["SequenceNumber"] for r in answer["Records"])
    assert arrived() == sorted(set("abcde") - set(failing))
    assert kinesis_faults.fired() == [{"operation": "PutRecords", "kind": "fail_records"}]


def test_a_rule_applies_as_often_as_it_says(client, stream, kinesis_faults):
    kinesis_faults.set({"kind": "fail_records", "indexes": [0], "times": 2})

    failed = [put_letters(client, stream, "ab")["FailedRecordCount"] for _ in range(4)]

    assert failed == [1, 1, 0, 0]


def test_records_that_a_rule_does_not_choose_do_not_use_it_up(client, stream, kinesis_faults):
    kinesis_faults.set({"kind": "fail_records", "partition_keys": ["z"]})

    failed = [put_letters(client, stream, letters)["FailedRecordCount"] for letters in ("ab", "az", "az")]

    assert failed == [0, 1, 0]


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [
        pytest.param({"kind": "throttle"}, 400, THROTTLED, id="throttled"),
        pytest.param({"kind": "throttle", "code": "LimitExceededException"}, 400, "LimitExceededException", id="limit"),
        pytest.param({"kind": "error"}, 500, "InternalFailure", id="internal"),
        pytest.param({"kind": "expired_iterator"}, 400, "ExpiredIteratorException", id="expired"),
    ],
)
def test_a_refused_call_is_the_services_own_refusal(client, stream, arrived, kinesis_faults, rule, status, code):
    kinesis_faults.set(rule)

    with pytest.raises(ClientError) as refused:
        put(client, stream, ["a"])

    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert arrived() == []
    put(client, stream, ["a"])


def test_boto3_tries_again_what_the_service_asks_it_to(stand_ins, stream, kinesis_faults):
    environment = stand_ins("kinesis")
    patient = boto3.session.Session(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]).client(
        "kinesis", endpoint_url=kinesis_faults.url, region_name=environment["AWS_DEFAULT_REGION"]
    )
    kinesis_faults.set({"kind": "throttle"}, {"kind": "cut", "operation": "PutRecords"})

    put(patient, stream, ["a"])

    assert [fault["kind"] for fault in kinesis_faults.fired()] == ["throttle", "cut"]


def test_only_the_named_operation_fails(client, stream, kinesis_faults):
    kinesis_faults.set({"kind": "throttle", "operation": "GetRecords"})
    put(client, stream, ["a"])

    with pytest.raises(ClientError, match="Rate exceeded"):
        read(client, stream)

    assert kinesis_faults.fired() == [{"operation": "GetRecords", "kind": "throttle"}]


def test_a_delayed_call_arrives_late(client, stream, arrived, kinesis_faults):
    kinesis_faults.set({"kind": "delay", "seconds": 0.7})
    began = time.monotonic()

    put(client, stream, ["a"])

    assert time.monotonic() - began >= 0.7
    assert arrived() == ["a"]


@pytest.mark.parametrize(("when", "texts"), [("before", []), ("after", ["a"])])
def test_a_cut_connection_says_nothing_of_what_was_done(client, stream, arrived, kinesis_faults, when, texts):
    kinesis_faults.set({"kind": "cut", "when": when})

    with pytest.raises(ConnectionClosedError):
        put(client, stream, ["a"])

    assert arrived() == texts
    put(client, stream, ["b"])


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        pytest.param({"kind": "explode"}, "fail_records, throttle", id="kind"),
        pytest.param({"kind": "cut", "wen": "after"}, "no wen", id="field"),
        pytest.param({"kind": "cut", "when": "during"}, "not 'during'", id="when"),
        pytest.param({"kind": "fail_records"}, "needs indexes", id="no-choice"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(kinesis_faults, rule, complaint):
    with pytest.raises(HTTPError) as refused:
        kinesis_faults.set(rule)

    assert refused.value.code == 400
    assert complaint in json.load(refused.value)["message"]
