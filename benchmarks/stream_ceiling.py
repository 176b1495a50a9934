"""How many rows a second one driver writes to PostgreSQL over the three tables, and what takes the time.

No Spark and no Kinesis: each table's sink writes micro-batches of validated records from a thread of its own, as the
driver's three queries do, into empty tables and then over the same keys. The share of a step is its part of the time
within transactions; the wait for the lock of the join shows what three tables cost each other. Goal: >= 10,000 rows/s.
Run with Spark's Python by ``benchmarks/run.py``.
"""

import os
import sys
import threading
import time
from collections import Counter
from typing import ClassVar

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.own_sandbox import start
from benchmarks.stream_warehouse import fresh_warehouse
from pinterest_spark.rows.schemas import TABLES
from pinterest_spark.stream import sink as stream_sink
from pinterest_spark.stream import statements
from pinterest_spark.stream.sink import StreamSink
from tests.support.stream import checkpoint, record, validated

BATCHES, ROWS = 8, 10_000
GOAL = 10_000
VALUES = {
    "pin": {"title": "easy summer ideas für Zuhause 🎨", "description": "recipe and guide " * 5, "category": "art",
            "tag_list": list("abcdefghi"), "follower_count": 12_000, "downloaded": True},
    "geo": {"country": "Chad", "coordinates": [1.5, -2.5]},
    "user": {"user_name": "Ada Byron", "age": 30},
}  # fmt: skip


class Timed(psycopg.Cursor):
    """A cursor that adds up the seconds of each statement, by its first words."""

    seconds: ClassVar[Counter[str]] = Counter()

    def execute(self, query, *arguments, **options):
        began = time.monotonic()
        try:
            return super().execute(query, *arguments, **options)
        finally:
            text = query if isinstance(query, str) else query.as_string(self.connection)
            self.seconds[name_of(text)] += time.monotonic() - began


def name_of(text: str) -> str:
    names = {statements.LOCK_JOINS: "wait for the join's lock", statements.POSITIONS: "positions"}
    words = " ".join(text.split())
    return names.get(text) or ("join" if "stream.post" in words or '"post"' in words else words[:24])


def main() -> int:
    url = fresh_warehouse(start("postgres")["PINTEREST_WAREHOUSE_URL"])
    batches = {table: [batch(table, number) for number in range(BATCHES)] for table in TABLES}
    connect = stream_sink.connect

    def timed(*arguments, **options):
        connection = connect(*arguments, **options)
        connection.cursor_factory = Timed
        return connection

    stream_sink.connect = timed
    rates = [rate(url, batches, what) for what in ("new keys", "the same keys again, newer")]
    return int(min(rates) < GOAL)


def batch(table: str, number: int) -> pa.Table:
    keys = range(number * ROWS, (number + 1) * ROWS)
    return validated(table, *(record(key, key, stream=f"streaming-{table}", **VALUES[table]) for key in keys))


def later(batch: pa.Table) -> pa.Table:
    place = batch.schema.get_field_index("ingested_at")
    arrived = pc.add(batch["ingested_at"], pa.scalar(60_000_000, pa.duration("us")))
    return batch.set_column(place, batch.schema.field(place), arrived)


def rate(url: str, batches: dict[str, list[pa.Table]], what: str) -> float:
    Timed.seconds.clear()
    ready = threading.Barrier(len(TABLES) + 1)

    def write(table: str) -> None:
        sink, one = StreamSink(url, f"stream_{table}", table), checkpoint()
        ready.wait()
        for number, rows in enumerate(batches[table]):
            sink.commit(one, number, rows)
        sink.close()

    threads = [threading.Thread(target=write, args=(table,)) for table in TABLES]
    for thread in threads:
        thread.start()
    ready.wait()
    began, load = time.monotonic(), os.getloadavg()[0]
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    rows = len(TABLES) * BATCHES * ROWS
    print(
        f"{what}: {rows:,} rows in {seconds:.1f} s, {rows / seconds:,.0f} rows/s (goal: >= {GOAL:,}; load {load:.1f})"
    )
    for step, spent in Timed.seconds.most_common(8):
        print(f"  {step}: {spent:.1f} s of {len(TABLES)} x {seconds:.1f} s")
    for table in TABLES:
        batches[table] = [later(one) for one in batches[table]]
    return rows / seconds


if __name__ == "__main__":
    sys.exit(main())
