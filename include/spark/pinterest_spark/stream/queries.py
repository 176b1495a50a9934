"""The stream: records of Kinesis, validated and cleaned as the batch does it, in PostgreSQL a moment later.

Three queries, each with a checkpoint and a sink of its own. The whole transformation stands in the streaming plan, so
that it is analysed once and not for each micro-batch, and a micro-batch is one Spark action.
"""

import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.streaming.query import StreamingQuery

from pinterest_spark.errors import StageError
from pinterest_spark.kinesis import source as kinesis_source
from pinterest_spark.lakehouse.tables import Lake
from pinterest_spark.rows.rules import refine
from pinterest_spark.rows.schemas import SILVER
from pinterest_spark.stream.control import Control
from pinterest_spark.stream.settings import StreamSettings
from pinterest_spark.stream.sink import Committed, StreamSink, check_tables
from pinterest_spark.stream.upkeep import Upkeep

log = logging.getLogger(__name__)

DRIVER_ROWS = (
    100_000  # of validated records, below 1 KB each: what the driver may hold at once for each of three queries
)
WATCH_SECONDS = 0.5
START_SECONDS = 120.0  # the id of a checkpoint is known once its query has started
START_ATTEMPTS = 4
START_PAUSE_SECONDS = 2.0
STAYING = ("pinterest_spark.errors.StageError", "pinterest_spark.errors.DataLossError")
# Spark's words for a query that has not read its source yet, or is about to end
STARTING = ("Initializing", "Getting offsets", "Terminated")


def run(spark: SparkSession, settings: StreamSettings, warehouse_url: str) -> dict[str, Any]:
    """Stream until asked to stop, and return what was committed; a failing query ends the others and is raised.

    A query that would lose records stops alone, and starts again once a user has accepted that in ``stream.data_loss``.
    Result: ``{"stage", "tables": {table: {"batches", "replays", "records", "rows", "duplicates", "quarantined"}},
    "seconds"}``; ``records`` = ``rows`` (keys new to the table) + ``duplicates`` + ``quarantined``, of this run.

    :raises StageError: naming the query that failed and why, or the tables that the warehouse lacks.
    """
    started = time.monotonic()
    check_tables(warehouse_url)
    control = Control(warehouse_url)
    is_ours = kinesis_source.register(spark)
    writers = [Writer(settings, table, warehouse_url, may_be_big=not is_ours) for table in settings.tables]
    upkeep = Upkeep(
        warehouse_url,
        [writer.name for writer in writers],
        [settings.stream(table) for table in settings.tables],
        settings.retention_days,
    )
    try:
        upkeep.start()
        for writer in writers:
            begin(writer, partial(records, spark, settings, writer.table, is_ours=is_ours))
        watch(
            writers,
            control,
            lambda writer: records(spark, settings, writer.table, is_ours=is_ours, may_lose=True),
        )
    finally:
        stop(writers)
        upkeep.stop()
        control.close()
    return {
        "stage": "stream",
        "tables": {writer.table: writer.counts for writer in writers},
        "seconds": round(time.monotonic() - started, 3),
    }


def records(
    spark: SparkSession, settings: StreamSettings, table: str, *, is_ours: bool, may_lose: bool = False
) -> DataFrame:
    """Return a stream as the Kinesis source gives it; only our own knows a bound for the records of a micro-batch.

    :param may_lose: Go on with what is left where records are lost; a user has accepted that.
    """
    options = {**settings.options(table), "failOnDataLoss": str(not may_lose).lower()}
    if is_ours:
        options["maxRecordsPerBatch"] = str(settings.max_records_per_batch)
    return spark.readStream.format("kinesis").options(**options).load()


def validate(kinesis: DataFrame, table: str) -> DataFrame:
    """Return records of Kinesis refined, in the columns of the sink; only a rejected record keeps its payload.

    ``payload_bytes`` has the record as it came where ``payload`` cannot: no UTF-8, or with NUL.

    In: ``data`` binary, ``stream``, ``shardId``, ``sequenceNumber`` string, ``approximateArrivalTimestamp`` timestamp.
    Out: the silver columns, then ``stream_statements.LINEAGE``.
    """
    envelopes = kinesis.select(
        payload_text().alias("_payload"),
        sf.col("data").alias("_data"),
        sf.col("approximateArrivalTimestamp").alias("_arrived_at"),
        sf.regexp_replace("stream", "^arn:.*:stream/", "").alias("_stream"),  # by ARN where it was read by ARN
        sf.col("shardId").alias("_shard_id"),
        sf.col("sequenceNumber").alias("_sequence"),
    )
    return refine(envelopes, table).select(
        *(sf.col(field.name).cast(field.dataType) for field in SILVER[table]),
        sf.col("_stream").alias("stream"),
        sf.col("_shard_id").alias("shard_id"),
        sf.col("_sequence").alias("stream_sequence"),
        sf.col("_arrived_at").alias("ingested_at"),
        sf.when(sf.col("_reject_reason").isNotNull(), sf.col("_payload")).alias("payload"),
        sf.when(sf.col("_reject_reason").isNotNull() & ~is_text(), sf.col("_data")).alias("payload_bytes"),
        sf.col("_reject_reason").alias("reject_reason"),
        sf.col("_defects").alias("defects"),
    )


def payload_text() -> Column:
    """Return the record as text; bytes that are no UTF-8 become U+FFFD, as they do on the way through the lake."""
    return sf.make_valid_utf8(sf.col("data").cast("string"))


def is_text() -> Column:
    """Say whether PostgreSQL's text holds the record's bytes as they are."""
    return sf.is_valid_utf8(sf.col("_data").cast("string")) & ~sf.contains("_payload", sf.lit("\0"))


class Writer:
    """One query and its sink."""

    def __init__(
        self,
        settings: StreamSettings,
        table: str,
        url: str,
        *,
        may_be_big: bool = False,
        driver_rows: int = DRIVER_ROWS,
    ) -> None:
        self.settings = settings
        self.table = table
        self.name = f"stream_{table}"
        self.sink = StreamSink(url, self.name, table)
        self.driver_rows = driver_rows
        self.looks_first = may_be_big or settings.max_records_per_batch > driver_rows
        self.lake = Lake(settings.lake_uri) if settings.lake_uri else None
        self.checkpoint_id: Future[str] = Future()
        self.query: StreamingQuery | None = None
        self.is_stopped = False
        self.lost = ""  # why it waits for a user, who is to accept a loss
        self.has_begun = False
        self.counts = dict.fromkeys(("batches", "replays", "records", "rows", "duplicates", "quarantined"), 0)

    def start(self, kinesis: DataFrame) -> None:
        self.checkpoint_id = Future()
        self.lost = ""
        self.query = (
            validate(kinesis, self.table)
            .writeStream.queryName(self.name)
            .option("checkpointLocation", self.settings.checkpoint(self.name))
            .trigger(processingTime=self.settings.trigger)
            .foreachBatch(self.write)
            .start()
        )
        self.checkpoint_id.set_result(str(self.query.id))

    def await_start(self, pause: Callable[[float], None] = time.sleep) -> bool:
        """Wait until the query has read its source once; return whether it is alive."""
        deadline = time.monotonic() + START_SECONDS
        while self.query is not None and self.query.isActive and time.monotonic() < deadline:
            if self.query.lastProgress is not None or not self.query.status["message"].startswith(STARTING):
                break
            pause(0.1)
        return self.query is not None and self.query.isActive

    def write(self, batch: DataFrame, batch_id: int) -> None:
        """Commit a micro-batch; the lake, if asked for, after PostgreSQL, by a write that Delta does once."""
        checkpoint_id = self.checkpoint_id.result(START_SECONDS)
        if self.looks_first or self.lake is not None:
            batch.persist()
        try:
            if self.looks_first and batch.count() > self.driver_rows:
                committed = self.sink.commit_by_executors(checkpoint_id, batch_id, batch)
            else:
                committed = self.sink.commit(checkpoint_id, batch_id, batch.toArrow())
            if self.lake is not None:
                once = {"txnAppId": f"{self.name}/{checkpoint_id}", "txnVersion": str(batch_id)}
                batch.write.format("delta").mode("append").options(**once).save(self.lake.stream(self.table))
        finally:
            if batch.is_cached:
                batch.unpersist()
        self.count(committed)

    def count(self, committed: Committed) -> None:
        self.counts["batches"] += 1
        # Aggregates hold more records than a micro-batch was to have: from now on their number decides who writes them
        self.looks_first |= committed.records > self.settings.max_records_per_batch
        self.counts["replays"] += committed.is_replay
        for name in ("records", "rows", "duplicates", "quarantined"):
            self.counts[name] += getattr(committed, name)

    def check(self, control: Control) -> None:
        """Take note of a loss of records.

        :raises StageError: when the query ended by itself, for another reason.
        """
        if self.query is None or self.is_stopped or self.lost:
            return
        if self.query.isActive:
            if not self.has_begun and self.query.lastProgress is not None:
                self.has_begun = control.drop_acceptance(self.name)
            return
        said, error = self.last_words()
        if what := lost_records(said):
            if control.report_loss(self.name, what):
                self.lost = what
                log.error("%s waits until its loss is accepted: %s", self.name, self.lost)
            return
        raise StageError(f"{self.name} failed, the other queries were stopped. {reason(said)}") from error

    def last_words(self) -> tuple[list[str], Exception | None]:
        error = self.query.exception() if self.query is not None else None
        return str(error).strip().splitlines() if error else ["it ended without an error"], error

    def stop(self) -> None:
        """End the query; a micro-batch at work is finished or left to the next run, which does it once either way."""
        self.is_stopped = True
        if self.query is not None:
            self.query.stop()
        self.sink.close()


def begin(writer: Writer, stream: Callable[[], DataFrame], pause: Callable[[float], None] = time.sleep) -> None:
    """Start a query and wait until it has read its source; start it again where it ended before that.

    A source and the sink start Python processes, each within a time that Spark fixes: on a machine under load three
    queries that start at once exceed it together. What no second start changes is left to :func:`watch`.
    """
    for attempt in range(1, START_ATTEMPTS + 1):
        writer.start(stream())
        if writer.await_start():
            return
        said, _ = writer.last_words()
        if lost_records(said) or attempt == START_ATTEMPTS or reason(said).startswith(STAYING):
            return
        seconds = START_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
        log.warning("%s did not start (%s); again in %.1f s", writer.name, reason(said), seconds)
        pause(seconds)


def lost_records(said: list[str]) -> str:
    """Return what a source says of lost records, empty text where it ended for another reason.

    Every source names its option for going on, which a user does not set: an acceptance does.
    """
    if not any("DataLossError" in line or "failondataloss" in line.lower() for line in said):
        return ""
    return reason(said).rpartition("DataLossError: ")[2].partition(" Set failOnDataLoss")[0]


def reason(said: list[str]) -> str:
    """Return the line of a Python traceback that says what went wrong, the first line where there is none."""
    raised = [line.strip() for line in said if line.strip().startswith(("pinterest_spark.", "psycopg.", "botocore."))]
    if not raised and said[0] in {"", "null"}:  # the JVM read from a process that was no longer there
        return "Spark gives no reason: one of its Python processes was killed, perhaps for want of memory."
    return (raised or said)[-1 if raised else 0]


def watch(writers: list[Writer], control: Control, lossy: Callable[[Writer], DataFrame]) -> None:
    """Wait until every query was asked to stop; between the checks the queries are left alone.

    :param lossy: Returns the stream of a query whose loss was accepted, to start it again.
    """
    running = list(writers)
    while running:
        for writer in running:
            writer.check(control)
        accepted = control.use_acceptance([writer.name for writer in running if writer.lost])
        for writer in running:
            if writer.name in accepted:
                log.warning("%s goes on without what is lost, which a user has accepted", writer.name)
                writer.start(lossy(writer))
        stopping = control.queries_to_stop([writer.name for writer in running])
        leaving = [writer for writer in running if writer.name in stopping]
        if leaving:
            log.info("Asked to stop: %s", ", ".join(writer.name for writer in leaving))
            stop(leaving)
            running = [writer for writer in running if writer not in leaving]
        else:
            time.sleep(WATCH_SECONDS)


def stop(writers: list[Writer]) -> None:
    """Stop the queries that are not, at the same time."""
    left = [writer for writer in writers if not writer.is_stopped]
    if left:
        with ThreadPoolExecutor(len(left)) as threads:
            for stopped in [threads.submit(writer.stop) for writer in left]:
                stopped.result()
