"""What the supervisor asks and tells the warehouse's schema ``stream``.

The statements stand here, not in ``include/sql``, because the triggerer runs them too, and it has the plugins only.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from pinterest_pipeline.stream.policy import Control, Progress, Request
from pinterest_pipeline.warehouse.errors import database_errors

PROGRESS = """
SELECT newest.* FROM unnest(%(queries)s::text[]) AS wanted (query) CROSS JOIN LATERAL (
    SELECT query, batch_id, committed_at FROM stream.progress
    WHERE query = wanted.query ORDER BY committed_at DESC LIMIT 1
) AS newest"""
POSITIONS = "SELECT shard_id, sequence_number FROM stream.position WHERE stream = %(stream)s"
CONTROL = "SELECT paused_at, coalesce(paused_by, ''), stop_requested_at FROM stream.control WHERE query = 'all'"
ROW = "INSERT INTO stream.control (query) VALUES ('all') ON CONFLICT (query) DO NOTHING"
PAUSE = (
    "UPDATE stream.control SET paused_at = coalesce(paused_at, now()), paused_by = %(by)s, reason = %(reason)s "
    "WHERE query = 'all'"
)
RESUME = "UPDATE stream.control SET paused_at = NULL, paused_by = NULL, reason = NULL WHERE query = 'all'"
REQUEST_STOP = "UPDATE stream.control SET stop_requested_at = now() WHERE query = 'all'"
STATEMENTS = {
    Request.NOTHING: (),
    Request.PAUSE: (PAUSE,),
    Request.RESUME: (RESUME,),
    Request.STOP: (PAUSE, REQUEST_STOP),
    Request.RESTART: (RESUME, REQUEST_STOP),
}

log = logging.getLogger(__name__)


class Database(Protocol):
    """The two verbs of ``DbApiHook`` used here."""

    def get_records(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]: ...

    def run(self, sql: list[str], parameters: Mapping[str, Any]) -> Any: ...


def read_progress(database: Database, queries: Sequence[str]) -> dict[str, Progress]:
    """Return the newest committed micro-batch of each query that has one; by an index, however many there are."""
    with database_errors("Warehouse, reading stream.progress"):
        rows = database.get_records(PROGRESS, {"queries": list(queries)})
    return {row[0]: Progress(*row) for row in rows}


def read_positions(database: Database, stream: str) -> dict[str, str]:
    """Return the sequence number of the last committed record, by shard; none where nothing was ever committed."""
    with database_errors(f"Warehouse, reading stream.position of {stream}"):
        rows = database.get_records(POSITIONS, {"stream": stream})
    return {shard_id: str(int(sequence_number)) for shard_id, sequence_number in rows}


def read_control(database: Database) -> Control:
    with database_errors("Warehouse, reading stream.control"):
        rows = database.get_records(CONTROL, {})
    return Control(*rows[0]) if rows else Control()


def obey(database: Database, request: Request, *, by: str, reason: str) -> None:
    """Write down, in one transaction, what was asked; the same request again changes nothing but its time."""
    if not STATEMENTS[request]:
        return
    with database_errors(f"Warehouse, recording {request} in stream.control"):
        database.run([ROW, *STATEMENTS[request]], parameters={"by": by, "reason": reason})
    log.info("Recorded in stream.control: %s, by %s", request, by)


def stamp(time: datetime | None) -> str | None:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if time else None
