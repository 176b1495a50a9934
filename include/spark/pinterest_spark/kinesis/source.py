"""``spark.readStream.format("kinesis")`` where the runtime has no such source: a PySpark Python data source.

Options and columns are those of the Databricks source (``kinesis_options``); ``data`` comes byte for byte, and
aggregated records of the Kinesis Producer Library come as the records in them. A shard's children begin in the
micro-batch after the one that read the shard to its end.

Every record is read once. Kinesis cannot say where a shard's tip is without sending the records, so ``latestOffset``
fetches them on the driver, bounded by ``maxRecordsPerBatch`` and ``fetchBufferSize``. From there they go

- straight to the JVM as Arrow, in one partition and without a Python worker: a quarter of the CPU of the other way;
- with ``shardsPerTask``, to tasks of so many shards each, for transformations that are worth several cores.

Either way the tasks make no calls, and a ``foreachBatch`` that looks at its rows three times does not read the stream
three times. Only a micro-batch that Spark does again after a restart is read by tasks, a shard each, between the
sequence numbers in the checkpoint; it has exactly the same records or fails (docs/adr/0004-read-kinesis-once.md).

What it does not do: enhanced fan-out, several streams in one query, real-time mode; and ``Trigger.AvailableNow`` is one
micro-batch, of ``maxRecordsPerBatch`` records at most, since Spark 4.1 offers more to JVM sources only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched, chain
from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.types import StructType

from pinterest_spark.kinesis.client import KinesisClient
from pinterest_spark.kinesis.options import KinesisOptions, read_options
from pinterest_spark.kinesis.reader import read_range
from pinterest_spark.kinesis.shards import ShardRange, from_json, plan, to_json
from pinterest_spark.kinesis.stream import KinesisStream

try:
    # What PySpark wraps a SimpleDataSourceStreamReader in: the one kind of reader whose rows may go straight to the
    # JVM. The wrapper itself keeps an entry for every trigger on which nothing came, for as long as a stream is quiet.
    from pyspark.sql.datasource_internal import _SimpleStreamReaderWrapper as Prefetching

    can_go_straight = True
except ImportError:
    Prefetching = DataSourceStreamReader  # type: ignore[assignment,misc]
    can_go_straight = False

NAME = "kinesis"
SCHEMA = (
    "partitionKey string, data binary, stream string, shardId string, sequenceNumber string, "
    "approximateArrivalTimestamp timestamp"
)


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
class FetchedShards(InputPartition):
    """Records that the driver fetched, as an Arrow stream."""

    data: bytes


@dataclass
class UnreadRanges(InputPartition):
    """Ranges of shards, one after the other, that a task reads itself."""

    ranges: tuple[ShardRange, ...]
    stream: str
    retention_ms: int


class KinesisStreamReader(Prefetching):
    """Lives twice: on the driver for the whole query, and, for ``read`` alone, as a copy in every task."""

    def __init__(self, options: KinesisOptions) -> None:
        self.options = options
        self.state: KinesisStream | None = None

    def stream(self) -> KinesisStream:
        if self.state is None:
            self.state = KinesisStream(self.options)
        return self.state

    def initialOffset(self) -> dict[str, Any]:  # noqa: N802 - PySpark's interface
        return to_json(self.stream().initial())

    def latestOffset(self) -> dict[str, Any]:  # noqa: N802 - PySpark's interface
        return to_json(self.stream().advance())

    def partitions(self, start: dict[str, Any], end: dict[str, Any]) -> list[InputPartition]:
        """Plan a micro-batch; Spark also calls it with the checkpoint's last offset twice, before anything else."""
        stream = self.stream()
        stream.seen(from_json(end))
        ranges = plan(from_json(start), from_json(end))
        fetched = stream.fetched_for(from_json(start), from_json(end))
        if fetched is None:
            return [self.unread(*some) for some in batched(ranges, self.options.shards_per_task or 1)]
        if self.goes_straight():
            return [self.unread(*ranges)] if ranges else []
        return [
            FetchedShards(to_stream(list(chain.from_iterable(fetched[one.shard_id] for one in some))))
            for some in batched(ranges, self.options.shards_per_task or 1)
        ]

    def getCache(self, start: dict[str, Any], end: dict[str, Any]) -> Any:  # noqa: N802 - PySpark's interface
        """Return the rows that go straight to the JVM for the one partition planned; None where there are none."""
        fetched = self.stream().fetched_for(from_json(start), from_json(end)) if self.goes_straight() else None
        return chain.from_iterable(fetched.values()) if fetched else None

    def goes_straight(self) -> bool:
        return can_go_straight and not self.options.shards_per_task

    def unread(self, *ranges: ShardRange) -> UnreadRanges:
        description = self.stream().description
        return UnreadRanges(ranges, description.name, description.retention_ms)

    def commit(self, end: dict[str, Any]) -> None:
        self.stream().forget(from_json(end))

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        if isinstance(partition, FetchedShards):
            yield from pa.ipc.open_stream(partition.data)
        elif isinstance(partition, UnreadRanges):
            client = KinesisClient(self.options)
            for one in partition.ranges:
                yield from read_range(client, partition.stream, one, partition.retention_ms)


def to_stream(batches: list[pa.RecordBatch]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())
