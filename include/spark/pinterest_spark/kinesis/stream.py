"""A query's place in its stream, kept on the driver: where it begins, what it fetched, and which shards come next."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa

from pinterest_spark.errors import DataLossError
from pinterest_spark.kinesis.client import KinesisClient, StreamDescription
from pinterest_spark.kinesis.options import LATEST, KinesisOptions
from pinterest_spark.kinesis.reader import MAX_SHARDS_AT_ONCE, Fetched, ShardsReader, has_record_after
from pinterest_spark.kinesis.shards import (
    Position,
    Shard,
    StreamOffset,
    awaits_children,
    begin_shards,
    check_stream,
    created_again,
    drop_expired,
    losses,
    needs_renewal,
    plan,
    say_lost,
)

log = logging.getLogger(__name__)


class KinesisStream:
    """One stream, read forward micro-batch by micro-batch."""

    def __init__(self, options: KinesisOptions) -> None:
        self.options = options
        self.client = KinesisClient(options)
        self.description: StreamDescription = self.client.describe()
        self.listed: list[Shard] = self.client.list_shards()
        self.listed_at = time.monotonic()
        self.begun: StreamOffset | None = None
        self.offset: StreamOffset | None = None
        self.reader: ShardsReader | None = None
        self.planned: tuple[StreamOffset, StreamOffset] | None = None
        self.fetched: dict[str, Fetched] = {}

    def initial(self) -> StreamOffset:
        """Return where a query without a checkpoint begins; "latest" is the moment of the first call, by our clock."""
        if self.begun is None:
            initial = now_ms() if self.options.initial == LATEST else self.options.initial
            empty = StreamOffset(self.description.name, self.description.created_ms, initial, {})
            self.begun = begin_shards(empty, self.listed, now_ms())
        return self.begun

    def advance(self) -> StreamOffset:
        """Fetch what is new and return how far the stream is read with it; without news, the offset as it was."""
        start = self.offset or self.initial()
        self.follow_reshards(start)
        begun = begin_shards(start, self.listed, now_ms())
        if self.reader is None:
            retention_ms = self.description.retention_ms
            self.reader = ShardsReader(self.client, self.description.name, retention_ms, start.initial)
        fetched = self.reader.fetch(begun.open_shards())
        has_ended = any(one.position.is_closed for one in fetched.values())
        is_news = begun != start or has_ended or any(one.batches for one in fetched.values())
        if not is_news and not needs_renewal(start, self.description.retention_ms, now_ms()):
            self.offset = start
            return start
        if has_ended:
            self.list_shards()
        read = begun.at({shard_id: one.position for shard_id, one in fetched.items()})
        end = begin_shards(drop_expired(read, self.listed), self.listed, now_ms())
        self.planned, self.fetched, self.offset = (start, end), fetched, end
        return end

    def follow_reshards(self, offset: StreamOffset) -> None:
        """List the shards again while one has ended whose children are not known yet."""
        is_due = time.monotonic() - self.listed_at >= self.options.shard_fetch_interval
        if is_due and awaits_children(offset, self.listed):
            self.list_shards()

    def list_shards(self) -> None:
        self.listed, self.listed_at = self.client.list_shards(), time.monotonic()

    def fetched_for(self, start: StreamOffset, end: StreamOffset) -> dict[str, list[pa.RecordBatch]] | None:
        """Return the records of this very micro-batch by shard; None where they are not at hand and must be read."""
        if self.planned != (start, end):
            return None
        return {one.shard_id: self.fetched[one.shard_id].batches for one in plan(start, end)}

    def seen(self, offset: StreamOffset) -> None:
        """Take over the offset of the checkpoint, unless reading has begun.

        :raises DataLossError: records expired unread, or the stream is a new one; unless told to go on.
        """
        if self.offset is None:
            self.offset = self.without_lost(self.of_this_stream(offset))

    def of_this_stream(self, offset: StreamOffset) -> StreamOffset:
        try:
            check_stream(offset, self.description.name, self.description.created_ms)
        except DataLossError:
            if self.options.fail_on_data_loss:
                raise
            log.warning("%s was created again: reading it from its start", self.description.name)
            return created_again(offset, self.description.created_ms)
        return offset

    def without_lost(self, offset: StreamOffset) -> StreamOffset:
        """Return the offset to go on from; shards that are gone unread count as read, so that their children begin.

        A stream that holds no record after the offset is quiet: nothing of it is there to be missed.
        """
        retention_ms = self.description.retention_ms
        lost = losses(offset, self.listed, retention_ms, now_ms())
        if not lost:
            return offset
        if self.has_record_after(offset):
            said = say_lost(self.description.name, lost, retention_ms)
            if self.options.fail_on_data_loss:
                raise DataLossError(said)
            log.warning("%s", said)
        else:
            log.warning("%s is quiet: it holds no record after the checkpoint", self.description.name)
        listed = {shard.shard_id for shard in self.listed}
        gone = [one.shard_id for one in lost if one.shard_id not in listed]
        return offset.at({shard_id: replace(offset.shards[shard_id], is_closed=True) for shard_id in gone})

    def has_record_after(self, offset: StreamOffset) -> bool:
        unread = [(one.shard_id, offset.shards.get(one.shard_id, Position())) for one in self.listed]
        with ThreadPoolExecutor(MAX_SHARDS_AT_ONCE) as threads:
            return any(
                threads.map(
                    lambda shard: not shard[1].is_closed and has_record_after(self.client, shard[0], shard[1].after),
                    unread,
                )
            )

    def forget(self, committed: StreamOffset) -> None:
        """Let go of the records of a micro-batch that is done."""
        if self.planned is not None and self.planned[1] == committed:
            self.planned, self.fetched = None, {}


def now_ms() -> int:
    return time.time_ns() // 1_000_000
