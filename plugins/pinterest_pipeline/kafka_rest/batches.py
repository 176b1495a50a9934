"""Batches that one request may carry: bounded in number and in bytes, one at a time in memory."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pinterest_pipeline.common.records import DeadLetter, Record

REQUEST_BYTES = len(b'{"records":[]}')
RECORD_BYTES = len(b'{"key":,"value":},')  # around key and value, with the comma that joins it to the next


class Batch(NamedTuple):
    """The records of one request, and the size of its body (to the byte, or one too many)."""

    records: tuple[Record, ...]
    size_bytes: int


def in_batches(
    records: Iterable[Record | DeadLetter], *, max_records: int, max_bytes: int
) -> Iterator[Batch | DeadLetter]:
    """Group records into batches, in order, none beyond either bound.

    A record that alone is beyond ``max_bytes`` comes out as a dead letter, and so do dead letters that come
    in, as soon as they are met: both may overtake the batch being filled.
    """
    batch: list[Record] = []
    size = REQUEST_BYTES
    for record in records:
        if isinstance(record, DeadLetter):
            yield record
            continue
        added = record_bytes(record)
        if REQUEST_BYTES + added > max_bytes:
            yield DeadLetter.of(record, f"record of {added} bytes does not fit max_batch_bytes={max_bytes}")
            continue
        if len(batch) == max_records or size + added > max_bytes:
            yield Batch(tuple(batch), size)
            batch, size = [], REQUEST_BYTES
        batch.append(record)
        size += added
    if batch:
        yield Batch(tuple(batch), size)


def record_bytes(record: Record) -> int:
    """Return what a record adds to the body of a request."""
    return RECORD_BYTES + len(record.key) + len(record.value)


def request_body(records: Iterable[Record]) -> bytes:
    """Return the body of a Kafka REST v2 produce request, joined from what is JSON already."""
    return b'{"records":[' + b",".join([b'{"key":%b,"value":%b}' % record for record in records]) + b"]}"
