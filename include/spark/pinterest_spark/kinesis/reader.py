"""Reading shards: forward, as much as a micro-batch may hold, and again over a range that is known to the record."""

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pyarrow as pa

from pinterest_spark.errors import DataLossError, TransientSourceError
from pinterest_spark.kinesis.aggregate import MAGIC, sub_records
from pinterest_spark.kinesis.client import ExpiredIteratorError, Fetch, KinesisClient, UnknownPositionError, to_ms
from pinterest_spark.kinesis.shards import Position, ShardRange

MAX_SHARDS_AT_ONCE = 8
FAR_BEHIND_MS = 1_000  # more than this from the tip: fill the micro-batch rather than hurry
EXPIRES_SOON_MS = 600_000
EMPTY_ANSWERS = 3  # in a row, at the tip: the service also sends empty answers where records follow
RANGE_SECONDS = 600.0  # a range that is not read by then is reported, not waited for
SCHEMA = pa.schema(
    [
        ("partitionKey", pa.string()),
        ("data", pa.binary()),
        ("stream", pa.string()),
        ("shardId", pa.string()),
        ("sequenceNumber", pa.string()),
        ("approximateArrivalTimestamp", pa.timestamp("us", tz="UTC")),
    ]
)


def to_arrow(records: list[dict[str, Any]], stream: str, shard_id: str) -> pa.RecordBatch:
    """Return records as the source's six columns, the data byte for byte.

    An aggregated record becomes the records in it, in their order, as with Databricks' source: with their own keys and
    data, and the sequence number and arrival that they share.
    """
    records = list(chain.from_iterable(map(taken_apart, records)))
    return pa.RecordBatch.from_arrays(
        [
            pa.array([one["PartitionKey"] for one in records], pa.string()),
            pa.array([one["Data"] for one in records], pa.binary()),
            pa.array([stream] * len(records), pa.string()),
            pa.array([shard_id] * len(records), pa.string()),
            pa.array([one["SequenceNumber"] for one in records], pa.string()),
            pa.array([to_ms(one["ApproximateArrivalTimestamp"]) * 1000 for one in records], SCHEMA.field(5).type),
        ],
        schema=SCHEMA,
    )


def taken_apart(record: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if not record["Data"].startswith(MAGIC) or (held := sub_records(record["Data"])) is None:
        return (record,)
    return ({**record, "PartitionKey": key, "Data": data} for key, data in held)


def where_to_begin(position: Position, initial: str | int, kept_since_ms: int) -> dict[str, Any]:
    """Return the ShardIteratorType for a position and what belongs to it.

    After a sequence number that has expired the service answers with nothing for ever, so that an old one (on a shard
    on which nothing came since) is read from the horizon, and what is known is left out by its number.
    """
    if position.after and position.arrived_ms > kept_since_ms + EXPIRES_SOON_MS:
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position.after}
    if position.after or isinstance(initial, str):
        return {"ShardIteratorType": "TRIM_HORIZON"}
    return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(initial / 1000, UTC)}


@dataclass
class Fetched:
    """What one round over a shard brought: where it is read to now, and the records, as Arrow."""

    position: Position
    batches: list[pa.RecordBatch] = field(default_factory=list)
    byte_count: int = 0
    is_behind: bool = True

    @property
    def row_count(self) -> int:
        return sum(batch.num_rows for batch in self.batches)

    def add(self, other: "Fetched") -> None:
        self.position, self.is_behind = other.position, other.is_behind
        self.batches += other.batches
        self.byte_count += other.byte_count


class ShardsReader:
    """Reads the open shards of a stream forward; it keeps their iterators from one micro-batch to the next.

    Cost: one GetRecords a shard and micro-batch when the query keeps up, each at least ``min_fetch_period`` after the
    one before.
    """

    def __init__(self, client: KinesisClient, stream: str, retention_ms: int, initial: str | int) -> None:
        self.client = client
        self.options = client.options
        self.stream = stream
        self.retention_ms = retention_ms
        self.initial = initial
        self.iterators: dict[str, tuple[str, str]] = {}  # shard -> (the sequence number it is after, iterator)
        self.called: dict[str, float] = {}
        self.rows_per_record = 1  # more where producers aggregate; as the last answer had it

    def fetch(self, positions: Mapping[str, Position]) -> dict[str, Fetched]:
        """Read on from the positions until the tip, or as far as one micro-batch may go.

        Shards are read side by side. Those far from their tip are read again until ``max_records_per_batch``,
        ``fetch_buffer_size`` or ``max_fetch_duration`` is used up. Records in aggregates count each; how many the next
        aggregates hold is not known before they come, so they may go beyond the bound.
        """
        fetched = {shard_id: Fetched(position) for shard_id, position in positions.items()}
        records_left, bytes_left = self.options.max_records_per_batch, self.options.fetch_buffer_size
        deadline = time.monotonic() + self.options.max_fetch_duration
        with ThreadPoolExecutor(MAX_SHARDS_AT_ONCE) as threads:
            while behind := [name for name, one in fetched.items() if one.is_behind and not one.position.is_closed]:
                share = records_left // len(behind) // self.rows_per_record
                limit = min(self.options.max_records_per_fetch, max(1, share))
                calls = [threads.submit(self.once, name, fetched[name].position, limit) for name in behind]
                for name, call in zip(behind, calls, strict=True):
                    one = call.result()
                    records_left -= one.row_count
                    bytes_left -= one.byte_count
                    fetched[name].add(one)
                if records_left < len(behind) * self.rows_per_record or bytes_left <= 0 or time.monotonic() >= deadline:
                    break
        return fetched

    def once(self, shard_id: str, position: Position, limit: int) -> Fetched:
        """Make one GetRecords call, from a kept iterator or a new one."""
        iterator = self.iterator_at(shard_id, position)
        self.keep_pace(shard_id)
        try:
            fetch = self.client.get_records(iterator, limit)
        except ExpiredIteratorError:
            self.iterators.pop(shard_id, None)
            fetch = self.client.get_records(self.iterator_at(shard_id, position), limit)
        now_ms = time.time_ns() // 1_000_000
        new = after(fetch.records, position.after)
        moved = move(position, fetch, new, limit, now_ms)
        self.iterators[shard_id] = (moved.after, fetch.iterator)
        is_behind = len(fetch.records) == limit or fetch.behind_ms > FAR_BEHIND_MS
        batches = [to_arrow(new, self.stream, shard_id)] if new else []
        if new:
            self.rows_per_record = -(-batches[0].num_rows // len(new))
        return Fetched(moved, batches, sum(len(one["Data"]) for one in new), is_behind)

    def iterator_at(self, shard_id: str, position: Position) -> str:
        known_after, iterator = self.iterators.get(shard_id, ("", ""))
        if iterator and known_after == position.after:
            return iterator
        kept_since_ms = time.time_ns() // 1_000_000 - self.retention_ms
        return open_iterator(self.client, shard_id, where_to_begin(position, self.initial, kept_since_ms))

    def keep_pace(self, shard_id: str) -> None:
        """Wait until the shard may be called again."""
        wait = self.called.get(shard_id, 0.0) + self.options.min_fetch_period - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        self.called[shard_id] = time.monotonic()


def open_iterator(client: KinesisClient, shard_id: str, where: Mapping[str, Any]) -> str:
    """Take an iterator; where the service does not know the position any more, that is lost data.

    :raises DataLossError: unless the options say to go on with what is left.
    """
    try:
        return client.iterator(shard_id, where)
    except UnknownPositionError as error:
        if client.options.fail_on_data_loss:
            raise DataLossError(
                f"The position that the checkpoint holds is unknown to the service ({error}): what followed it may be "
                "lost. Set failOnDataLoss to false to read the shard from the oldest record that is left."
            ) from error
        return client.iterator(shard_id, {"ShardIteratorType": "TRIM_HORIZON"})


def after(records: list[dict[str, Any]], sequence_number: str) -> list[dict[str, Any]]:
    """Leave out what is known already, which only an iterator from the horizon brings."""
    known = int(sequence_number or -1)
    if not records or int(records[0]["SequenceNumber"]) > known:
        return records
    return [one for one in records if int(one["SequenceNumber"]) > known]


def move(position: Position, fetch: Fetch, new: list[dict[str, Any]], limit: int, now_ms: int) -> Position:
    """Return where a shard is read to after an answer.

    An answer with as many records as were asked for says nothing about the tip: some emulators call it 0 ms away then.
    """
    moved = replace(position, is_closed=not fetch.iterator)
    if new:
        last = new[-1]
        arrived_ms = to_ms(last["ApproximateArrivalTimestamp"])
        moved = replace(
            moved, after=last["SequenceNumber"], arrived_ms=arrived_ms, current_ms=arrived_ms,
            records=position.records + len(new),
        )  # fmt: skip
    if len(fetch.records) < limit:
        moved = replace(moved, current_ms=max(moved.current_ms, now_ms - fetch.behind_ms))
    return moved


def read_range(client: KinesisClient, stream: str, wanted: ShardRange, retention_ms: int) -> Iterator[pa.RecordBatch]:
    """Yield exactly the records of a range, for a micro-batch that is done again after a crash.

    :raises DataLossError: when some of them expired, unless the options say to go on with what is left.
    """
    position, left = wanted.start, wanted.record_count
    last = int(wanted.end.after)
    iterator, deadline, empty_answers = "", time.monotonic() + RANGE_SECONDS, 0
    kept_since_ms = time.time_ns() // 1_000_000 - retention_ms
    while left > 0:
        if not iterator:
            where = where_to_begin(position, wanted.initial, kept_since_ms)
            iterator = open_iterator(client, wanted.shard_id, where)
        try:
            fetch = client.get_records(iterator, min(left, client.options.max_records_per_fetch))
        except ExpiredIteratorError:
            iterator = ""
            continue
        new = after(fetch.records, position.after)
        wanted_records = [one for one in new if int(one["SequenceNumber"]) <= last]
        if wanted_records:
            yield to_arrow(wanted_records, stream, wanted.shard_id)
            left -= len(wanted_records)
            position = replace(position, after=wanted_records[-1]["SequenceNumber"])
        empty_answers = 0 if fetch.records or fetch.behind_ms else empty_answers + 1
        is_over = len(wanted_records) < len(new) or not fetch.iterator or empty_answers >= EMPTY_ANSWERS
        if left > 0 and is_over:
            check_whole(client, stream, wanted, left)
            return
        if left > 0 and time.monotonic() > deadline:
            raise TransientSourceError(
                f"{left} records of {wanted.shard_id} of {stream} did not come in {RANGE_SECONDS} s"
            )
        iterator = fetch.iterator
        if left > 0:
            time.sleep(client.options.min_fetch_period)


def has_record_after(client: KinesisClient, shard_id: str, sequence_number: str) -> bool:
    """Say whether a shard still holds a record after the number; one request, and three where it holds none."""
    iterator, deadline, empty_answers = "", time.monotonic() + RANGE_SECONDS, 0
    while empty_answers < EMPTY_ANSWERS:
        iterator = iterator or client.iterator(shard_id, {"ShardIteratorType": "TRIM_HORIZON"})
        try:
            fetch = client.get_records(iterator, client.options.max_records_per_fetch)
        except ExpiredIteratorError:
            iterator = ""
            continue
        if after(fetch.records, sequence_number):
            return True
        if not fetch.iterator:
            return False
        if time.monotonic() > deadline:
            raise TransientSourceError(f"The tip of {shard_id} did not come in {RANGE_SECONDS} s")
        empty_answers = 0 if fetch.records or fetch.behind_ms else empty_answers + 1
        iterator = fetch.iterator
        time.sleep(client.options.min_fetch_period)
    return False


def check_whole(client: KinesisClient, stream: str, wanted: ShardRange, missing: int) -> None:
    if client.options.fail_on_data_loss:
        raise DataLossError(
            f"A micro-batch cannot be read again: {missing} of its {wanted.record_count} records of {wanted.shard_id} "
            f"of {stream} have expired. Set failOnDataLoss to false to go on with what is left."
        )
