"""A warehouse of a test's own with the product's tables, and validated records as the sink takes them."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.postgres import create_tables, fresh_database

ARRIVED = datetime(2026, 11, 25, 10, tzinfo=UTC)
SHARD = "shardId-000000000000"


class Warehouse:
    """The stream tables of one database."""

    def __init__(self, url: str) -> None:
        import psycopg

        self.url = url
        self.connection = psycopg.connect(url, autocommit=True)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        if self.connection.closed:
            import psycopg

            self.connection = psycopg.connect(self.url, autocommit=True)
        return self.connection.execute(query, parameters).fetchall()

    def one(self, query: str, *parameters: object) -> Any:
        [[value]] = self.rows(query, *parameters)
        return value

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return everything in the tables of the stream, the times of commit left out."""
        kept = {}
        for table in ("pin", "geo", '"user"', "post", "quarantine", "progress", "position"):
            rows = self.rows(
                f"SELECT to_jsonb(t) - 'committed_at' - 'milliseconds_behind_latest' FROM stream.{table} t"
            )
            kept[table] = sorted(rows, key=repr)
        return kept

    def sink(self, table: str, **options: Any) -> Any:
        from pinterest_spark.stream.sink import StreamSink

        return StreamSink(self.url, f"stream_{table}", table, **options)


@contextmanager
def warehouse_of(server_url: str) -> Iterator[Warehouse]:
    with fresh_database(server_url) as url:
        create_tables(url)
        warehouse = Warehouse(url)
        yield warehouse
        warehouse.connection.close()


def checkpoint() -> str:
    return str(uuid.uuid4())


def record(ind: int | None, sequence: int, *, later: float = 0, shard: str = SHARD, **values: Any) -> dict[str, Any]:
    """Return one validated record; ``later`` in seconds after ``ARRIVED``; a ``reject_reason`` makes it rejected."""
    lineage = {
        "stream": "streaming-test", "shard_id": shard, "stream_sequence": str(sequence),
        "ingested_at": ARRIVED + timedelta(seconds=later), "defects": [],
    }  # fmt: skip
    return {"ind": ind, **lineage, **values}


def validated(table: str, *records: dict[str, Any]) -> Any:
    """Return records as Spark's ``toArrow`` would, in the sink's columns."""
    import pyarrow as pa

    from pinterest_spark.rows.schemas import SILVER
    from pinterest_spark.stream.statements import LINEAGE, statements_of

    types = {
        "bigint": pa.int64(), "int": pa.int32(), "string": pa.string(), "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", "UTC"), "array<string>": pa.list_(pa.string()),
        "array<double>": pa.list_(pa.float64()),
    }  # fmt: skip
    kinds = {field.name: types[field.dataType.simpleString()] for field in SILVER[table]}
    kinds |= {name: pa.string() for name in LINEAGE} | {"ingested_at": types["timestamp"]}
    kinds |= {"defects": types["array<string>"], "payload_bytes": pa.binary()}
    schema = pa.schema([(name, kinds[name]) for name in statements_of(table).columns])
    missing = {"payload": None, "payload_bytes": None}
    return pa.Table.from_pylist([{**missing, **one} for one in records], schema=schema)


def wire(table: str, ind: int, **values: Any) -> bytes:
    """Return a record of a stream."""
    rows: dict[str, dict[str, Any]] = {
        "pin": {"index": ind, "title": f"Title {ind}", "follower_count": "12k", "category": "art", "downloaded": 1},
        "geo": {"ind": ind, "timestamp": "2020-05-06T07:08:09", "latitude": 1.5, "longitude": -2.5, "country": "Chad"},
        "user": {"ind": ind, "first_name": "Ada", "last_name": "Byron", "age": 30,
                 "date_joined": "2016-01-02T03:04:05"},
    }  # fmt: skip
    return json.dumps({**rows[table], **values}, ensure_ascii=False).encode()
