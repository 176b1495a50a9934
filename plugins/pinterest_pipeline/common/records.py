"""Rows of a query as records of a topic: key and value, already in the JSON bytes that go on the wire."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID


class Record(NamedTuple):
    """One record, as JSON bytes.

    :param key: JSON of the key, which proxies write into Kafka as it stands. So an integer goes as a number: as a
        string it would be quoted there too, and hash to another partition than a native producer's key. ``null``
        where the row has no id.
    :param value: JSON object with the columns of the row, in their order.
    """

    key: bytes
    value: bytes


class DeadLetter(NamedTuple):
    """One record that will not be delivered, with all that is needed to send it again by hand.

    :param key: The record's key as text, None where it has none.
    :param payload: The whole value as text, as it would have been sent.
    :param reason: Why, in words: the proxy's own where it gave some.
    :param error_code: The proxy's code for the record or the request; None where we refused it ourselves.
    """

    key: str | None
    payload: str
    reason: str
    error_code: int | None = None

    @classmethod
    def of(cls, record: Record, reason: str, error_code: int | None = None) -> "DeadLetter":
        key = json.loads(record.key)
        return cls(None if key is None else str(key), record.value.decode(), reason, error_code)


class UnsupportedColumnError(TypeError):
    """A column of the query has a type without an agreed form in JSON; every row would fail alike."""


def row_encoder(columns: Sequence[str], key_column: str) -> Callable[[Sequence[object]], Record | DeadLetter]:
    """Return the function that turns one row of these columns into a record.

    Timestamps become ``YYYY-MM-DDTHH:MM:SS`` in UTC without an offset (fractions of a second are cut), dates
    ``YYYY-MM-DD``, UUIDs text. A row with a number that is NaN or infinite becomes a dead letter: JSON has
    neither.

    :raises ValueError: when ``key_column`` is not a column, or two columns have the same name.
    :raises UnsupportedColumnError: (by the returned function) for numeric, bytea, interval and the like.
    """
    if key_column not in columns:
        raise ValueError(f"key column {key_column!r} is not in the result, which has {', '.join(columns)}")
    if doubled := sorted({name for name in columns if list(columns).count(name) > 1}):
        raise ValueError(f"more than one column of the result is named {', '.join(doubled)}: use aliases")
    names = tuple(columns)
    key_index = names.index(key_column)
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=encode_value).encode

    def encode_row(row: Sequence[object]) -> Record | DeadLetter:
        key = row[key_index]
        try:
            value = encode(dict(zip(names, row, strict=True)))
        except TypeError as error:
            raise UnsupportedColumnError(unsupported_column(names, row)) from error
        except ValueError as error:
            key_text = None if key is None else str(key)
            return DeadLetter(key_text, repr(dict(zip(names, row, strict=True))), f"not JSON: {error}")
        if isinstance(key, int):
            return Record(b"%d" % key, value.encode())
        return Record(b"null" if key is None else json.dumps(str(key)).encode(), value.encode())

    return encode_row


def encode_value(value: object) -> str:
    """Return the JSON form of what JSON itself does not know; ``TypeError`` where none is agreed."""
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"no agreed JSON form for {type(value).__name__}")


def unsupported_column(columns: Sequence[str], row: Sequence[object]) -> str:
    """Say which column cannot be sent, and what to write in the query instead."""
    for name, value in zip(columns, row, strict=True):
        try:
            json.dumps(value, default=encode_value)
        except TypeError:
            kind = type(value).__name__
            return f"column {name!r} has a {kind}, which JSON has no agreed form for: cast it in the query"
    return f"a row of {', '.join(columns)} has no JSON form"
