"""One check of a stream, as sensors, triggers and operators share it: is it there, and do its readers keep up?"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.polling import PollResult
from pinterest_pipeline.kinesis.backlog import IteratorAge, ReadUpTo
from pinterest_pipeline.kinesis.model import StreamDescription, StreamStatus
from pinterest_pipeline.kinesis.plan import Await, missing_stream
from pinterest_pipeline.warehouse.errors import database_errors

if TYPE_CHECKING:
    from pinterest_pipeline.kinesis.hook import KinesisStreamHook


class Database(Protocol):
    """The one verb of ``DbApiHook`` used here."""

    def get_records(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]: ...


def read_up_to(database: Database, sql: str, parameters: Mapping[str, Any] | None) -> ReadUpTo:
    """Ask a database how far a stream has been read.

    :param sql: Query for rows of ``shard_id``, ``sequence_number``, ``last_arrival``, in this order: each NULL where it
        is not known; several rows where positions are known by shard. A ``last_arrival`` covers the shards without one.
    """
    if not sql.strip():
        raise PermanentError("The query for how far a stream has been read is empty: give it as `sql`.")
    with database_errors("How far the stream has been read could not be read"):
        found = database.get_records(sql, parameters)
    try:
        rows = [(shard, number, arrival) for shard, number, arrival in found]
    except ValueError as error:
        raise PermanentError(
            "The query for how far a stream has been read returns other columns than shard_id, sequence_number, "
            "last_arrival: correct it."
        ) from error
    return ReadUpTo(
        positions={shard: str(int(number)) for shard, number, _ in rows if shard and number is not None},
        last_arrival=max((arrival for _, _, arrival in rows if arrival is not None), default=None),
    )


def check_status(name: str, stream: StreamDescription | None, until: str) -> PollResult:
    """Tell what one check of a stream amounts to.

    :param until: An :class:`Await`.
    :raises PermanentError: waiting for ACTIVE, where the stream does not exist or is being deleted.
    """
    if until == Await.DELETED:
        if stream is not None:
            return PollResult(waiting_for=f"stream {name} to be deleted")
        return PollResult(result={"status": "DELETED"})
    if stream is None:
        raise missing_stream(name)
    if stream.status == StreamStatus.DELETING:
        raise PermanentError(f"Stream {name} is being deleted: create it again (DAG pinterest_kinesis_streams).")
    if stream.status != StreamStatus.ACTIVE:
        return PollResult(waiting_for=f"stream {name} to be ACTIVE, it is {stream.status}")
    return PollResult(result={"stream": name, "status": stream.status, "open_shards": stream.open_shard_count})


def check_age(seen: PollResult, name: str, age: IteratorAge, max_age: timedelta) -> PollResult:
    """Go on from a check of the status: is the iterator age known, and small enough?"""
    if age.milliseconds is None:
        return PollResult(
            waiting_for=f"an iterator age of stream {name}: CloudWatch has none of the last minutes, and no `sql` says "
            "how far its readers are"
        )
    behind = f"{age.milliseconds / 1000:.1f} s (from {age.source})"
    if timedelta(milliseconds=age.milliseconds) > max_age:
        return PollResult(waiting_for=f"the readers of stream {name}, {behind} behind, to be within {max_age}")
    return PollResult(result={**seen.result, "iterator_age_ms": age.milliseconds, "source": age.source})


def check_stream(
    hook: "KinesisStreamHook",
    name: str,
    *,
    until: str,
    max_age_seconds: float | None = None,
    database: Database | None = None,
    sql: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> PollResult:
    """Check once: at the status and, where ``max_age_seconds`` is given, at the iterator age.

    :param database: With ``sql``, tells how far readers are where CloudWatch has no iterator age.
    """
    seen = check_status(name, hook.find(name), until)
    if seen.result is None or max_age_seconds is None:
        return seen
    read = read_up_to(database, sql, parameters) if database is not None and sql is not None else None
    return check_age(seen, name, hook.iterator_age(name, read), timedelta(seconds=max_age_seconds))
