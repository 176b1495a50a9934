"""The objects that the sink writes: what their names and their lines say. No I/O.

The sink names an object ``<topics dir>/<topic>/dt=YYYY-MM-DD/<topic>+<partition>+<start offset>.json[.gz]`` by the day
(UTC) and the offset of its first record. Consecutive records may lie in the objects of two days by turns, so that a
name says where an object begins, and only its lines say what is in it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

OBJECT_NAME = re.compile(r"/(?P<topic>[^/]+)\+(?P<partition>\d+)\+(?P<start>\d+)(?P<suffix>\.[^/]+)$")
READABLE_SUFFIXES = (".json", ".json.gz")


class LakeObject(NamedTuple):
    """An object by its name and its entry in a listing.

    :param written_at: ``LastModified``: S3's clock, whole seconds.
    :param version: ``ETag``; an object that is written again with other records has another one.
    """

    key: str
    partition: int
    start: int
    suffix: str
    written_at: datetime
    version: str


class Record(NamedTuple):
    """Where a record was in Kafka, and when it came there (epoch milliseconds)."""

    offset: int
    timestamp_ms: int


def sink_objects(entries: Iterable[Mapping[str, Any]], topic: str) -> list[LakeObject]:
    """Return the sink's objects of a topic among the entries of a listing, by partition and start offset."""
    found = []
    for entry in entries:
        if (name := OBJECT_NAME.search(entry["Key"])) and name["topic"] == topic:
            partition, start = int(name["partition"]), int(name["start"])
            found.append(
                LakeObject(entry["Key"], partition, start, name["suffix"], entry["LastModified"], entry["ETag"])
            )
    return sorted(found, key=lambda one: (one.partition, one.start, one.key))


def require_readable(found: LakeObject) -> None:
    """Refuse an object of another format than the connector file's.

    :raises ValueError: naming it.
    """
    if found.suffix not in READABLE_SUFFIXES:
        raise ValueError(
            f"object {found.key} is not {' or '.join(READABLE_SUFFIXES)}: the connector's format.class must be "
            "JsonFormat and s3.compression.type none or gzip: run pinterest_sink_connector, which restores both"
        )


def read_record(line: bytes, key: str) -> Record:
    """Read a line's coordinates.

    :raises ValueError: when it is not what the sink writes, naming the object.
    """
    try:
        envelope = json.loads(line)
        return Record(int(envelope["kafka_offset"]), int(envelope["kafka_timestamp"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"object {key}: a line has no kafka_offset and kafka_timestamp: is the InsertField transform in the "
            "connector?"
        ) from error


def read_records(lines: Iterable[bytes], key: str) -> list[Record]:
    """Read an object.

    :raises ValueError: when it is empty or a line is not what the sink writes.
    """
    records = [read_record(line, key) for line in lines]
    if not records:
        raise ValueError(f"object {key} is empty, which the sink never leaves: restore it, or send its records again")
    return records


def last_offset(lines: Iterable[bytes], key: str) -> int:
    """Return the offset of an object's last line, the highest in it.

    :raises ValueError: when the object is empty or its last line is not what the sink writes.
    """
    last = b""
    for line in lines:
        last = line
    return read_record(last, key).offset
