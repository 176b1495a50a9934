"""What a reader takes of an answer: nothing twice, nothing beyond a range, and no tip that is not one."""

from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any

import pytest

from pinterest_spark.errors import DataLossError
from pinterest_spark.kinesis.aggregate import MAGIC
from pinterest_spark.kinesis.client import Fetch
from pinterest_spark.kinesis.options import KinesisOptions
from pinterest_spark.kinesis.reader import ShardsReader, after, has_record_after, move, read_range
from pinterest_spark.kinesis.shards import Position, ShardRange

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOON_MS = 1_795_608_000_000
DAY_MS = 86_400_000
THREE = bytes.fromhex("0a01610a01621a0508001a01311a0508011a01321a0508001a0133")  # an aggregate's message, 3 records


def record(number: int) -> dict[str, Any]:
    arrived = NOON + timedelta(milliseconds=number)
    return {"SequenceNumber": str(number), "PartitionKey": "k", "Data": b"{}", "ApproximateArrivalTimestamp": arrived}


def records(first: int, last: int) -> list[dict[str, Any]]:
    return [record(number) for number in range(first, last + 1)]


def numbers(batches: Any) -> list[int]:
    return [int(number) for batch in batches for number in batch.column("sequenceNumber").to_pylist()]


class Client:
    """A shard whose answers are scripted; the last one repeats."""

    def __init__(self, *answers: Fetch, **options: Any) -> None:
        self.options = KinesisOptions("posts", min_fetch_period=0.0, **options)
        self.answers = list(answers)
        self.limits: list[int] = []

    def iterator(self, _shard_id: str, _where: Any) -> str:
        return "first"

    def get_records(self, _iterator: str, limit: int) -> Fetch:
        self.limits.append(limit)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize(
    ("known", "left"),
    [
        pytest.param("", [8, 9, 10], id="nothing known"),
        pytest.param("7", [8, 9, 10], id="up to the one before"),
        pytest.param("8", [9, 10], id="the first is known"),
        pytest.param("9", [10], id="two are known"),
        pytest.param("10", [], id="all are known"),
    ],
)
def test_a_record_that_is_known_is_left_out(known: str, left: list[int]) -> None:
    assert [int(one["SequenceNumber"]) for one in after(records(8, 10), known)] == left


def test_sequence_numbers_are_compared_as_numbers() -> None:
    assert after(records(100, 101), "99") == records(100, 101)


@pytest.mark.parametrize(
    ("count", "current_ms"),
    [pytest.param(2, NOON_MS + 2, id="full answer"), pytest.param(1, NOON_MS + 5_000 - 300, id="less than asked for")],
)
def test_only_an_answer_with_less_than_was_asked_for_tells_how_far_the_tip_is(count: int, current_ms: int) -> None:
    fetch = Fetch(records(1, count), "next", 300)

    moved = move(Position(), fetch, fetch.records, 2, NOON_MS + 5_000)

    assert (moved.current_ms, moved.records, moved.after) == (current_ms, count, str(count))
    assert not moved.is_closed
    assert move(Position(), Fetch([], "", 0), [], 2, NOON_MS).is_closed


@pytest.mark.parametrize(
    ("count", "behind_ms", "is_behind"),
    [
        pytest.param(3, 0, True, id="a full answer"),
        pytest.param(2, 1_000, False, id="near the tip"),
        pytest.param(2, 1_001, True, id="far from it"),
    ],
)
def test_a_shard_is_read_again_when_its_answer_was_full_or_its_tip_is_far(
    count: int, behind_ms: int, is_behind: bool
) -> None:
    reader = ShardsReader(Client(Fetch(records(1, count), "i", behind_ms)), "posts", DAY_MS, "TRIM_HORIZON")

    assert reader.once("shard-0", Position(), 3).is_behind is is_behind


def test_a_micro_batch_ends_at_its_bound_and_goes_on_from_there() -> None:
    client = Client(Fetch(records(1, 3), "i", 5_000), Fetch(records(4, 6), "i", 5_000), max_records_per_batch=6)

    fetched = ShardsReader(client, "posts", DAY_MS, "TRIM_HORIZON").fetch({"shard-0": Position()})["shard-0"]

    assert (fetched.position.after, fetched.position.records) == ("6", 6)
    assert client.limits == [6, 3]
    assert numbers(fetched.batches) == [1, 2, 3, 4, 5, 6]


def wanted(first: int, last: int) -> ShardRange:
    return ShardRange("shard-0", Position(str(first - 1), 0, 0, first - 1), Position(str(last), 0, 0, last), "LATEST")


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([Fetch(records(3, 9), "i", 0)], id="more than the range at once"),
        pytest.param([Fetch(records(1, 3), "i", 9), Fetch([], "i", 9), Fetch(records(4, 9), "i", 0)], id="in pieces"),
        pytest.param([Fetch(records(1, 6), "", 0)], id="up to the end of a closed shard"),
        pytest.param([Fetch(records(3, 4), "i", 0), Fetch([], "i", 0), Fetch([], "i", 0), Fetch(records(5, 6), "i", 0)],
                     id="after empty answers at what looks like the tip"),
    ],
)  # fmt: skip
def test_a_range_is_read_again_to_the_record(answers: list[Fetch]) -> None:
    assert numbers(read_range(Client(*answers), "posts", wanted(3, 6), DAY_MS)) == [3, 4, 5, 6]


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([Fetch(records(5, 9), "i", 0)], id="the first expired"),
        pytest.param([Fetch(records(3, 4), "", 0)], id="the shard ends before"),
        pytest.param([Fetch(records(3, 4), "i", 0), Fetch([], "i", 0)], id="the tip is before"),
    ],
)
def test_a_range_of_which_records_are_gone_is_refused_unless_loss_is_allowed(answers: list[Fetch]) -> None:
    with pytest.raises(DataLossError, match="2 of its 4 records of shard-0 of posts have expired"):
        list(read_range(Client(*answers), "posts", wanted(3, 6), DAY_MS))

    assert len(numbers(read_range(Client(*answers, fail_on_data_loss=False), "posts", wanted(3, 6), DAY_MS))) == 2


def test_records_in_aggregates_count_against_the_bound_of_a_micro_batch() -> None:
    three = MAGIC + THREE + md5(THREE, usedforsecurity=False).digest()
    answers = [[{**one, "Data": three} for one in records(first, first + 1)] for first in (1, 3, 5)]
    client = Client(*(Fetch(answer, "i", 5_000) for answer in answers), max_records_per_batch=12)

    fetched = ShardsReader(client, "posts", DAY_MS, "TRIM_HORIZON").fetch({"shard-0": Position()})["shard-0"]

    assert client.limits == [12, 2]
    assert (fetched.position.records, fetched.row_count) == (4, 12)


@pytest.mark.parametrize(
    ("answers", "is_there"),
    [
        pytest.param([Fetch(records(1, 5), "i", 0)], True, id="one after it"),
        pytest.param([Fetch(records(1, 4), "i", 0), Fetch([], "i", 0)], False, id="known ones only"),
        pytest.param([Fetch([], "i", 0), Fetch([], "i", 0), Fetch(records(5, 5), "i", 0)], True, id="after empty ones"),
        pytest.param([*[Fetch([], "i", 9)] * 5, Fetch(records(5, 5), "i", 0)], True, id="on the way to the tip"),
        pytest.param([Fetch([], "i", 0)], False, id="nothing"),
        pytest.param([Fetch(records(1, 4), "", 0)], False, id="up to the end of a closed shard"),
    ],
)  # fmt: skip
def test_whether_a_record_came_after_a_place_is_told_by_more_than_one_empty_answer(
    answers: list[Fetch], is_there: bool
) -> None:
    assert has_record_after(Client(*answers), "shard-0", "4") is is_there
