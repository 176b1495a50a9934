"""Queries that read a test's own Kinesis stream through the Spark source."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.kinesis import KinesisLab
from tests.support.waiting import wait_until


class SourceLab:
    """Queries of one checkpoint, one after the other.

    ``batches`` has the rows of every run of a micro-batch; ``rows`` those of the last run of each, which is what an
    idempotent sink has in the end.
    """

    def __init__(self, spark: Any, kinesis: KinesisLab, checkpoint: Path) -> None:
        from pinterest_spark.kinesis.source import register

        register(spark)
        self.spark = spark
        self.kinesis = kinesis
        self.checkpoint = checkpoint
        self.batches: list[tuple[int, list[Any]]] = []
        self.partition_counts: list[int] = []
        self.queries: list[Any] = []

    @property
    def rows(self) -> list[Any]:
        return [row for rows in dict(self.batches).values() for row in rows]

    @property
    def data(self) -> list[str]:
        return [bytes(row.data).decode() for row in self.rows]

    def load(self, **options: str) -> Any:
        given = {"streamName": self.kinesis.name, "initialPosition": "earliest", "minFetchPeriod": "200ms"}
        given["endpointUrl"] = self.kinesis.endpoint_url
        return self.spark.readStream.format("kinesis").options(**{**given, **options}).load()

    def start(self, trigger: dict[str, Any] | None = None, **options: str) -> Any:
        """Start a query that collects every row."""

        def keep(batch: Any, batch_id: int) -> None:
            self.partition_counts.append(batch.rdd.getNumPartitions())
            self.batches.append((batch_id, batch.collect()))

        writer = self.load(**options).writeStream.option("checkpointLocation", str(self.checkpoint))
        query = writer.foreachBatch(keep).trigger(**(trigger or {"processingTime": "0.2 seconds"})).start()
        self.queries.append(query)
        return query

    def run(self, **options: str) -> None:
        """Read what there is now in one micro-batch, from where the checkpoint is."""
        self.start({"availableNow": True}, **options).awaitTermination(60)

    def run_until(self, is_so: Callable[[], bool], **options: str) -> None:
        """Run a query until it is so, and stop it."""
        query = self.start(**options)
        self.wait_for(is_so, query)
        query.stop()

    def wait_for(self, is_so: Callable[[], bool], query: Any = None) -> None:
        """Wait until it is so, which the query, if there is one, must live to see."""

        def is_reached() -> bool:
            assert query is None or query.isActive, query.exception()
            return is_so()

        wait_until(is_reached, 60, lambda: f"{len(self.rows)} rows: {query and query.lastProgress}")

    def stop(self) -> None:
        for query in self.queries:
            query.stop()

    def lose_commit(self) -> int:
        """Take back the last commit, as a driver does that dies after its sink; return the batch's id."""
        last = max(int(file.name) for file in (self.checkpoint / "commits").glob("[0-9]*"))
        for file in (self.checkpoint / "commits").glob(f"*{last}*"):
            file.unlink()
        return last

    def edit_offset(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Rewrite the last offset in the checkpoint."""
        folder = self.checkpoint / "offsets"
        last = max((file for file in folder.glob("[0-9]*")), key=lambda file: int(file.name))
        *head, text = last.read_text().splitlines()
        offset = json.loads(text)
        change(offset)
        last.write_text("\n".join([*head, json.dumps(offset)]))
        for checksum in folder.glob(".*.crc"):
            checksum.unlink()

    def last_offset(self) -> dict[str, Any]:
        last = max((file for file in (self.checkpoint / "offsets").glob("[0-9]*")), key=lambda file: int(file.name))
        offset: dict[str, Any] = json.loads(last.read_text().splitlines()[-1])
        return offset
