"""The Kinesis source in real Structured Streaming queries: every record once, whatever happens to the query."""

import time
from threading import Thread
from typing import Any

import pytest
from pyspark.errors import AnalysisException, StreamingQueryException

from pinterest_spark.kinesis.source import register
from sandbox.data.kpl import aggregate
from tests.support.kinesis import KinesisLab
from tests.support.kinesis_source import SourceLab

COLUMNS = [
    ("partitionKey", "string"), ("data", "binary"), ("stream", "string"), ("shardId", "string"),
    ("sequenceNumber", "string"), ("approximateArrivalTimestamp", "timestamp"),
]  # fmt: skip


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last)]


def by_shard(rows: list[Any]) -> dict[str, list[Any]]:
    """Return the rows of each shard, in the order in which they came."""
    return {shard: [row for row in rows if row.shardId == shard] for shard in {row.shardId for row in rows}}


def test_it_registers_where_the_session_has_no_source_of_that_name(spark: Any) -> None:
    register(spark)
    said: list[bool] = []

    def in_a_session_of_its_own() -> None:
        session = spark.newSession()
        session.sparkContext._jvm.org.apache.spark.sql.classic.SparkSession.setActiveSession(session._jsparkSession)
        said.extend((register(session), register(session)))

    notebook = Thread(target=in_a_session_of_its_own)
    notebook.start()
    notebook.join()

    assert register(spark) is False
    assert said == [True, False]


def test_the_columns_are_those_of_the_databricks_source(source: SourceLab) -> None:
    assert source.load().dtypes == COLUMNS


def test_aggregates_come_as_the_records_in_them_and_again_when_the_batch_is_done_again(
    source: SourceLab, kinesis: KinesisLab
) -> None:
    held = [(f"key-{number}", b"\xff%d" % number) for number in range(300)]
    kinesis.create(1)
    put = kinesis.put(b"before", aggregate(held), b"after", keys=["a", "b", "c"])

    source.run()
    first = source.rows
    source.lose_commit()
    source.run()

    expected = [("a", b"before"), *held, ("c", b"after")]
    for rows in (first, source.rows):
        assert [(row.partitionKey, bytes(row.data)) for row in rows] == expected
        assert [row.sequenceNumber for row in rows[1:301]] == [put[1]["SequenceNumber"]] * 300
    assert source.last_offset()["shards"][put[0]["ShardId"]]["records"] == 3


def test_every_record_comes_once_and_a_restart_goes_on_behind_the_last(source: SourceLab, kinesis: KinesisLab) -> None:
    kinesis.create(2)
    put = kinesis.put(*numbers(0, 1200))
    put += kinesis.put(b"\x00\xff\xfe binary \r\n", keys=["1"])

    source.run()
    first = source.rows
    put_later = kinesis.put(*numbers(1200, 1300))
    source.run(shardsPerTask="1")

    assert sorted(row.sequenceNumber for row in first) == sorted(one["SequenceNumber"] for one in put)
    assert {row.sequenceNumber: row.shardId for row in first} == {one["SequenceNumber"]: one["ShardId"] for one in put}
    assert [bytes(row.data) for row in first if row.sequenceNumber == put[-1]["SequenceNumber"]] == [
        b"\x00\xff\xfe binary \r\n"
    ]
    assert {row.stream for row in first} == {kinesis.name}
    assert abs(first[0].approximateArrivalTimestamp.timestamp() - time.time()) < 120
    assert sorted(row.sequenceNumber for row in source.rows[len(first) :]) == sorted(
        one["SequenceNumber"] for one in put_later
    )
    assert source.partition_counts == [1, 2]


def test_a_micro_batch_holds_what_it_may_and_the_next_one_the_rest(source: SourceLab, kinesis: KinesisLab) -> None:
    kinesis.create(2)
    kinesis.put(*numbers(0, 1000))

    source.run_until(lambda: len(source.rows) >= 1000, maxRecordsPerBatch="300", maxRecordsPerFetch="100")

    assert sorted(source.data, key=int) == numbers(0, 1000)
    assert max(len(rows) for _, rows in source.batches) == 300


def test_a_quiet_stream_makes_no_batches(source: SourceLab, kinesis: KinesisLab) -> None:
    kinesis.create(1)
    kinesis.put(*numbers(0, 10))
    query = source.start()
    source.wait_for(lambda: len(source.rows) >= 10 and not query.status["isTriggerActive"], query)
    count = len(source.batches)

    time.sleep(1.5)  # seven triggers

    assert len(source.batches) == count


def test_latest_begins_where_the_query_did(source: SourceLab, kinesis: KinesisLab) -> None:
    kinesis.create(2)
    kinesis.put(*numbers(0, 50))
    time.sleep(0.01)  # the position is a time in milliseconds
    source.run(initialPosition="latest")
    kinesis.put(*numbers(50, 100))

    source.run(initialPosition="latest")

    assert sorted(source.data, key=int) == numbers(50, 100)


def test_at_timestamp_begins_at_the_first_record_that_arrived_then(source: SourceLab, kinesis: KinesisLab) -> None:
    kinesis.create(2)
    kinesis.put(*numbers(0, 50))
    time.sleep(0.05)
    moment = time.time()
    time.sleep(0.05)
    kinesis.put(*numbers(50, 100))

    source.run(initialPosition=f'{{"at_timestamp": {moment}}}')

    assert sorted(source.data, key=int) == numbers(50, 100)


@pytest.mark.parametrize("batch_count", [1, 2])
def test_a_batch_is_the_same_again_when_the_driver_died_before_its_commit(
    source: SourceLab, kinesis: KinesisLab, batch_count: int
) -> None:
    kinesis.create(2)
    for batch in range(batch_count):
        kinesis.put(*numbers(batch * 300, batch * 300 + 300))
        source.run()
    dead_id, dead_rows = source.batches[-1]
    kinesis.put(*numbers(600, 700))

    assert source.lose_commit() == dead_id
    source.batches.clear()
    source.partition_counts.clear()
    source.run_until(lambda: len(source.rows) >= len(dead_rows) + 100, initialPosition="latest")

    again_id, again_rows = source.batches[0]
    assert (again_id, source.partition_counts[0]) == (dead_id, 2)
    assert by_shard(again_rows) == by_shard(dead_rows)
    assert sorted(source.data[len(dead_rows) :], key=int) == numbers(600, 700)


def test_wrong_options_are_all_named_at_once(source: SourceLab) -> None:
    with pytest.raises(AnalysisException) as caught:
        source.load(
            streamARN="arn:aws:kinesis:x", maxRecordsPerFetch="10001", maxRecordPerFetch="1", consumerMode="efo"
        )

    said = str(caught.value)
    assert "either streamName or streamARN" in said
    assert "maxRecordsPerFetch is '10001': expected a whole number from 1 to 10000" in said
    assert "there is no option maxrecordperfetch; the options are streamName, streamARN" in said
    assert "consumerMode is 'efo': expected polling" in said


def test_a_stream_that_is_not_there_is_said_so_with_its_endpoint(source: SourceLab, kinesis: KinesisLab) -> None:
    with pytest.raises(StreamingQueryException, match=f"describe_stream_summary on {kinesis.name} at http://127.0.0.1"):
        source.run()


def test_a_checkpoint_of_another_stream_is_refused(source: SourceLab, kinesis: KinesisLab) -> None:
    kinesis.create(1)
    source.run()
    source.edit_offset(lambda offset: offset.update(stream="another"))

    with pytest.raises(StreamingQueryException, match=f"of the stream another, not of {kinesis.name}"):
        source.run()
