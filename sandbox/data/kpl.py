"""Aggregated records, as the Kinesis Producer Library makes them: many records of a shard in one."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from hashlib import md5
from typing import Any, NamedTuple

MAGIC = b"\xf3\x89\x9a\xc2"
MOST_BYTES = 51_200  # of an aggregate, the library's own default
KEY_TABLE, RECORD = b"\x0a", b"\x1a"  # protobuf fields 1 and 3, bytes
KEY_INDEX, DATA = b"\x08", b"\x1a"  # fields 1 (a number) and 3 (bytes) of a record


class Shard(NamedTuple):
    first_hash_key: int
    shard_id: str


def open_shards(kinesis: Any, stream: str) -> list[Shard]:
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    return sorted(
        Shard(int(one["HashKeyRange"]["StartingHashKey"]), one["ShardId"])
        for one in shards
        if "EndingSequenceNumber" not in one["SequenceNumberRange"]
    )


def shard_of(shards: Sequence[Shard], key: str) -> Shard:
    hashed = int.from_bytes(md5(key.encode(), usedforsecurity=False).digest())
    return shards[bisect_right([shard.first_hash_key for shard in shards], hashed) - 1]


def aggregate(records: Sequence[tuple[str, bytes]]) -> bytes:
    """Return partition keys and data as one record's data."""
    places = {key: place for place, key in enumerate(dict.fromkeys(key for key, _ in records))}
    message = b"".join(field(KEY_TABLE, key.encode()) for key in places)
    for key, data in records:
        message += field(RECORD, KEY_INDEX + varint(places[key]) + field(DATA, data))
    return MAGIC + message + md5(message, usedforsecurity=False).digest()


def field(tag: bytes, value: bytes) -> bytes:
    return tag + varint(len(value)) + value


def varint(number: int) -> bytes:
    encoded = b""
    while number > 0x7F:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])


def grouped[Emitted: Any](emitted: Sequence[Emitted], shards: Sequence[Shard], most: int) -> Iterator[list[Emitted]]:
    """Yield what goes into one aggregate each: of one shard, in order, at most so many and ``MOST_BYTES``."""
    open_groups: dict[Shard, list[Emitted]] = {}
    for one in emitted:
        shard = shard_of(shards, one.key)
        group = open_groups.setdefault(shard, [])
        if group and (len(group) >= most or sum(len(each.data) for each in group) + len(one.data) > MOST_BYTES):
            yield open_groups.pop(shard)
            group = open_groups.setdefault(shard, [])
        group.append(one)
    yield from open_groups.values()
