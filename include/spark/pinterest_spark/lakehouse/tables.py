"""Where things lie in the lake, and the few Delta steps that bronze, silver and gold share."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from delta.tables import DeltaTable
from pyspark import StorageLevel, inheritable_thread_target
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from pinterest_spark.errors import StageError

FIRST_WRITE = threading.Lock()
PARTITIONED = ("table_name",)  # of the tables that the three share: their commits never conflict


@dataclass(frozen=True)
class Lake:
    """The folders below one URI, for example ``s3a://pinterest-lake``."""

    uri: str

    def __post_init__(self) -> None:
        if "://" not in self.uri:
            raise StageError(f"lake_uri is {self.uri!r}; it must be a URI such as s3://bucket or file:///folder.")
        object.__setattr__(self, "uri", self.uri.rstrip("/"))

    def topic(self, topic: str) -> str:
        """Return a topic's folders as a glob: of every generation, ``topics`` and ``topics-<generation>``."""
        return f"{self.uri}/topics*/{topic}"

    def bronze(self, table: str) -> str:
        return f"{self.uri}/delta/bronze/{table}"

    def silver(self, table: str) -> str:
        return f"{self.uri}/delta/silver/{table}"

    def stream(self, table: str) -> str:
        return f"{self.uri}/delta/stream/{table}"

    def gold(self, table: str) -> str:
        return f"{self.uri}/delta/gold/{table}"

    @property
    def quarantine(self) -> str:
        return f"{self.uri}/delta/quarantine"

    @property
    def silver_batches(self) -> str:
        return f"{self.uri}/delta/audit/silver_batches"

    @property
    def reprocessing(self) -> str:
        return f"{self.uri}/delta/audit/reprocessing"

    @property
    def unreadable(self) -> str:
        return f"{self.uri}/delta/audit/unreadable_objects"

    @property
    def read_again(self) -> str:
        return f"{self.uri}/delta/audit/objects_read_again"

    def checkpoint(self, stage: str, table: str) -> str:
        return f"{self.uri}/checkpoints/{stage}/{table}"


def exists(spark: SparkSession, path: str) -> bool:
    return bool(DeltaTable.isDeltaTable(spark, path))


def read(spark: SparkSession, path: str, schema: StructType) -> DataFrame:
    """Return a Delta table's rows, none where nothing has been written yet: a first run finds an empty lake."""
    return spark.read.format("delta").load(path) if exists(spark, path) else local_rows(spark, [], schema)


def local_rows(spark: SparkSession, rows: Sequence[tuple[object, ...]], schema: StructType) -> DataFrame:
    """Return rows that the driver holds as a local relation, which the optimiser knows; an empty one costs no job.

    Of a list Spark makes pickled records instead, and every query that reads them starts Python workers to do so. A
    timestamp needs an offset: without one it is taken as UTC.
    """
    records = [dict(zip(schema.names, row, strict=True)) for row in rows]
    return spark.createDataFrame(pa.Table.from_pylist(records, schema=to_arrow_schema(schema)), schema)


def append(rows: DataFrame, path: str, partitioned_by: tuple[str, ...] = (), **options: str) -> None:
    """Append rows; the first append makes the table (a commit costs 0.3-0.5 s, so that none is spent on making it)."""
    rows.write.format("delta").mode("append").partitionBy(*partitioned_by).options(**options).save(path)


@contextmanager
def cached(rows: DataFrame) -> Iterator[DataFrame]:
    """Hold rows that several steps read: each would compute them again, or read what has changed meanwhile."""
    held = rows.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        yield held
    finally:
        held.unpersist()


def row_count(spark: SparkSession, path: str) -> int:
    """Return the number of rows; Delta answers an unfiltered count from its log, without a scan."""
    return spark.read.format("delta").load(path).count() if exists(spark, path) else 0


@contextmanager
def create_once(spark: SparkSession, path: str) -> Iterator[bool]:
    """Tell a thread whether a table that several share is there already; if not, only one thread at a time goes on."""
    if exists(spark, path):
        yield True
        return
    with FIRST_WRITE:
        yield exists(spark, path)


def append_row(spark: SparkSession, row: tuple[object, ...], schema: StructType, path: str) -> None:
    """Append one row to a table that pin, geo and user share; the first of them makes it."""
    with create_once(spark, path):
        append(local_rows(spark, [row], schema), path, PARTITIONED)


def run_in_threads[Item, Result](
    spark: SparkSession, items: Iterable[Item], work: Callable[[Item], Result]
) -> list[Result]:
    """Do ``work`` for every item in threads and return the results in order; the first error is raised.

    A Delta commit or a streaming micro-batch is mostly waiting (0.3-0.5 s each), so that independent ones overlap even
    on two cores. The threads inherit the caller's job group: a cancelled notebook takes their jobs along.
    """
    waiting = list(items)
    inheriting = inheritable_thread_target(spark)
    with ThreadPoolExecutor(max_workers=max(1, len(waiting))) as threads:
        running = [threads.submit(inheriting(work), item) for item in waiting]
        return [future.result() for future in running]
