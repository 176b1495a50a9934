"""Dead letters as records again: each as its row is in the source now, or as it was stored where there is none."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import batched

from pinterest_pipeline.common.records import DeadLetter, Record, row_encoder
from pinterest_pipeline.lake.redrive import StoredDeadLetter
from pinterest_pipeline.source.json_lines import record_of
from pinterest_pipeline.source.queries import Database, open_query

KEYS_PER_QUERY = 500
WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")

type RowsByKey = Mapping[str | None, Record | DeadLetter]


def current_records(
    dead_letters: Iterable[StoredDeadLetter], read_rows: Callable[[Sequence[int]], RowsByKey], key_column: str
) -> Iterator[tuple[StoredDeadLetter, Record | DeadLetter]]:
    """Yield each dead letter with what is to be sent for it, in order.

    A stored value may be older than what was sent of its key since, and consumers take the latest record of a key: so
    the row of the source goes first. A value that is no JSON and has no row stays a dead letter.

    :param read_rows: Called with up to ``KEYS_PER_QUERY`` keys; returns the rows there are.
    """
    for some in batched(dead_letters, KEYS_PER_QUERY):
        keys = sorted({number for one in some if (number := whole_number(one.key)) is not None})
        rows = read_rows(keys) if keys else {}
        for one in some:
            yield one, rows[one.key] if one.key in rows else stored_record(one, key_column)


def whole_number(key: str | None) -> int | None:
    """Return the number that a query may be asked for; a PostgreSQL bigint has up to 19 digits."""
    return int(key) if key is not None and WHOLE_NUMBER.fullmatch(key) else None


def stored_record(dead_letter: StoredDeadLetter, key_column: str) -> Record | DeadLetter:
    found = record_of(dead_letter.value.encode(errors="backslashreplace"), key_column)
    return DeadLetter(dead_letter.key, dead_letter.value, found.reason) if isinstance(found, DeadLetter) else found


def key_of(found: Record | DeadLetter) -> str | None:
    """Return the key as a dead letter of it has it."""
    return found.key if isinstance(found, DeadLetter) else DeadLetter.of(found, "").key


def read_rows_by_key(database: Database, sql: str, keys: Sequence[int], key_column: str) -> RowsByKey:
    """Return the rows of a query that takes the keys as ``%(ids)s``."""
    with open_query(database, sql, {"ids": list(keys)}) as (columns, rows):
        found = [row_encoder(columns, key_column)(row) for row in rows]
    return {key_of(one): one for one in found}
