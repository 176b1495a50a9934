"""Where things lie in the lake, and the few Delta steps that bronze, silver and gold share."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from delta.tables import DeltaTable
from pyspark import inheritable_thread_target
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from pinterest_spark.errors import StageError


@dataclass(frozen=True)
class Lake:
    """The folders below one URI, for example ``s3a://pinterest-lake``."""

    uri: str

    def __post_init__(self) -> None:
        if "://" not in self.uri:
            raise StageError(f"lake_uri is {self.uri!r}; it must be a URI such as s3://bucket or file:///folder.")
        object.__setattr__(self, "uri", self.uri.rstrip("/"))

    def topic(self, topic: str) -> str:
        return f"{self.uri}/topics/{topic}"

    def bronze(self, table: str) -> str:
        return f"{self.uri}/delta/bronze/{table}"

    def silver(self, table: str) -> str:
        return f"{self.uri}/delta/silver/{table}"

    def gold(self, table: str) -> str:
        return f"{self.uri}/delta/gold/{table}"

    @property
    def quarantine(self) -> str:
        return f"{self.uri}/delta/quarantine"

    @property
    def silver_batches(self) -> str:
        return f"{self.uri}/delta/audit/silver_batches"

    def checkpoint(self, stage: str, table: str) -> str:
        return f"{self.uri}/checkpoints/{stage}/{table}"


def ensure_table(spark: SparkSession, path: str, schema: StructType, partitioned_by: tuple[str, ...] = ()) -> None:
    """Create an empty Delta table where there is none; an existing one is left alone."""
    if not DeltaTable.isDeltaTable(spark, path):
        builder = DeltaTable.createIfNotExists(spark).location(path).addColumns(schema)
        builder.partitionedBy(*partitioned_by).execute()


def read(spark: SparkSession, path: str) -> DataFrame:
    return spark.read.format("delta").load(path)


def append(rows: DataFrame, path: str) -> None:
    rows.write.format("delta").mode("append").save(path)


def row_count(spark: SparkSession, path: str) -> int:
    """Return the number of rows; Delta answers an unfiltered count from its log, without a scan."""
    return read(spark, path).count()


def at_once[Item, Result](spark: SparkSession, items: Iterable[Item], work: Callable[[Item], Result]) -> list[Result]:
    """Do ``work`` for every item in threads and return the results in order; the first error is raised.

    A Delta commit or a streaming micro-batch is mostly waiting (0.3-0.5 s each), so that independent ones overlap even
    on two cores. The threads inherit the caller's job group: a cancelled notebook takes their jobs along.
    """
    waiting = list(items)
    inheriting = inheritable_thread_target(spark)
    with ThreadPoolExecutor(max_workers=max(1, len(waiting))) as threads:
        running = [threads.submit(inheriting(work), item) for item in waiting]
        return [future.result() for future in running]
