"""The stream's rows against silver's, column by column: both clean the same posts, so they must not differ."""

import logging
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import tables as lake
from pinterest_spark.lakehouse.tables import Lake
from pinterest_spark.postgres import connect
from pinterest_spark.rows.schemas import SILVER, TABLES, silver_table

log = logging.getLogger(__name__)

# Not those of pinterest_spark.postgres: the session idles in its transaction while Spark compares a table
SETTINGS = {"statement_timeout": "60s", "lock_timeout": "30s"}
ROWS_PER_FETCH = 10_000
EXAMPLES = 5


def run(spark: SparkSession, where: Lake, warehouse_url: str, since: str = "") -> dict[str, Any]:
    """Compare the tables of schema ``stream`` with silver's, for the posts that both have.

    Result: ``{"stage", "since", "tables": {table: {"compared", "equal", "only_in_stream", "differences" (rows by
    column), "examples" (ids of posts that differ)}}, "seconds"}``. ``only_in_stream`` counts posts that silver has not
    got: the batch has not run since, or has refused them. The stream's rows pass through the driver, about 1 KB each.

    :param since: ISO 8601; compares the rows whose record arrived at Kinesis then or later, all where empty. An older
        row may rightly differ: the batch may have seen a newer version of the post.
    :raises StageError: for a ``since`` that is no time.
    """
    started = time.monotonic()
    arrived = arrival(since)
    tables = {}
    with connect(warehouse_url, settings=SETTINGS) as connection:
        for table in TABLES:
            rows = list(stream_rows(connection, table, arrived))
            streamed = spark.createDataFrame(rows, SILVER[table])
            tables[table] = compare(streamed, lake.read(spark, where.silver(table), silver_table(table)), table)
            log.info("Stream and silver, %s: %s", table, tables[table])
    return {"stage": "compare", "since": since, "tables": tables, "seconds": round(time.monotonic() - started, 3)}


def compare(streamed: DataFrame, silver: DataFrame, table: str) -> dict[str, Any]:
    """Return what :func:`run` says of one table; nulls are equal to nulls, and numbers to the last bit."""
    columns = [name for name in SILVER[table].names if name != "ind"]
    left, right = streamed.alias("streamed"), silver.withColumn("_known", sf.lit(True)).alias("silver")
    joined = left.join(right, "ind", "left").select(
        "ind", sf.col("_known").isNotNull().alias("_known"), *(differs(name).alias(name) for name in columns)
    )
    known = sf.col("_known")
    any_differs = known & sf.greatest(*(sf.col(name).cast("int") for name in columns), sf.lit(0)).cast("boolean")
    counted = joined.agg(
        sf.count_if(known).alias("_compared"),
        sf.count_if(~known).alias("_only_in_stream"),
        sf.count_if(any_differs).alias("_different"),
        sf.slice(sf.sort_array(sf.collect_list(sf.when(any_differs, sf.col("ind")))), 1, EXAMPLES).alias("_examples"),
        *(sf.count_if(known & sf.col(name)).alias(name) for name in columns),
    ).collect()[0]
    return {
        "compared": counted["_compared"],
        "equal": counted["_compared"] - counted["_different"],
        "only_in_stream": counted["_only_in_stream"],
        "differences": {name: counted[name] for name in columns if counted[name]},
        "examples": counted["_examples"],
    }


def differs(name: str) -> Column:
    return ~sf.col(f"streamed.{name}").eqNullSafe(sf.col(f"silver.{name}"))


def stream_rows(connection: psycopg.Connection, table: str, since: datetime | None) -> Iterator[tuple[Any, ...]]:
    """Yield rows of a stream table in silver's columns, by a server-side cursor."""
    columns = sql.SQL(", ").join(map(sql.Identifier, SILVER[table].names))
    query = sql.SQL("SELECT {} FROM {} WHERE %(since)s::timestamptz IS NULL OR ingested_at >= %(since)s")
    with connection.cursor(name="compared") as cursor:
        cursor.itersize = ROWS_PER_FETCH
        cursor.execute(query.format(columns, sql.Identifier("stream", table)), {"since": since})
        yield from cursor


def arrival(since: str) -> datetime | None:
    if not since:
        return None
    try:
        time_given = datetime.fromisoformat(since)
    except ValueError as error:
        raise StageError(f"since is {since!r}; write it like 2026-11-25T09:00:00+00:00, or leave it empty.") from error
    return time_given if time_given.tzinfo else datetime.fromisoformat(f"{since}+00:00")
