"""Rows from newline-delimited JSON in S3: one object, or all below a prefix, gzip where the name ends in .gz."""

import json
from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.records import DeadLetter, Record, UnreadableValue, encode_key
from pinterest_pipeline.source.unreadable import read_document


class LineStore(Protocol):
    """What is needed of :class:`pinterest_pipeline.lake.hook.LakeHook`."""

    def names(self, prefix: str) -> list[str]: ...

    def spooled_lines(self, key: str) -> Iterator[bytes]: ...


def parse_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of ``s3://bucket/key``."""
    parts = urlsplit(uri)
    key = parts.path.removeprefix("/")
    if parts.scheme != "s3" or not parts.netloc or not key:
        raise PermanentError(f"json_lines has {uri!r}: write it as s3://<bucket>/<key>, or s3://<bucket>/<folder>/")
    return parts.netloc, key


def read_records(store: LineStore, key: str, key_column: str) -> Iterator[Record | DeadLetter]:
    """Yield a record for each line of an object, or, where ``key`` ends in ``/``, of all objects of that folder.

    :raises PermanentError: There is no such object, or none in the folder.
    """
    for name in object_names(store, key):
        for line in store.spooled_lines(name):
            if content := line.strip():
                yield record_of(content, key_column)


def object_names(store: LineStore, key: str) -> Sequence[str]:
    found = [key] if not key.endswith("/") else sorted(name for name in store.names(key) if not name.endswith("/"))
    if not found:
        raise PermanentError(f"json_lines: no object is below {key}: correct it, or skip the task where there is none")
    return found


def record_of(line: bytes, key_column: str) -> Record | DeadLetter:
    """Return a line as the record that has it as its value, byte for byte; a dead letter where it is no JSON object."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return DeadLetter(None, line.decode(errors="backslashreplace"), f"not UTF-8: {error}")
    row = read_document(text)
    if isinstance(row, UnreadableValue):
        return DeadLetter(None, text, f"not JSON: {row.reason}")
    if not isinstance(row, dict):
        return DeadLetter(None, text, f"a JSON {type(row).__name__}, not an object")
    if key_column not in row:
        return DeadLetter(None, text, f"key column {key_column!r} is not in the line")
    try:
        json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:  # NaN, or half of a surrogate pair
        return DeadLetter(str(row[key_column]), text, f"not JSON: {error}")
    return Record(encode_key(row[key_column]), line)
