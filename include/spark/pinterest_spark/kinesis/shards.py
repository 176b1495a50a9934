"""How far a stream is read, shard by shard: the offset of a micro-batch, and what may be read next. Nothing here calls.

An offset is JSON in the query's checkpoint::

    {"version": 1, "stream": "streaming-pinterest-pin", "created_ms": 1764000000000, "initial": "TRIM_HORIZON",
     "shards": {"shardId-000000000000": {"after": "4968…", "arrived_ms": …, "current_ms": …, "records": 4711},
                "shardId-000000000001": {"after": "4968…", …, "closed": true}}}

``initial`` (``TRIM_HORIZON`` or ms since 1970) is where a shard of which nothing was read yet begins. It is in every
offset because Spark does not log where the first batch began: a replay of it must begin there again and not where
"latest" is by then. ``records`` counts what was read of a shard since the checkpoint began, so that a replay knows how
many records a range has and can tell when some are gone.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pinterest_spark.errors import DataLossError, StageError

VERSION = 1


@dataclass(frozen=True)
class Shard:
    """A shard as ListShards knows it; two parents after a merge, none for a shard of the stream's beginning."""

    shard_id: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Position:
    """How far one shard is read.

    :param after: the last sequence number read; empty when nothing was.
    :param arrived_ms: when that record arrived.
    :param current_ms: what arrived up to here is read; later than ``arrived_ms`` where nothing more came.
    :param is_closed: the shard takes no records any more, and all it had are read.
    """

    after: str = ""
    arrived_ms: int = 0
    current_ms: int = 0
    records: int = 0
    is_closed: bool = False


@dataclass(frozen=True)
class StreamOffset:
    """How far a stream is read. ``created_ms`` tells a stream from a later one of the same name."""

    stream: str
    created_ms: int
    initial: str | int
    shards: Mapping[str, Position]

    def open_shards(self) -> dict[str, Position]:
        return {shard_id: position for shard_id, position in self.shards.items() if not position.is_closed}

    def is_read(self, shard_id: str) -> bool:
        """Say whether a shard is known and read to its end."""
        return shard_id in self.shards and self.shards[shard_id].is_closed

    def at(self, positions: Mapping[str, Position]) -> "StreamOffset":
        return replace(self, shards=dict(sorted({**self.shards, **positions}.items())))


@dataclass(frozen=True)
class ShardRange:
    """The records of one shard in a micro-batch: after ``start``, up to and including ``end``."""

    shard_id: str
    start: Position
    end: Position
    initial: str | int

    @property
    def record_count(self) -> int:
        return self.end.records - self.start.records


def to_json(offset: StreamOffset) -> dict[str, Any]:
    """Return the offset as Spark logs it; equal offsets give equal text, by which Spark sees that nothing is new."""
    return {
        "version": VERSION,
        "stream": offset.stream,
        "created_ms": offset.created_ms,
        "initial": offset.initial,
        "shards": {shard_id: position_to_json(offset.shards[shard_id]) for shard_id in sorted(offset.shards)},
    }


def position_to_json(position: Position) -> dict[str, Any]:
    values = {
        "after": position.after, "arrived_ms": position.arrived_ms, "current_ms": position.current_ms,
        "records": position.records, "closed": position.is_closed,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value}


def from_json(value: Mapping[str, Any]) -> StreamOffset:
    """Read an offset back.

    :raises StageError: when another source, or a later version of this one, wrote it.
    """
    try:
        if value["version"] != VERSION:
            raise StageError(f"The checkpoint's Kinesis offset is of version {value['version']}; this is {VERSION}.")
        shards = {
            shard_id: Position(
                after=one.get("after", ""), arrived_ms=one.get("arrived_ms", 0), current_ms=one.get("current_ms", 0),
                records=one.get("records", 0), is_closed=one.get("closed", False),
            )
            for shard_id, one in value["shards"].items()
        }  # fmt: skip
        return StreamOffset(value["stream"], value["created_ms"], value["initial"], shards)
    except (KeyError, TypeError, AttributeError) as error:
        raise StageError(
            f"The checkpoint holds no offset of this Kinesis source ({error!r}): give the query its own checkpoint."
        ) from error


def begin_shards(offset: StreamOffset, listed: Iterable[Shard], now_ms: int) -> StreamOffset:
    """Add the listed shards that may be read now: those whose parents are read to their end, or have expired.

    A child so begins in a later micro-batch than its parent ended, which keeps the records of a key in order over a
    reshard whatever the tasks of one batch do.
    """
    shards = {shard.shard_id: shard for shard in listed}

    def is_read(parent: str) -> bool:
        position = offset.shards.get(parent)
        return position.is_closed if position else parent not in shards

    ready = [one for one in shards.values() if one.shard_id not in offset.shards and all(map(is_read, one.parents))]
    return offset.at({one.shard_id: Position(current_ms=now_ms) for one in ready})


def drop_expired(offset: StreamOffset, listed: Iterable[Shard]) -> StreamOffset:
    """Drop the closed shards that the service lists no more, so that an offset does not grow for ever.

    While it lists them (retention, 24 hours to a year) they must stay, or they would look unread.
    """
    names = {shard.shard_id for shard in listed}
    kept = {shard_id: one for shard_id, one in offset.shards.items() if not one.is_closed or shard_id in names}
    return replace(offset, shards=kept)


def awaits_children(offset: StreamOffset, listed: Iterable[Shard]) -> bool:
    """Say whether a shard is read to its end and no child of it is listed yet; a closed shard always has one."""
    listed = list(listed)
    parents = {parent for shard in listed for parent in shard.parents}
    return any(one.shard_id not in parents and offset.is_read(one.shard_id) for one in listed)


def plan(start: StreamOffset, end: StreamOffset) -> list[ShardRange]:
    """Return what a micro-batch reads, one range a shard; shards in which nothing is new have none.

    The end's ``initial`` counts (see above), and of a stream that was created again in between, everything is new.
    """
    is_same = start.created_ms == end.created_ms
    ranges = []
    for shard_id, to in end.shards.items():
        since = start.shards.get(shard_id, Position()) if is_same else Position()
        if to.records > since.records:
            ranges.append(ShardRange(shard_id, since, to, end.initial))
    return ranges


def check_stream(offset: StreamOffset, stream: str, created_ms: int) -> None:
    """Refuse a checkpoint of another stream, and one of an earlier stream of the same name.

    :raises StageError: the checkpoint belongs to another stream.
    :raises DataLossError: the stream was deleted and created again.
    """
    if offset.stream != stream:
        raise StageError(
            f"The checkpoint is of the stream {offset.stream}, not of {stream}: give each query its own checkpoint."
        )
    if offset.created_ms != created_ms:
        read_to_ms = min((one.current_ms for one in offset.open_shards().values()), default=offset.created_ms)
        raise DataLossError(
            f"The stream {stream} was deleted and created again: {lost_span(read_to_ms, created_ms)} are lost where "
            f"they were unread. Set failOnDataLoss to false to read the new stream from its start."
        )


def created_again(offset: StreamOffset, created_ms: int) -> StreamOffset:
    """Return where to begin in a stream that took the place of the offset's one."""
    return StreamOffset(offset.stream, created_ms, "TRIM_HORIZON", {})


@dataclass(frozen=True)
class Loss:
    """Records that arrived at a shard between the two times (ms) may have expired unread."""

    shard_id: str
    from_ms: int
    to_ms: int


def losses(offset: StreamOffset, listed: Iterable[Shard], retention_ms: int, now_ms: int) -> list[Loss]:
    """Return what may have expired since the offset was written: the service keeps records for ``retention_ms``.

    The service has no way to ask whether a record was there, so a shard on which nothing came counts as well once the
    offset itself is older than the retention. A running query renews its offset in time (:func:`needs_renewal`).
    """
    names = {shard.shard_id for shard in listed}
    kept_since = now_ms - retention_ms
    return [
        Loss(shard_id, position.current_ms, kept_since if shard_id in names else now_ms)
        for shard_id, position in offset.open_shards().items()
        if position.current_ms < kept_since or shard_id not in names
    ]


def say_lost(stream: str, lost: list[Loss], retention_ms: int) -> str:
    first, last = min(one.from_ms for one in lost), max(one.to_ms for one in lost)
    names = ", ".join(one.shard_id for one in lost[:5]) + (" …" if len(lost) > 5 else "")
    return (
        f"The checkpoint is older than what {stream} keeps ({retention_ms / 3_600_000:g} hours): "
        f"{lost_span(first, last)} ({(last - first) / 3_600_000:.1f} hours) on {len(lost)} shards "
        f"({names}) may be lost. Set failOnDataLoss to false to go on with what is left, and send the lost span again."
    )


def lost_span(first_ms: int, last_ms: int) -> str:
    """Say when lost records arrived, in the words that :func:`read_lost_span` understands."""
    return f"records that arrived between {utc(first_ms)} and {utc(last_ms)}"


def read_lost_span(text: str) -> tuple[str, str] | None:
    """Return the two times (ISO 8601) of a sentence with a :func:`lost_span`, None without one."""
    found = re.search(r"records that arrived between (\S+) and (\S+)", text)
    return (found[1], found[2]) if found else None


def needs_renewal(offset: StreamOffset, retention_ms: int, now_ms: int) -> bool:
    """Say whether a quiet stream's offset should be written again, to prove later that nothing was missed until now."""
    return any(now_ms - position.current_ms > retention_ms // 4 for position in offset.open_shards().values())


def utc(milliseconds: int) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415 - error messages only

    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
