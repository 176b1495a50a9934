"""Records put through failing Kinesis: what arrives is read by plain boto3, past the proxy that makes it fail."""

from collections import Counter
from types import SimpleNamespace

import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.kinesis.hook import KinesisStreamHook
from pinterest_pipeline.kinesis.model import StreamRecord
from pinterest_pipeline.kinesis.put_records import KinesisPutRecordsOperator
from pinterest_pipeline.lake.hook import LakeHook
from tests.support.kinesis import KinesisLab

THROTTLED = "ProvisionedThroughputExceededException"


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("kinesis", "ministack", "postgres")


@pytest.fixture
def lab(environment, use_aws, kinesis_faults):
    use_aws({**environment, "AWS_ENDPOINT_URL_KINESIS": kinesis_faults.url})
    lab = KinesisLab(environment)
    lab.create(shards=2)
    yield lab
    lab.delete()


def records(count):
    return [StreamRecord(str(n), b"%d" % n) for n in range(count)]


def arrived(lab):
    return Counter(int(record["Data"]) for record in lab.records())


def test_records_that_fail_are_sent_again_alone_and_in_full_requests(lab, kinesis_faults):
    kinesis_faults.set(
        {"kind": "fail_records", "every": 10, "times": 2},
        {"kind": "fail_records", "every": 7, "code": "InternalFailure", "times": 1},
    )

    result = KinesisStreamHook().put_records(lab.name, records(3000), max_in_flight=2)

    assert arrived(lab) == Counter(range(3000))
    assert (result.records, result.failed_count, result.retried) == (3000, 0, 171)
    assert len(kinesis_faults.fired()) == 3
    assert result.requests == 7
    assert result.sent_records == 3171


def test_ranges_by_shard_are_those_of_the_records_that_arrived(lab, kinesis_faults):
    kinesis_faults.set({"kind": "fail_records", "every": 3})

    result = KinesisStreamHook().put_records(lab.name, records(200))

    numbers = {}
    for record in lab.records():
        numbers.setdefault(record["ShardId"], []).append(record["SequenceNumber"])
    assert {shard: (first, last) for shard, first, last in result.shards} == {
        shard: (min(found, key=int), max(found, key=int)) for shard, found in numbers.items()
    }


@pytest.mark.parametrize(
    ("rule", "copies"),
    [
        pytest.param({"kind": "throttle"}, 1, id="throttled"),
        pytest.param({"kind": "error"}, 1, id="server error"),
        pytest.param({"kind": "cut", "when": "before"}, 1, id="cut before it was done"),
        pytest.param({"kind": "cut", "when": "after"}, 2, id="cut after it was done"),
        pytest.param({"kind": "delay", "seconds": 1.5}, 1, id="slow"),
    ],
)
def test_a_request_without_an_answer_is_sent_again_and_nothing_is_lost(lab, kinesis_faults, rule, copies):
    kinesis_faults.set({"operation": "PutRecords", **rule})

    result = KinesisStreamHook().put_records(lab.name, records(100))

    assert kinesis_faults.fired() == [{"operation": "PutRecords", "kind": rule["kind"]}]
    assert result.records == 100
    assert arrived(lab) == Counter(dict.fromkeys(range(100), copies))


def test_one_that_times_out_is_sent_again_though_it_was_carried_out(lab, kinesis_faults):
    kinesis_faults.set({"operation": "PutRecords", "kind": "delay", "seconds": 3})

    result = KinesisStreamHook(config={"read_timeout": 1}).put_records(lab.name, records(10))

    assert (result.records, result.requests) == (10, 2)
    assert set(arrived(lab)) == set(range(10))


def test_an_outage_ends_in_an_error_that_lets_the_task_try_again(lab, kinesis_faults):
    kinesis_faults.set({"operation": "PutRecords", "kind": "throttle", "times": None})
    with pytest.raises(TransientError, match=f"stream {lab.name}: 10 records got no answer in 3 attempts.*{THROTTLED}"):
        KinesisStreamHook().put_records(lab.name, records(10), max_attempts=3)

    kinesis_faults.set({"kind": "fail_records", "every": 1, "times": None})
    with pytest.raises(TransientError, match=r"partition key 0: Rate.*after 3 attempts.*more shards"):
        KinesisStreamHook().put_records(lab.name, records(10), max_attempts=3)


def test_one_hot_key_that_never_gets_through_does_not_hold_the_others_up(lab, kinesis_faults):
    kinesis_faults.set({"kind": "fail_records", "partition_keys": ["7"], "times": None})
    told = []

    with pytest.raises(TransientError, match="partition key 7: Rate"):
        KinesisStreamHook().put_records(lab.name, records(20), max_attempts=3, on_failed=told.append)

    assert arrived(lab) == Counter(n for n in range(20) if n != 7)
    assert told == []


def test_one_poisoned_record_is_given_up_and_the_others_arrive(lab, kinesis_faults):
    kinesis_faults.set({"kind": "fail_records", "partition_keys": ["19"], "code": "InternalFailure", "times": None})

    result = KinesisStreamHook().put_records(lab.name, records(20), max_attempts=3)

    assert arrived(lab) == Counter(range(19))
    assert [failed.record.partition_key for failed in result.failed] == ["19"]


def test_a_key_that_may_not_be_used_is_permanent_and_says_what_to_change(lab, kinesis_faults):
    kinesis_faults.set({"kind": "fail_records", "every": 1, "code": "KMSAccessDeniedException", "times": None})

    with pytest.raises(PermanentError, match="let the role of the AWS connection use the stream's key"):
        KinesisStreamHook().put_records(lab.name, records(20))


def test_rows_of_a_query_arrive_once_each_and_what_kinesis_refuses_is_kept_in_the_lake(
    lab, environment, kinesis_faults, monkeypatch
):
    kinesis_faults.set({"kind": "fail_records", "every": 4})
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_SOURCE", environment["PINTEREST_SOURCE_URL"])
    operator = KinesisPutRecordsOperator(
        task_id="put", stream_name=lab.name, key_column="ind", dead_letter_bucket=environment["PINTEREST_BUCKET"],
        sql="SELECT CASE n WHEN 5 THEN NULL ELSE n END AS ind, CASE n WHEN 3 THEN repeat('x', 1048576) END AS title"
        " FROM generate_series(0, %(last)s) AS n",
        parameters={"last": 599},
    )  # fmt: skip
    ti = SimpleNamespace(dag_id="d", run_id=lab.name, task_id="put", try_number=1, map_index=-1)

    result = operator.execute({"ti": ti, "ds": "2026-11-25"})

    assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (600, 599, 1)
    found = {record["PartitionKey"]: record["Data"] for record in lab.records()}
    assert len(found) == len(lab.records()) == 599
    assert found["17"] == b'{"ind":17,"title":null}'
    assert set(map(str, range(600))) - set(found) == {"3", "5"}
    assert b'{"ind":null,"title":null}' in found.values()
    hook = LakeHook(environment["PINTEREST_BUCKET"])
    [key] = hook.list_keys(environment["PINTEREST_BUCKET"], prefix=f"dead-letters/{lab.name}/dt=2026-11-25/")
    kept = hook.read_key(key, environment["PINTEREST_BUCKET"])
    assert '"key":"3"' in kept
    assert "record of 1048597 bytes, this stream takes at most 1048576" in kept
    with pytest.raises(PermanentError, match=r"key column 'nobody' is not in the result"):
        KinesisPutRecordsOperator(
            task_id="put", stream_name=lab.name, key_column="nobody", dead_letter_bucket="b", sql="SELECT 1 AS ind"
        ).execute({"ti": ti})
