"""The idempotent sink of the stream: one micro-batch, one transaction, which also writes its row in ``progress``.

A batch that was committed before is known by (query, checkpoint id, batch id) and what it holds, and is a no-op; a new
or a restored checkpoint numbers other records alike, and those are written. Whatever is delivered twice, and in which
order, the newest record of a key by (arrival, sequence number, place in its aggregate) stays.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from pinterest_spark.errors import StageError
from pinterest_spark.postgres import connect, retry
from pinterest_spark.rows.schemas import TABLES
from pinterest_spark.stream import statements
from pinterest_spark.stream.row_copy import copier, copy_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 300.0  # a promotion in RDS takes up to 120 s, and then clients find the new server by its name
NEEDED = {
    "progress": ("checkpoint_id", "content_key", "duplicate_count"),
    "control": ("stop_requested_at",),
    "data_loss": ("used_at",),
    "quarantine": ("sequence_number", "sub_sequence", "payload_bytes"),
    "position": ("sequence_number",),
    "post": ("ind",),
    **dict.fromkeys(TABLES, ("stream_sequence", "sub_sequence")),
    **{f"copied_{table}": ("reject_reason", "sub_sequence", "payload_bytes") for table in TABLES},
}


@dataclass(frozen=True)
class Committed:
    """What a micro-batch did, in records; ``rows`` are those of new keys. A replayed batch did nothing."""

    records: int = 0
    rows: int = 0
    duplicates: int = 0
    quarantined: int = 0
    is_replay: bool = False


class StreamSink:
    """The sink of one query, on a connection of its own that is kept from batch to batch.

    :param query: name of the query, the key of its rows in ``stream.progress``.
    :param table: ``pin``, ``geo`` or ``user``.
    """

    def __init__(self, url: str, query: str, table: str, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.url = url
        self.query = query
        self.table = table
        self.patience_seconds = patience_seconds
        self.statements = statements.statements_of(table)
        self.connection: psycopg.Connection | None = None

    def commit(self, checkpoint_id: str, batch_id: int, records: "pa.Table") -> Committed:
        """Write validated records, in ``statements_of(table).columns``, from the driver's memory."""

        def stage(cursor: psycopg.Cursor, _key: dict[str, Any]) -> None:
            copy_rows(cursor, psycopg.sql.Identifier("copied"), records.to_batches())

        return self._apply(checkpoint_id, batch_id, stage)

    def commit_by_executors(self, checkpoint_id: str, batch_id: int, records: "DataFrame") -> Committed:
        """Write validated records without bringing them to the driver.

        :raises StageError: when the copied rows are not all there: unlogged, they are gone after a crash of the server.
        """
        key = {"checkpoint_id": checkpoint_id, "batch_id": batch_id}
        self._retry(lambda: self._do(self.statements.clear, key), f"stream.copied_{self.table}")
        part = copier(self.url, self.table, checkpoint_id, batch_id, self.patience_seconds)
        copied = sum(row.row_count for row in records.mapInArrow(part, "row_count bigint").collect())

        def stage(cursor: psycopg.Cursor, key: dict[str, Any]) -> None:
            cursor.execute(self.statements.fetch, key)
            if cursor.rowcount != copied:
                raise StageError(
                    f"{self.query}, micro-batch {batch_id}: {cursor.rowcount} rows in stream.copied_{self.table}"
                    f", the executors copied {copied}. PostgreSQL was restarted in between; start the stream again."
                )
            cursor.execute(self.statements.clear, key)

        return self._apply(checkpoint_id, batch_id, stage)

    def _retry[Result](self, work: Callable[[], Result], what: str) -> Result:
        return retry(work, patience_seconds=self.patience_seconds, what=what)

    def _do(self, statement: psycopg.sql.Composed, key: dict[str, Any]) -> None:
        with connect(self.url) as connection:
            connection.execute(statement, key)

    def close(self) -> None:
        if self.connection is not None:
            with suppress(psycopg.Error):
                self.connection.close()
        self.connection = None

    def _apply(
        self, checkpoint_id: str, batch_id: int, stage: Callable[[psycopg.Cursor, dict[str, Any]], None]
    ) -> Committed:
        """Do the transaction, again while that can help: a commit whose answer was lost is found done by the next."""
        key = {"query": self.query, "checkpoint_id": checkpoint_id, "batch_id": batch_id}
        started = time.monotonic()

        def attempt() -> Committed:
            try:
                return self._transaction(key, stage)
            except BaseException:
                self.close()
                raise

        done = self._retry(attempt, f"stream.{self.table}")
        milliseconds = (time.monotonic() - started) * 1000
        log.info("%s, micro-batch %s: %s in %.0f ms", self.query, batch_id, done, milliseconds)
        return done

    def _transaction(self, key: dict[str, Any], stage: Callable[[psycopg.Cursor, dict[str, Any]], None]) -> Committed:
        connection = self._connected()
        with connection.transaction(), connection.cursor() as cursor:
            stage(cursor, key)
            if cursor.execute(statements.CLAIM, key).fetchone() is None:
                cursor.execute(self.statements.clear, key)
                return Committed(is_replay=True)
            cursor.execute(self.statements.upsert)
            quarantined = cursor.execute(statements.QUARANTINE).rowcount
            cursor.execute(statements.POSITIONS)
            # Three queries commit at once and none sees what the others have not committed: the last to join must
            # see the other two, so that the join, in a statement of its own, and the commit are done in turn.
            cursor.execute(statements.LOCK_JOINS)
            cursor.execute(self.statements.join)
            found = cursor.execute(statements.REPORT, {**key, "quarantined": quarantined}).fetchone()
        records, rows = found or (0, 0)
        return Committed(records, rows, records - rows - quarantined, quarantined)

    def _connected(self) -> psycopg.Connection:
        """Return the connection, opened and given its temporary tables if need be."""
        if self.connection is None:
            self.connection = connect(self.url, autocommit=True)
            self.connection.execute(self.statements.stage)
            self.connection.execute(statements.TOUCHED)
        return self.connection


def check_tables(url: str) -> None:
    """Refuse a warehouse without the tables of the stream, naming all that is missing.

    :raises StageError: with the remedy.
    """

    def look() -> set[tuple[str, str]]:
        with connect(url) as connection:
            found = connection.execute(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'stream'"
            ).fetchall()
        return set(found)

    known = retry(look)
    missing = [
        f"stream.{table}.{column}" if any(table == one for one, _ in known) else f"stream.{table}"
        for table, columns in NEEDED.items()
        for column in columns
        if (table, column) not in known
    ]
    if missing:
        raise StageError(
            f"The warehouse lacks {', '.join(dict.fromkeys(missing))}. Deploy the DAGs of this "
            "version and run task migrate_warehouse of pinterest_stream_supervisor. If it applies nothing, the tables "
            "were changed by hand: compare them with include/sql/migrations."
        )
