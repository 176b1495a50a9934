"""The Kinesis source when the stream is resharded, the service refuses or vanishes, and records expire."""

from collections import defaultdict
from threading import Event, Thread
from typing import Any

import pytest
from pyspark.errors import StreamingQueryException

from tests.support.kinesis import KinesisLab
from tests.support.kinesis_source import SourceLab

HOUR_MS = 3_600_000


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last)]


class Writing(Thread):
    """Puts ``<key>:<number>`` for 40 keys, each key's numbers in order, until told to stop."""

    def __init__(self, kinesis: KinesisLab) -> None:
        super().__init__(daemon=True)
        self.kinesis = kinesis
        self.stopped = Event()
        self.put: list[str] = []

    def run(self) -> None:
        number = 0
        keys = [str(key) for key in range(40)]
        while not self.stopped.wait(0.1):
            values = [f"{key}:{number}" for key in keys]
            self.kinesis.put(*values, keys=keys)
            self.put += values
            number += 1

    def stop(self) -> list[str]:
        self.stopped.set()
        self.join(60)
        return self.put


def test_a_reshard_under_load_loses_nothing_and_keeps_each_key_in_order(source: SourceLab, kinesis: KinesisLab) -> None:
    """2 -> 4 shards while the query reads; 4 -> 3 while it is down, to catch up in batches far smaller than a shard."""
    kinesis.create(2)
    query = source.start()
    writing = Writing(kinesis)
    writing.start()
    source.wait_for(lambda: len(source.rows) >= 200, query)
    kinesis.scale(4)
    children = {shard["ShardId"] for shard in kinesis.shards() if "ParentShardId" in shard}
    source.wait_for(lambda: children <= {row.shardId for row in source.rows}, query)
    query.stop()
    before = len(writing.put)
    source.wait_for(lambda: len(writing.put) >= before + 600)
    kinesis.scale(3)
    before = len(writing.put)
    source.wait_for(lambda: len(writing.put) >= before + 200)
    put = writing.stop()
    source.run_until(lambda: len(source.rows) >= len(put), maxRecordsPerBatch="160")

    assert sorted(source.data) == sorted(put)
    by_key = defaultdict(list)
    for value in source.data:
        key, number = value.split(":")
        by_key[key].append(int(number))
    assert all(found == sorted(found) for found in by_key.values())
    assert {row.shardId for row in source.rows} == {shard["ShardId"] for shard in kinesis.shards()}


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([{"operation": "GetRecords", "kind": "throttle", "times": 3}], id="throttled"),
        pytest.param([{"operation": "GetRecords", "kind": "expired_iterator", "times": 2}], id="iterator expired"),
        pytest.param(
            [
                {"operation": "GetRecords", "kind": "cut", "when": "after", "times": 2},
                {"operation": "GetShardIterator", "kind": "cut", "times": 1},
                {"operation": "ListShards", "kind": "error", "times": 1},
                {"operation": "DescribeStreamSummary", "kind": "throttle", "code": "LimitExceededException"},
            ],
            id="cut and failing",
        ),
    ],
)
def test_every_record_comes_once_through_faults(
    source: SourceLab, kinesis: KinesisLab, kinesis_faults: Any, rules: list[dict[str, Any]]
) -> None:
    kinesis.create(2)
    kinesis.put(*numbers(0, 200))
    kinesis_faults.set(*rules)

    source.run_until(lambda: len(source.rows) >= 200, endpointUrl=kinesis_faults.url)
    kinesis.put(*numbers(200, 250))
    source.run_until(lambda: len(source.rows) >= 250, endpointUrl=kinesis_faults.url)

    assert sorted(source.data, key=int) == numbers(0, 250)
    assert len(kinesis_faults.fired()) == sum(rule.get("times", 1) for rule in rules)


def older(hours: float) -> Any:
    """Return a change that makes an offset as if it had been written hours ago."""

    def change(offset: dict[str, Any]) -> None:
        for position in offset["shards"].values():
            for name in position.keys() & {"arrived_ms", "current_ms"}:
                position[name] -= round(hours * HOUR_MS)

    return change


def test_a_checkpoint_older_than_the_retention_says_how_much_was_lost(source: SourceLab, kinesis: KinesisLab) -> None:
    kinesis.create(2)
    kinesis.put(*numbers(0, 100))
    source.run()
    kinesis.put(*numbers(100, 150))
    source.edit_offset(older(hours=30))

    with pytest.raises(StreamingQueryException) as caught:
        source.run()
    assert "DataLossError" in str(caught.value)
    assert f"older than what {kinesis.name} keeps (24 hours)" in str(caught.value)
    assert "(6.0 hours) on 2 shards (shardId-000000000000, shardId-000000000001) may be lost" in str(caught.value)

    source.run(failOnDataLoss="false")
    assert sorted(source.data, key=int) == numbers(0, 150)


def test_a_checkpoint_older_than_the_retention_loses_nothing_where_nothing_came_since(
    source: SourceLab, kinesis: KinesisLab
) -> None:
    """One of the two shards never had a record."""
    kinesis.create(2)
    kinesis.put(*numbers(0, 10), keys=["0"] * 10)
    source.run()
    source.edit_offset(older(hours=200))

    source.run()
    kinesis.put(*numbers(10, 20))
    source.run()

    assert sorted(source.data, key=int) == numbers(0, 20)


def test_a_quiet_stream_renews_its_offset_and_is_then_no_loss(source: SourceLab, kinesis: KinesisLab) -> None:
    kinesis.create(1)
    kinesis.put(*numbers(0, 10))
    source.run()

    def quiet_for_long(offset: dict[str, Any]) -> None:
        older(hours=7)(offset)
        for position in offset["shards"].values():
            position["arrived_ms"] -= 30 * HOUR_MS

    source.edit_offset(quiet_for_long)
    [before] = source.last_offset()["shards"].values()
    source.run()
    [renewed] = source.last_offset()["shards"].values()
    kinesis.put(*numbers(10, 20))
    source.run()

    assert renewed["current_ms"] - before["current_ms"] >= 7 * HOUR_MS
    assert (renewed["after"], renewed["records"]) == (before["after"], 10)
    assert source.data == numbers(0, 20)


def test_a_batch_that_cannot_be_repeated_in_full_is_an_error(source: SourceLab, kinesis: KinesisLab) -> None:
    kinesis.create(1)
    kinesis.put(*numbers(0, 100))
    source.run()
    source.lose_commit()
    # as if 5 records of the range had expired since: there were 105 when the offset was written
    source.edit_offset(lambda offset: offset["shards"]["shardId-000000000000"].update(records=105))

    with pytest.raises(StreamingQueryException, match="5 of its 105 records of shardId-000000000000") as caught:
        source.run()
    assert "DataLossError" in str(caught.value)


def test_a_stream_recreated_under_the_same_name_is_noticed(source: SourceLab, kinesis: KinesisLab) -> None:
    kinesis.create(2)
    kinesis.put(*numbers(0, 100))
    source.run()
    kinesis.delete()
    kinesis.create(1)
    kinesis.put(*numbers(100, 120))

    with pytest.raises(StreamingQueryException, match="was deleted and created again"):
        source.run()

    source.run(failOnDataLoss="false")
    kinesis.put(*numbers(120, 130))
    source.run()
    assert sorted(source.data, key=int) == numbers(0, 130)
