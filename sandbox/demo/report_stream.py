"""The report's part on the stream: records put, rows committed, how long that took, and whether silver agrees.

All counts are since the streams were made, not of one run: records of Kinesis by a reader of our own, rows and
quarantine from their tables, duplicates from ``stream.progress``. Latency is of the newest emulation alone: from the
moment its request set out to the commit of the micro-batch that wrote the row, for rows that no later record replaced.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from sandbox.data.emulate_senders import Put, stream_name
from sandbox.run.settings import CALL_SECONDS, Settings
from sandbox.servers.ministack import client

TABLES = ("pin", "geo", "user")
COUNTS = ("put", "committed", "duplicates", "quarantined")
COMMITTED_AT = """
    SELECT written.stream_sequence::text, extract(epoch FROM (
        SELECT min(batch.committed_at) FROM stream.progress AS batch
        WHERE batch.query = {query} AND batch.committed_at >= written.committed_at
    ))::float8
    FROM {table} AS written WHERE written.stream_sequence = ANY(%s::numeric[])"""


def collect(
    settings: Settings, emulated: Mapping[str, Any], acknowledged: Sequence[Put], compared: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the part ``stream`` of ``report.json``.

    Keys: ``pin``, ``geo``, ``user`` with ``COUNTS`` and ``quarantine_reasons``; ``latency_ms`` (``p50``, ``p95`` in
    milliseconds, ``rows``); ``emulated``, the summary of the run; ``same_as_silver``, by table what the comparison
    found.
    """
    put = records_put(settings)
    with psycopg.connect(settings.postgres_url("pinterest_warehouse"), connect_timeout=CALL_SECONDS) as warehouse:
        outcomes = {table: {"put": put[table], **outcome(warehouse, table)} for table in TABLES}
        taken = [
            (committed_at - sent_at) * 1000
            for table in TABLES
            for sent_at, committed_at in latencies(warehouse, table, acknowledged)
        ]
    return {
        **outcomes,
        "latency_ms": {"p50": percentile(taken, 50), "p95": percentile(taken, 95), "rows": len(taken)},
        "emulated": dict(emulated),
        "same_as_silver": dict(compared["tables"]),
    }


def records_put(settings: Settings) -> dict[str, int]:
    """Count the records of each stream, from its beginning, as a consumer that knows nothing of the pipeline."""
    kinesis = client(settings, "kinesis")
    return {table: count_records(kinesis, stream_name(table)) for table in TABLES}


def count_records(kinesis: Any, name: str) -> int:
    count = 0
    for page in kinesis.get_paginator("list_shards").paginate(StreamName=name):
        for shard in page["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:  # a closed shard ends without one, an open one at its newest record
                answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
                count += len(answer["Records"])
                iterator = answer.get("NextShardIterator") if answer["MillisBehindLatest"] else None
    return count


def records_committed(settings: Settings) -> dict[str, int]:
    """Return how many records the stream has dealt with, by table."""
    with psycopg.connect(settings.postgres_url("pinterest_warehouse"), connect_timeout=CALL_SECONDS) as warehouse:
        query = "SELECT replace(query, 'stream_', ''), sum(record_count)::bigint FROM stream.progress GROUP BY query"
        return dict(warehouse.execute(query).fetchall())


def outcome(warehouse: psycopg.Connection[Any], table: str) -> dict[str, Any]:
    """Return what became of the records of a table's stream."""

    def number(query: sql.Composed | str, *parameters: str) -> int:
        row = warehouse.execute(query, parameters).fetchone()
        return int(row[0]) if row else 0

    why = "SELECT reject_reason, count(*) FROM stream.quarantine WHERE stream = %s GROUP BY reject_reason"
    reasons = dict(warehouse.execute(why, [stream_name(table)]).fetchall())
    duplicates = "SELECT coalesce(sum(duplicate_count), 0) FROM stream.progress WHERE query = %s"
    return {
        "committed": number(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("stream", table))),
        "duplicates": number(duplicates, f"stream_{table}"),
        "quarantined": sum(reasons.values()),
        "quarantine_reasons": reasons,
    }


def latencies(warehouse: psycopg.Connection[Any], table: str, acknowledged: Sequence[Put]) -> list[tuple[float, float]]:
    """Return when a record was sent and when its row was committed, in seconds since the epoch, for a table's rows."""
    sent = {put.sequence_number: put.sent_at for put in acknowledged if put.table == table}
    query = sql.SQL(COMMITTED_AT).format(query=sql.Literal(f"stream_{table}"), table=sql.Identifier("stream", table))
    rows = warehouse.execute(query, [[str(number) for number in sent]]).fetchall()
    return [(sent[int(number)], committed_at) for number, committed_at in rows]


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Return the smallest value that ``percent`` of them do not exceed, None of none."""
    ordered = sorted(values)
    return round(ordered[max(0, ceil(len(ordered) * percent / 100) - 1)], 1) if ordered else None


def adds_up(stream: Mapping[str, Any]) -> bool:
    """Whether every record has one outcome and stream and silver agree.

    Outcomes may outnumber records: Kinesis forgets after its retention, and a restored checkpoint delivers again.
    """
    outcomes = all(
        stream[table]["put"] <= sum(stream[table][name] for name in ("committed", "duplicates", "quarantined"))
        for table in TABLES
    )
    return outcomes and not any(found["differences"] for found in stream["same_as_silver"].values())


def show(console: Console, stream: Mapping[str, Any]) -> None:
    rows = Table(title="Stream: Kinesis to PostgreSQL, since the streams were made", title_justify="left")
    rows.add_column("table")
    for name in (*COUNTS, "same as silver"):
        rows.add_column(name, justify="right")
    for table in TABLES:
        same = stream["same_as_silver"][table]
        rows.add_row(
            table, *(f"{stream[table][name]:,}" for name in COUNTS), f"{same['equal']:,} of {same['compared']:,}"
        )
    console.print(rows)
    latency, emulated = stream["latency_ms"], stream["emulated"]
    console.print(
        f"This run: {emulated['posts']:,} posts in {emulated['seconds']:.0f} s; put to committed row: "
        f"p50 {latency['p50']} ms, p95 {latency['p95']} ms over {latency['rows']:,} rows."
    )
    for table, same in stream["same_as_silver"].items():
        for column, count in same["differences"].items():
            console.print(f"[bold red]stream.{table}.{column} differs from silver in {count:,} rows.[/]")
    console.print(
        "Every record has one outcome: put = committed + duplicates + quarantined."
        if all(s["put"] == s["committed"] + s["duplicates"] + s["quarantined"] for s in (stream[t] for t in TABLES))
        else "put is not committed + duplicates + quarantined: see docs/sandbox.md."
    )
