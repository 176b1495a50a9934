"""The stream's idempotent PostgreSQL sink against plain JDBC append, and what each does with a repeated micro-batch.

Both get the same validated pins, already in Spark's memory, and write them into an empty table with the same primary
key; the better of ``RUNS`` counts. The stream writes up to ``DRIVER_ROWS`` rows from the driver and more by the
executors, whose ratio stands beside it. Goal: the sink writes at >= 0.7 of JDBC append's rate at 10,000 and 100,000
rows, and a repeated batch changes nothing, while JDBC append fails on it. Run with Spark's Python by
``benchmarks/run.py``.
"""

import os
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psycopg
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from benchmarks.own_sandbox import start
from benchmarks.stream_warehouse import fresh_warehouse
from pinterest_spark.session import build_session
from pinterest_spark.stream.queries import DRIVER_ROWS, validate
from pinterest_spark.stream.sink import StreamSink

ROWS = (10_000, 100_000)
RUNS = 3
GOAL = 0.7
CHECKPOINT = str(uuid.uuid4())
DRIVER = "org.postgresql.Driver"


def main() -> int:
    url = fresh_warehouse(start("postgres")["PINTEREST_WAREHOUSE_URL"])
    spark = build_session("stream-sink-benchmark", size="stream")
    spark.sparkContext.setLogLevel("OFF")  # JDBC's refusal, which is to be seen, is logged at length
    return max(measure(spark, url, rows) for rows in ROWS)


def measure(spark: SparkSession, url: str, rows: int) -> int:
    batch = validate(records(spark, rows), "pin").cache()
    appended = batch.drop("stream", "shard_id", "payload", "payload_bytes", "reject_reason", "defects")
    appended = appended.withColumn("stream_sequence", sf.col("stream_sequence").cast("decimal(38,0)"))
    appended = appended.withColumn("committed_at", sf.current_timestamp()).cache()
    assert batch.where("reject_reason is null").count() == appended.count() == rows

    sink = best(url, lambda: commit(url, batch, by_executors=rows > DRIVER_ROWS))
    again = commit(url, batch, by_executors=rows > DRIVER_ROWS)
    held = count(url)
    spread = best(url, lambda: commit(url, batch, by_executors=True))
    jdbc = best(url, lambda: append(url, appended))
    replay = refusal(lambda: append(url, appended))

    effect = "changes nothing" if again and held == rows else "CHANGED ROWS"
    print(f"{rows:,} rows: sink {rows / sink:,.0f} rows/s, JDBC append {rows / jdbc:,.0f} rows/s", end=", ")
    print(f"ratio {jdbc / sink:.2f} (goal: >= {GOAL}; by executors {jdbc / spread:.2f})", end=", ")
    print(f"repeated: sink {effect}, JDBC append {replay}", flush=True)
    batch.unpersist()
    appended.unpersist()
    return int(jdbc / sink < GOAL or not again or held != rows)


def records(spark: SparkSession, rows: int) -> DataFrame:
    """Return pins as the Kinesis source gives them."""
    text = sf.lit("easy summer ideas für Zuhause “vintage” DIY 🎨 recipe | guide to\tmodern \\ living ")
    pin = sf.struct(
        sf.col("id").alias("index"),
        sf.uuid().alias("unique_id"),
        sf.concat(text, sf.col("id")).alias("title"),
        sf.concat(text, text).alias("description"),
        sf.lit("a poster").alias("poster_name"),
        sf.lit("12k").alias("follower_count"),
        sf.lit("a,b,c,d,e,f,g,h,i").alias("tag_list"),
        sf.lit("image").alias("is_image_or_video"),
        sf.lit("https://i.pinimg.com/originals/x.jpg").alias("image_src"),
        sf.lit(1).alias("downloaded"),
        sf.lit("Local save in /data/art").alias("save_location"),
        sf.lit("art").alias("category"),
    )
    return spark.range(0, rows, 1, 2).select(
        sf.col("id").cast("string").alias("partitionKey"),
        sf.to_json(pin).cast("binary").alias("data"),
        sf.lit("streaming-pinterest-pin").alias("stream"),
        sf.lit("shardId-000000000000").alias("shardId"),
        sf.concat(sf.lit("49590"), sf.lpad(sf.col("id"), 20, "0")).alias("sequenceNumber"),
        sf.current_timestamp().alias("approximateArrivalTimestamp"),
    )


def commit(url: str, batch: DataFrame, *, by_executors: bool) -> bool:
    """Write the batch in one of the stream's two ways, and say whether it was a replay."""
    sink = StreamSink(url, "stream_pin", "pin")
    try:
        if by_executors:
            return sink.commit_by_executors(CHECKPOINT, 0, batch).is_replay
        return sink.commit(CHECKPOINT, 0, batch.toArrow()).is_replay
    finally:
        sink.close()


def append(url: str, rows: DataFrame) -> None:
    user, password = url.split("//")[1].split("@", maxsplit=1)[0].split(":")
    options = {
        "url": f"jdbc:postgresql://{url.split('@')[1]}?reWriteBatchedInserts=true&stringtype=unspecified",
        "user": user, "password": password, "driver": DRIVER, "dbtable": "stream.pin", "batchsize": "10000",
    }  # fmt: skip
    rows.write.format("jdbc").options(**options).mode("append").save()


def refusal(work: Callable[[], None]) -> str:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever Spark wraps the driver's error in
        return "fails on the primary key" if "duplicate key" in str(error) else f"fails: {str(error)[:200]}"
    return "DOUBLED ROWS"


def best(url: str, work: Callable[[], object]) -> float:
    """Return the seconds of the fastest run, each into empty tables."""
    seconds = []
    for _ in range(RUNS):
        with psycopg.connect(url) as connection:
            connection.execute("TRUNCATE stream.pin, stream.progress, stream.position, stream.quarantine, stream.post")
        began = time.monotonic()
        work()
        seconds.append(time.monotonic() - began)
    return min(seconds)


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        return (connection.execute("SELECT count(*) FROM stream.pin").fetchone() or (0,))[0]


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(
        Path(__file__).resolve().parent.parent / "include" / "spark"
    )  # of the Python workers
    sys.exit(main())
