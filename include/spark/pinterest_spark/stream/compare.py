"""The stream's rows against silver's, column by column: both clean the same posts, so they must not differ."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import sql
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.types import StructField, StructType, TimestampType

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import tables as lake
from pinterest_spark.lakehouse.tables import Lake
from pinterest_spark.postgres import connect, retry
from pinterest_spark.rows.schemas import SILVER, TABLES, silver_table

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

ROWS_PER_FETCH = 10_000
ROWS_PER_TASK = 100_000
EXAMPLES = 5
# What the stream covers, by arrival; batch -1 of a checkpoint sums up the oldest
COVERED = "SELECT min(first_arrival), max(last_arrival) FROM stream.progress WHERE query = %s"


def run(spark: SparkSession, where: Lake, warehouse_url: str, since: str = "") -> dict[str, Any]:
    """Compare the tables of schema ``stream`` with silver's, for the posts that both have.

    Result: ``{"stage", "since", "tables": {table: {"compared", "equal", "only_in_stream", "only_in_silver",
    "differences" (rows by column), "examples" (ids of posts that differ)}}, "seconds"}``. ``only_in_stream`` counts
    posts that silver has not got: the batch has not run since, or has refused them. ``only_in_silver`` counts posts
    that the stream has not got, although they came to Kafka within the time that the stream covers. Spark's tasks read
    PostgreSQL, about 100,000 rows each; the driver gets counts.

    :param since: ISO 8601; compares the rows whose record arrived then or later, all where empty. An older row may
        rightly differ: the batch may have seen a newer version of the post.
    :raises StageError: for a ``since`` that is no time.
    """
    started = time.monotonic()
    arrived = arrival(since, "since")
    tables = {}
    for table in TABLES:
        streamed, covered = retry(partial(stream_rows, spark, warehouse_url, table))
        silver = lake.read(spark, where.silver(table), silver_table(table))
        tables[table] = compare(streamed, silver, table, arrived, covered)
        log.info("Stream and silver, %s: %s", table, tables[table])
    return {"stage": "compare", "since": since, "tables": tables, "seconds": round(time.monotonic() - started, 3)}


def compare(
    streamed: DataFrame,
    silver: DataFrame,
    table: str,
    since: datetime | None = None,
    covered: tuple[datetime | None, datetime | None] = (None, None),
) -> dict[str, Any]:
    """Return what :func:`run` says of one table; nulls are equal to nulls, and numbers to the last bit.

    :param streamed: silver's columns and ``ingested_at``.
    :param covered: first and last arrival that the stream knows; without them nothing counts as ``only_in_silver``.
    """
    columns = [name for name in SILVER[table].names if name != "ind"]
    left = streamed.withColumn("_streamed", sf.lit(True)).alias("streamed")
    right = silver.withColumn("_known", sf.lit(True)).alias("silver")
    in_scope = sf.col("_streamed").isNotNull() & (sf.lit(since is None) | (sf.col("ingested_at") >= sf.lit(since)))
    first, last = (max(filter(None, (covered[0], since)), default=None), covered[1])
    joined = left.join(right, "ind", "full").select(
        "ind",
        (in_scope & sf.col("_known").isNotNull()).alias("_known"),
        (in_scope & sf.col("_known").isNull()).alias("_only_in_stream"),
        (sf.col("_streamed").isNull() & sf.col("_kafka_timestamp").between(sf.lit(first), sf.lit(last))).alias(
            "_only_in_silver"
        ),
        *(differs(name).alias(name) for name in columns),
    )
    known = sf.col("_known")
    any_differs = known & sf.greatest(*(sf.col(name).cast("int") for name in columns), sf.lit(0)).cast("boolean")
    counted = joined.agg(
        sf.count_if(known).alias("_compared"),
        sf.count_if(sf.col("_only_in_stream")).alias("_only_in_stream"),
        sf.count_if(sf.col("_only_in_silver")).alias("_only_in_silver"),
        sf.count_if(any_differs).alias("_different"),
        sf.slice(sf.sort_array(sf.collect_list(sf.when(any_differs, sf.col("ind")))), 1, EXAMPLES).alias("_examples"),
        *(sf.count_if(known & sf.col(name)).alias(name) for name in columns),
    ).collect()[0]
    return {
        "compared": counted["_compared"],
        "equal": counted["_compared"] - counted["_different"],
        "only_in_stream": counted["_only_in_stream"],
        "only_in_silver": counted["_only_in_silver"],
        "differences": {name: counted[name] for name in columns if counted[name]},
        "examples": counted["_examples"],
    }


def differs(name: str) -> Column:
    return ~sf.col(f"streamed.{name}").eqNullSafe(sf.col(f"silver.{name}"))


def stream_rows(spark: SparkSession, url: str, table: str) -> tuple[DataFrame, tuple[datetime | None, datetime | None]]:
    """Return the rows of a stream table, read by Spark's tasks in ranges of ids, and the arrivals that it covers."""
    with connect(url) as connection:
        bounds = sql.SQL("SELECT min(ind), max(ind), count(*) FROM {}").format(sql.Identifier("stream", table))
        least, greatest, count = connection.execute(bounds).fetchone() or (None, None, 0)
        covered = connection.execute(COVERED, [f"stream_{table}"]).fetchone() or (None, None)
    tasks = -(-count // ROWS_PER_TASK)
    step = -(-((greatest or 0) - (least or 0) + 1) // max(1, tasks))
    begins = spark.range(0, tasks, 1, max(1, tasks)).select((sf.col("id") * step + (least or 0)).alias("begin"))
    return begins.mapInArrow(reader(url, table, step), compared_columns(table)), covered


def compared_columns(table: str) -> StructType:
    return StructType([*SILVER[table].fields, StructField("ingested_at", TimestampType())])


def reader(url: str, table: str, step: int) -> Callable[[Iterable["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]:
    """Return the function for ``mapInArrow`` that reads the ids from ``begin`` on, so many."""

    def read(begins: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        import pyarrow as pa  # noqa: PLC0415 - on the executor
        from pyspark.sql.pandas.types import to_arrow_schema  # noqa: PLC0415

        schema = to_arrow_schema(compared_columns(table))
        columns = sql.SQL(", ").join(map(sql.Identifier, schema.names))
        query = sql.SQL("SELECT {} FROM {} WHERE ind >= %s AND ind < %s").format(
            columns, sql.Identifier("stream", table)
        )
        for begin in (one for batch in begins for one in batch.column("begin").to_pylist()):
            with retry(lambda: connect(url)) as connection, connection.cursor(name="compared") as cursor:
                cursor.execute(query, [begin, begin + step])
                while rows := cursor.fetchmany(ROWS_PER_FETCH):
                    records = [dict(zip(schema.names, row, strict=True)) for row in rows]
                    yield pa.RecordBatch.from_pylist(records, schema=schema)

    return read


def arrival(text: str, name: str) -> datetime | None:
    """Return a time that a widget gave, in UTC unless it says otherwise."""
    if not text:
        return None
    try:
        time_given = datetime.fromisoformat(text)
    except ValueError as error:
        raise StageError(f"{name} is {text!r}; write it like 2026-11-25T09:00:00+00:00.") from error
    return time_given if time_given.tzinfo else datetime.fromisoformat(f"{text}+00:00")
