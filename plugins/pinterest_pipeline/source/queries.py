"""Rows of a query, streamed: the memory is bounded by one fetch where the driver has server-side cursors."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any, Protocol

from pinterest_pipeline.source.unreadable import driver_of, keep_unreadable_values

ROWS_PER_FETCH = 2000
NAMED_CURSORS = ("psycopg", "psycopg2")  # drivers that read a whole result into memory unless the cursor has a name


class Database(Protocol):
    """What is needed of a hook: it opens DB-API 2.0 connections."""

    def get_conn(self) -> Any: ...


@contextmanager
def open_query(
    database: Database, sql: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None
) -> Iterator[tuple[list[str], Iterator[Sequence[Any]]]]:
    """Yield the names of a query's columns, and its rows in the query's order.

    One transaction, so one snapshot of the source; it is rolled back when the block ends. All rows must be read by
    the thread that opened it. A value that Python cannot hold is an ``UnreadableValue`` in its row.
    """
    with closing(database.get_conn()) as connection:
        keep_unreadable_values(connection)
        is_named = driver_of(connection) in NAMED_CURSORS
        with closing(connection.cursor(name="pinterest_rows") if is_named else connection.cursor()) as cursor:
            cursor.execute(sql, *([] if parameters is None else [parameters]))  # not every driver takes None
            first = cursor.fetchmany(ROWS_PER_FETCH)  # psycopg 2 knows the columns only after a fetch
            columns = [column[0] for column in cursor.description]
            rest = iter(lambda: list(cursor.fetchmany(ROWS_PER_FETCH)), [])
            yield columns, chain(first, chain.from_iterable(rest))
