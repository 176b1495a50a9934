"""Aggregated records of the Kinesis Producer Library, taken apart: one record that holds many.

The format (github.com/awslabs/kinesis-aggregation) is four magic bytes, a protobuf message and the message's MD5::

    message AggregatedRecord { repeated string partition_key_table = 1; repeated string explicit_hash_key_table = 2;
                               repeated Record records = 3; }
    message Record { required uint64 partition_key_index = 1; optional uint64 explicit_hash_key_index = 2;
                     required bytes data = 3; repeated Tag tags = 4; }

The one library for Python (aws-kinesis-agg, last released in 2022) changes ``sys.path`` when it is imported and needs
protobuf and six on each driver and executor. The tests hold this module to bytes that it made.
"""

from collections.abc import Iterator
from hashlib import md5

MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_BYTES = 16
MAX_VARINT_BYTES = 10
VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5  # protobuf's wire types
KEY_TABLE, RECORDS = 1, 3
KEY_INDEX, DATA = 1, 3


def sub_records(data: bytes) -> list[tuple[str, bytes]] | None:
    """Return partition key and data of each record in an aggregate, in its order; None for a record that is none.

    A record that begins like an aggregate and is damaged is none: it stays as it is, and its bytes go to quarantine.
    """
    if not data.startswith(MAGIC) or len(data) <= len(MAGIC) + DIGEST_BYTES:
        return None
    message = data[len(MAGIC) : -DIGEST_BYTES]
    if md5(message, usedforsecurity=False).digest() != data[-DIGEST_BYTES:]:
        return None
    try:
        return list(read_message(message)) or None
    except ValueError:
        return None


def read_message(message: bytes) -> Iterator[tuple[str, bytes]]:
    keys: list[str] = []
    records: list[bytes] = []
    for number, value in fields(message):
        if number == KEY_TABLE:
            keys.append(required_bytes(value).decode())
        elif number == RECORDS:
            records.append(required_bytes(value))
    for record in records:
        values = dict(fields(record))
        index = values.get(KEY_INDEX)
        if not isinstance(index, int) or index >= len(keys):
            raise ValueError("a record whose partition key is not in the table")
        yield keys[index], required_bytes(values.get(DATA))


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field, unknown ones too.

    :raises ValueError: the bytes are no protobuf message.
    """
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        kind = tag & 7
        if kind == VARINT:
            value: int | bytes
            value, at = varint(message, at)
        elif kind in (BYTES, FIXED_64, FIXED_32):
            size, at = varint(message, at) if kind == BYTES else (8 if kind == FIXED_64 else 4, at)
            value, at = message[at : at + size], at + size
        else:
            raise ValueError(f"wire type {kind}")
        if at > len(message) or not tag >> 3:
            raise ValueError("a field that ends after its message, or has no number")
        yield tag >> 3, value


def varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(message[at : at + MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("a number without an end")


def required_bytes(value: int | bytes | None) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a field of another type, or a missing one")  # noqa: TRY004 - of the message, not of the code
    return value
