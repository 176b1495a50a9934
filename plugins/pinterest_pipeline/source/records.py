"""Where the records of a sending operator come from: a query, an iterable of rows, or JSON lines in S3."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.records import DeadLetter, Record, UnsupportedColumnError, encode_mapping, row_encoder

if TYPE_CHECKING:
    from pinterest_pipeline.lake.hook import LakeHook

type Rows = Iterable[Mapping[str, Any]] | Callable[[], Iterable[Mapping[str, Any]]]

KINDS = "sql, rows and json_lines"


def require_one(sql: str | None, rows: Rows | None, json_lines: str | None) -> None:
    """Raise :class:`ValueError` unless exactly one of the three is given."""
    given = sum(one is not None for one in (sql, rows, json_lines))
    if given != 1:
        raise ValueError(f"{given} of {KINDS} are given: give one, which says where the rows come from.")


def require_query(sql: str | None, target: str) -> None:
    if sql is not None and not sql.strip():
        raise PermanentError(f"the query for {target} is empty: give it as `sql`")


@dataclass(frozen=True)
class Source:
    """The rows of one task; exactly one of ``sql``, ``rows`` and ``json_lines`` is not None.

    :param target: Where they go, for errors: ``topic pinterest.pin``.
    :param lake_of: Makes the hook of a bucket.
    """

    target: str
    key_column: str
    sql: str | None
    parameters: Mapping[str, Any] | Sequence[Any] | None
    conn_id: str
    rows: Rows | None
    json_lines: str | None
    lake_of: "Callable[[str], LakeHook]"

    @contextmanager
    def open(self) -> Iterator[Iterator[Record | DeadLetter]]:
        """Yield the records, in order, read as they are asked for by the thread that opened them.

        :raises PermanentError: (also by the iterator) empty query, missing or unsupported column, a row that is no
            mapping, a URI that is not S3's, no such object.
        """
        if self.sql is not None:
            with self._query(self.sql) as records:
                yield records
        elif self.json_lines is not None:
            yield self._lines(self.json_lines)
        else:
            yield self._mappings()

    @contextmanager
    def _query(self, sql: str) -> Iterator[Iterator[Record | DeadLetter]]:
        from pinterest_pipeline.source.database import database_of  # noqa: PLC0415 - psycopg2 slows DAG parsing
        from pinterest_pipeline.source.queries import open_query  # noqa: PLC0415

        require_query(sql, self.target)
        with open_query(database_of(self.conn_id), sql, self.parameters) as (columns, rows):
            yield self._explained("query", self._encoded(columns, rows))

    def _encoded(self, columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> Iterator[Record | DeadLetter]:
        yield from map(row_encoder(columns, self.key_column), rows)

    def _mappings(self) -> Iterator[Record | DeadLetter]:
        found = self.rows() if callable(self.rows) else self.rows

        def encoded() -> Iterator[Record | DeadLetter]:
            for row in found or ():
                if not isinstance(row, Mapping):
                    raise ValueError(f"a row is a {type(row).__name__}, expected a mapping of columns to values")  # noqa: TRY004
                yield encode_mapping(row, self.key_column)

        return self._explained("rows", encoded())

    def _lines(self, uri: str) -> Iterator[Record | DeadLetter]:
        from pinterest_pipeline.source.json_lines import parse_uri, read_records  # noqa: PLC0415

        bucket, key = parse_uri(uri)
        return read_records(self.lake_of(bucket), key, self.key_column)

    def _explained(self, what: str, records: Iterator[Record | DeadLetter]) -> Iterator[Record | DeadLetter]:
        try:
            yield from records
        except (ValueError, UnsupportedColumnError) as error:
            raise PermanentError(f"the {what} for {self.target}: {error}") from error
