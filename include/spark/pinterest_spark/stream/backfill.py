"""Rows of silver into the stream's tables, after records were lost on their way through Kinesis.

A row goes in by the stream's own upsert, as a record that arrived when it came to Kafka: never over a row that arrived
later, or at the same moment. Running it again changes nothing.
"""

import logging
import time
from typing import Any
from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import tables as lake
from pinterest_spark.lakehouse.tables import Lake
from pinterest_spark.rows.schemas import SILVER, TABLES, silver_table
from pinterest_spark.stream.compare import arrival
from pinterest_spark.stream.sink import StreamSink, check_tables
from pinterest_spark.stream.statements import NO_SHARD, statements_of

log = logging.getLogger(__name__)

ROWS_PER_BATCH = 50_000  # of one transaction


def run(spark: SparkSession, where: Lake, warehouse_url: str, since: str, until: str) -> dict[str, Any]:
    """Write silver's rows whose record came to Kafka from ``since`` on and before ``until`` (ISO 8601).

    Result: ``{"stage", "since", "until", "tables": {table: {"records", "rows", "duplicates"}}, "seconds"}``: rows read,
    keys new to the stream's table, and the rest: keys that it had, replaced where silver's is newer.
    ``stream.progress`` has them as query ``backfill_<table>``.

    :raises StageError: for times that are none or no window, or a warehouse without the tables.
    """
    started = time.monotonic()
    first, last = arrival(since, "since"), arrival(until, "until")
    if first is None or last is None or first >= last:
        raise StageError(f"The window from {since or 'nothing'} to {until or 'nothing'} is none; give both, in order.")
    check_tables(warehouse_url)
    tables = {}
    for table in TABLES:
        silver = lake.read(spark, where.silver(table), silver_table(table))
        came = sf.col("_kafka_timestamp")
        wanted = silver.where((came >= sf.lit(first)) & (came < sf.lit(last)))
        tables[table] = write(as_records(wanted, table), table, warehouse_url)
        log.info("Backfill of stream.%s from silver: %s", table, tables[table])
    seconds = round(time.monotonic() - started, 3)
    return {"stage": "backfill", "since": since, "until": until, "tables": tables, "seconds": seconds}


def as_records(silver: DataFrame, table: str) -> DataFrame:
    """Return rows of silver in the columns of the stream's sink."""
    lineage = {
        "stream": sf.lit("silver"),
        "shard_id": sf.lit(NO_SHARD),
        # Below 0: of two that arrived at the same moment the stream's own stays; each id its own, as in no aggregate
        "stream_sequence": (-1 - sf.col("ind")).cast("string"),
        "ingested_at": sf.col("_kafka_timestamp"),
        "payload": sf.lit(None).cast("string"),
        "payload_bytes": sf.lit(None).cast("binary"),
        "reject_reason": sf.lit(None).cast("string"),
        "defects": sf.array().cast("array<string>"),
    }
    return silver.select(*SILVER[table].names, *(value.alias(name) for name, value in lineage.items())).select(
        *statements_of(table).columns
    )


def write(records: DataFrame, table: str, warehouse_url: str) -> dict[str, int]:
    done = dict.fromkeys(("records", "rows", "duplicates"), 0)
    sink, checkpoint_id = StreamSink(warehouse_url, f"backfill_{table}", table), str(uuid4())
    with lake.cached(records) as held:
        batches = -(-held.count() // ROWS_PER_BATCH)
        for number in range(batches):
            some = held.where(sf.pmod(sf.xxhash64("ind"), sf.lit(batches)) == number)
            committed = sink.commit_by_executors(checkpoint_id, number, some)
            for name in done:
                done[name] += getattr(committed, name)
    sink.close()
    return done
