"""Rows of a query, streamed: a server-side cursor bounds the memory by one fetch, whatever the result's size."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any, Protocol

from pinterest_pipeline.warehouse.unreadable import keep_unreadable_values

ROWS_PER_FETCH = 2000


class Database(Protocol):
    """What is needed of ``PostgresHook``: a DB-API connection with named cursors (psycopg 2 or 3)."""

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
        with closing(connection.cursor(name="pinterest_rows")) as cursor:
            cursor.execute(sql, parameters)
            first = cursor.fetchmany(ROWS_PER_FETCH)  # psycopg 2 knows the columns only after a fetch
            columns = [column[0] for column in cursor.description]
            rest = iter(lambda: cursor.fetchmany(ROWS_PER_FETCH), [])
            yield columns, chain(first, chain.from_iterable(rest))
