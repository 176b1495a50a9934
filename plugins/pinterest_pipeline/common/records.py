"""Rows of a query as records of a topic: key and value, already in the JSON bytes that go on the wire."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

LONGEST_QUOTED_VALUE = 80  # characters, in a reason; the payload has the whole


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


@dataclass(frozen=True)
class UnreadableValue:
    """A value of the source that Python cannot hold (a date of the year 20000), or no reader of JSON takes.

    :param text: The value as the source writes it.
    :param reason: Why it cannot be used, in words.
    """

    text: str
    reason: str


class UnsupportedColumnError(TypeError):
    """A column of the query has a type without an agreed form in JSON; every row would fail alike."""


def row_encoder(columns: Sequence[str], key_column: str) -> Callable[[Sequence[object]], Record | DeadLetter]:
    """Return the function that turns one row of these columns into a record.

    Timestamps become ``YYYY-MM-DDTHH:MM:SS`` in UTC without an offset (fractions of a second are cut), dates
    ``YYYY-MM-DD``, UUIDs text. A row becomes a dead letter when it has what JSON has not: NaN, an infinite number or
    date, half of a surrogate pair, or nesting without end.

    :raises ValueError: when ``key_column`` is not a column, or two columns have the same name.
    :raises UnsupportedColumnError: (by the returned function) for numeric, bytea, interval and the like.
    """
    if key_column not in columns:
        raise ValueError(f"key column {key_column!r} is not in the result, which has {', '.join(columns)}")
    if doubled := sorted({name for name in columns if list(columns).count(name) > 1}):
        raise ValueError(f"more than one column of the result is named {', '.join(doubled)}: use aliases")
    names = tuple(columns)
    key_index = names.index(key_column)

    def encode_row(row: Sequence[object]) -> Record | DeadLetter:
        key = row[key_index]
        try:
            value = ENCODER.encode(dict(zip(names, row, strict=True))).encode()
        except TypeError as error:
            raise UnsupportedColumnError(unsupported_column(names, row)) from error
        except (ValueError, OverflowError, RecursionError) as error:
            return unsendable(names, row, key, error)
        return Record(encode_key(key), value)

    return encode_row


def encode_mapping(row: Mapping[str, object], key_column: str) -> Record | DeadLetter:
    """Turn a row that names its columns itself into a record, as :func:`row_encoder` does.

    Without the key column it becomes a dead letter: rows of one source need not be alike.

    :raises UnsupportedColumnError: as there.
    """
    columns, values = tuple(row), tuple(row.values())
    if key_column not in row:
        return DeadLetter(None, repr(dict(row)), f"key column {key_column!r} is not in the row")
    return row_encoder(columns, key_column)(values)


def encode_key(key: object) -> bytes:
    if isinstance(key, int):
        return b"%d" % key
    return b"null" if key is None else json.dumps(str(key)).encode()


def unsendable(columns: Sequence[str], row: Sequence[object], key: object, error: Exception) -> DeadLetter:
    """Return the dead letter of a row that has no form in JSON; its payload is the row as Python writes it."""
    unreadable = [
        f"column {name!r} has {value.text[:LONGEST_QUOTED_VALUE]}: {value.reason}"
        for name, value in zip(columns, row, strict=True)
        if isinstance(value, UnreadableValue)
    ]
    try:
        payload = repr(dict(zip(columns, row, strict=True)))
    except RecursionError:
        payload = repr({name: type(value).__name__ for name, value in zip(columns, row, strict=True)})
    reason = "; ".join(unreadable) or f"{type(error).__name__}: {error}"
    key_text = key.text if isinstance(key, UnreadableValue) else str(key)
    return DeadLetter(None if key is None else key_text, payload, f"not JSON: {reason}")


def encode_value(value: object) -> str:
    """Return the JSON form of what JSON itself does not know.

    :raises ValueError: for a value that no row can be sent with.
    :raises TypeError: where no form is agreed.
    """
    if isinstance(value, UnreadableValue):
        raise ValueError(value.reason)  # noqa: TRY004 - the row's fault, not that of its column's type
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
        except (ValueError, OverflowError, RecursionError):
            continue
        except TypeError:
            kind = type(value).__name__
            return f"column {name!r} has a {kind}, which JSON has no agreed form for: cast it in the query, or before"
    return f"a row of {', '.join(columns)} has no JSON form"


ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=encode_value)
