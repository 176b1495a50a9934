"""``spark.readStream.format("kinesis")`` where the runtime has no such source: a PySpark Python data source.

Options and columns are those of the Databricks source (``kinesis_options``); ``data`` comes byte for byte. One
partition a shard; a shard's children begin in the micro-batch after the one that read the shard to its end.

Every record is read once. Kinesis cannot say where a shard's tip is without sending the records, so ``latestOffset``
fetches them on the driver, bounded by ``maxRecordsPerBatch`` and ``fetchBufferSize``, and they travel as Arrow within
the input partitions: the tasks make no calls, and a ``foreachBatch`` that looks at its rows three times does not read
the stream three times. Only a micro-batch that Spark does again after a restart is read by the tasks, from the sequence
numbers in the checkpoint, and it yields exactly the same records or fails (docs/adr/0004-read-kinesis-once.md).

What it does not do: enhanced fan-out, several streams in one query, real-time mode; and ``Trigger.AvailableNow`` is one
micro-batch, of ``maxRecordsPerBatch`` records at most, since Spark 4.1 offers more to JVM sources only.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.types import StructType

from pinterest_spark.errors import DataLossError
from pinterest_spark.kinesis_client import KinesisClient, StreamDescription
from pinterest_spark.kinesis_options import LATEST, KinesisOptions, read_options
from pinterest_spark.kinesis_reader import Fetched, ShardsReader, read_range
from pinterest_spark.kinesis_shards import (
    Position,
    Shard,
    ShardRange,
    StreamOffset,
    awaits_children,
    begin_shards,
    check_stream,
    created_anew,
    drop_expired,
    from_json,
    losses,
    needs_renewal,
    plan,
    say_lost,
    to_json,
)

NAME = "kinesis"
SCHEMA = (
    "partitionKey string, data binary, stream string, shardId string, sequenceNumber string, "
    "approximateArrivalTimestamp timestamp"
)

log = logging.getLogger(__name__)


class KinesisDataSource(DataSource):
    """The ``kinesis`` format: streaming reads only.

    :raises ValueError: at ``load``, naming every option that is wrong.
    """

    def __init__(self, options: dict[str, str]) -> None:
        super().__init__(options)
        self.settings = read_options(dict(options))

    @classmethod
    def name(cls) -> str:
        return NAME

    def schema(self) -> str:
        return SCHEMA

    def streamReader(self, schema: StructType) -> "KinesisStreamReader":  # noqa: ARG002, N802 - PySpark's interface
        return KinesisStreamReader(self.settings)


def register(spark: SparkSession) -> bool:
    """Register the source if the runtime has none of that name, and say whether it did. Safe to repeat."""
    try:
        spark.readStream.format(NAME).load()
    except (PySparkException, Py4JError) as error:  # Spark 4.1 does not translate this one
        if "[DATA_SOURCE_NOT_FOUND]" not in str(error):
            return False  # there is one, and it asks for its options
    else:
        return False
    spark.dataSource.register(KinesisDataSource)
    return True


@dataclass
class FetchedShard(InputPartition):
    """The records of a shard, as an Arrow stream."""

    data: bytes


@dataclass
class UnreadRange(InputPartition):
    """A range of a shard that the task reads itself."""

    wanted: ShardRange
    stream: str
    retention_ms: int


class KinesisStreamReader(DataSourceStreamReader):
    """Lives twice: on the driver for the whole query, and, for ``read`` alone, as a copy in every task."""

    def __init__(self, options: KinesisOptions) -> None:
        self.options = options
        self.state: KinesisStream | None = None

    def stream(self) -> "KinesisStream":
        if self.state is None:
            self.state = KinesisStream(self.options)
        return self.state

    def initialOffset(self) -> dict[str, Any]:  # noqa: N802 - PySpark's interface
        return to_json(self.stream().initial())

    def latestOffset(self) -> dict[str, Any]:  # noqa: N802 - PySpark's interface
        return to_json(self.stream().advance())

    def partitions(self, start: dict[str, Any], end: dict[str, Any]) -> list[InputPartition]:
        return self.stream().partitions(from_json(start), from_json(end))

    def commit(self, end: dict[str, Any]) -> None:
        self.stream().forget(from_json(end))

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        if isinstance(partition, FetchedShard):
            yield from pa.ipc.open_stream(partition.data)
        elif isinstance(partition, UnreadRange):
            client = KinesisClient(self.options)
            yield from read_range(client, partition.stream, partition.wanted, partition.retention_ms)


class KinesisStream:
    """A query's place in its stream, on the driver."""

    def __init__(self, options: KinesisOptions) -> None:
        self.options = options
        self.client = KinesisClient(options)
        self.description: StreamDescription = self.client.describe()
        self.listed: list[Shard] = self.client.list_shards()
        self.listed_at = time.monotonic()
        self.offset: StreamOffset | None = None
        self.reader: ShardsReader | None = None
        self.planned: tuple[StreamOffset, StreamOffset] | None = None
        self.fetched: dict[str, Fetched] = {}

    def initial(self) -> StreamOffset:
        """Return where a query without a checkpoint begins; "latest" is this very moment by the driver's clock."""
        now = now_ms()
        initial = now if self.options.initial == LATEST else self.options.initial
        empty = StreamOffset(self.description.name, self.description.created_ms, initial, {})
        offset = begin_shards(empty, self.listed, now)
        if self.offset is None:
            self.offset = offset
        return offset

    def advance(self) -> StreamOffset:
        """Fetch what is new and return how far the stream is read with it; without news, the offset as it was."""
        start = self.offset or self.initial()
        self.follow_reshards(start)
        start_listed = begin_shards(start, self.listed, now_ms())
        if self.reader is None:
            retention_ms = self.description.retention_ms
            self.reader = ShardsReader(self.client, self.description.name, retention_ms, start.initial)
        fetched = self.reader.fetch(start_listed.open_shards())
        positions = {shard_id: one.position for shard_id, one in fetched.items()}
        is_news = start_listed != start or any(
            one.batches or one.position.is_closed for one in fetched.values()
        )  # fmt: skip
        end = start_listed.at(positions)
        if not is_news and not needs_renewal(start, self.description.retention_ms, now_ms()):
            return start
        if any(one.is_closed for one in positions.values()):
            self.list_shards()
        end = begin_shards(drop_expired(end, self.listed), self.listed, now_ms())
        self.planned, self.fetched, self.offset = (start, end), fetched, end
        return end

    def follow_reshards(self, offset: StreamOffset) -> None:
        """List the shards again while one has ended whose children are not known yet."""
        is_due = time.monotonic() - self.listed_at >= self.options.shard_fetch_interval
        if is_due and awaits_children(offset, self.listed):
            self.list_shards()

    def list_shards(self) -> None:
        self.listed, self.listed_at = self.client.list_shards(), time.monotonic()

    def partitions(self, start: StreamOffset, end: StreamOffset) -> list[InputPartition]:
        """Return what was fetched for this very micro-batch; ranges to read, if it is one from before a restart."""
        if self.offset is None or (self.planned is None and self.offset != end):
            self.resume(end)
        ranges = plan(start, end)
        if self.planned == (start, end):
            return [FetchedShard(to_stream(self.fetched[one.shard_id].batches)) for one in ranges]
        name, retention_ms = self.description.name, self.description.retention_ms
        return [UnreadRange(one, name, retention_ms) for one in ranges]

    def resume(self, offset: StreamOffset) -> None:
        """Take over the checkpoint's offset.

        :raises DataLossError: records expired unread, or the stream is a new one; unless told to go on.
        """
        try:
            check_stream(offset, self.description.name, self.description.created_ms)
        except DataLossError:
            if self.options.fail_on_data_loss:
                raise
            log.warning("%s was created anew: reading it from its start", self.description.name)
            offset = created_anew(offset, self.description.created_ms)
        retention_ms = self.description.retention_ms
        if lost := losses(offset, self.listed, retention_ms, now_ms()):
            said = say_lost(self.description.name, lost, retention_ms)
            if self.options.fail_on_data_loss:
                raise DataLossError(said)
            log.warning("%s", said)
            names = {shard.shard_id for shard in self.listed}
            gone = {one.shard_id: offset.shards[one.shard_id] for one in lost if one.shard_id not in names}
            offset = offset.at({shard_id: closed(position) for shard_id, position in gone.items()})
        self.offset = offset

    def forget(self, committed: StreamOffset) -> None:
        """Let go of the records of a micro-batch that is done."""
        if self.planned is not None and self.planned[1] == committed:
            self.planned, self.fetched = None, {}


def to_stream(batches: list[pa.RecordBatch]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def closed(position: Position) -> Position:
    return Position(position.after, position.arrived_ms, position.current_ms, position.records, is_closed=True)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
