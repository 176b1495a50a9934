"""A checkpoint that comes back after days, by a clock of the test's own: what is lost, and what only looks so."""

import time
from typing import Any

import pytest

from pinterest_spark.errors import DataLossError
from pinterest_spark.kinesis import stream as kinesis_stream
from pinterest_spark.kinesis.client import Fetch, StreamDescription
from pinterest_spark.kinesis.options import KinesisOptions
from pinterest_spark.kinesis.shards import Position, Shard, StreamOffset, read_lost_span

HOUR_MS = 3_600_000
NOON_MS = 1_795_608_000_000  # 2026-11-25 12:00
CREATED_MS = NOON_MS - 30 * 24 * HOUR_MS
READ_TO = Position("7", NOON_MS - HOUR_MS, NOON_MS, 7)


class Client:
    """A stream with a retention of three days; each shard holds the records whose numbers are given."""

    def __init__(self, options: KinesisOptions, created_ms: int, held: dict[str, list[int]]) -> None:
        self.options, self.created_ms, self.held = options, created_ms, held

    def describe(self) -> StreamDescription:
        return StreamDescription("posts", self.created_ms, 72 * HOUR_MS)

    def list_shards(self) -> list[Shard]:
        return [Shard(name) for name in self.held]

    def iterator(self, shard_id: str, _where: Any) -> str:
        return shard_id

    def get_records(self, iterator: str, _limit: int) -> Fetch:
        records, self.held[iterator] = self.held[iterator], []
        return Fetch([{"SequenceNumber": str(number)} for number in records], iterator, 0)


@pytest.fixture
def come_back(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that reads the checkpoint after so many hours, and returns where the query goes on from."""

    def run(hours: float, held: dict[str, list[int]], *, created_ms: int = CREATED_MS, **options: Any) -> StreamOffset:
        given = KinesisOptions("posts", min_fetch_period=0.0, **options)
        monkeypatch.setattr(kinesis_stream, "KinesisClient", lambda _: Client(given, created_ms, held))
        monkeypatch.setattr(time, "time_ns", lambda: round((NOON_MS + hours * HOUR_MS) * 1_000_000))
        found = kinesis_stream.KinesisStream(given)
        found.seen(StreamOffset("posts", CREATED_MS, "TRIM_HORIZON", {"a": READ_TO, "b": Position(current_ms=NOON_MS)}))
        assert found.offset is not None
        return found.offset

    return run


@pytest.mark.parametrize(
    ("hours", "held"),
    [
        pytest.param(72, {"a": [8], "b": []}, id="within the retention"),
        pytest.param(200, {"a": [], "b": []}, id="a quiet stream"),
        pytest.param(200, {"a": [6, 7], "b": []}, id="a quiet stream whose read records are still there"),
    ],
)
def test_nothing_is_lost_and_no_user_is_needed(come_back: Any, hours: float, held: dict[str, list[int]]) -> None:
    assert come_back(hours, held).shards["a"] == READ_TO


@pytest.mark.parametrize(
    "held", [{"a": [8], "b": []}, {"a": [], "b": [3]}, {"b": [3]}], ids=["on one shard", "on the other", "a shard gone"]
)
def test_records_may_be_lost_where_some_came_since(come_back: Any, held: dict[str, list[int]]) -> None:
    with pytest.raises(DataLossError, match=r"\(24.0 hours\) on 2 shards|\(96.0 hours\) on 2 shards") as caught:
        come_back(96, dict(held))

    assert read_lost_span(str(caught.value))[0] == "2026-11-25T12:00:00Z"  # type: ignore[index]
    accepted = come_back(96, dict(held), fail_on_data_loss=False)
    assert accepted.shards["a"].is_closed is ("a" not in held)


def test_a_stream_that_was_created_again_waits_for_a_user_and_is_then_read_from_its_start(come_back: Any) -> None:
    again_ms = NOON_MS + 2 * HOUR_MS

    with pytest.raises(DataLossError, match="was deleted and created again") as caught:
        come_back(3, {"a": [1]}, created_ms=again_ms)

    assert read_lost_span(str(caught.value)) == ("2026-11-25T12:00:00Z", "2026-11-25T14:00:00Z")
    accepted = come_back(3, {"a": [1]}, created_ms=again_ms, fail_on_data_loss=False)
    assert (accepted.created_ms, accepted.shards) == (again_ms, {})
