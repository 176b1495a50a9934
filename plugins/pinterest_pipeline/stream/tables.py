"""What the supervisor asks and tells the warehouse's schema ``stream``.

The statements stand here, not in ``include/sql``, because the triggerer runs them too, and it has the plugins only.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol

from pinterest_pipeline.stream.policy import Backlog, Control, LagLimits, Loss, Progress, Request, Trouble
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
TROUBLES = """
SELECT query, 'records lost', alarmed_at IS NULL AND accepted_at IS NULL FROM stream.data_loss
WHERE found_at IS NOT NULL AND used_at IS NULL
UNION ALL
SELECT query, level, level = 'at risk' AND alarmed_at IS NULL FROM stream.lag WHERE level <> 'keeps up'"""
LOSSES = """
SELECT id, query, what, lost_from, lost_to FROM stream.data_loss
WHERE found_at IS NOT NULL AND used_at IS NULL AND accepted_at IS NULL AND alarmed_at IS NULL ORDER BY id"""
LOSS_ALARMED = "UPDATE stream.data_loss SET alarmed_at = now(), lost_records = %(lost_records)s WHERE id = %(id)s"
ACCEPT_LOSS = """
INSERT INTO stream.data_loss AS known (query, accepted_at, accepted_by, reason)
SELECT query, now(), %(by)s, %(reason)s FROM unnest(%(queries)s::text[]) AS accepted (query)
ON CONFLICT (query) WHERE used_at IS NULL DO UPDATE SET accepted_at = excluded.accepted_at,
    accepted_by = excluded.accepted_by, reason = excluded.reason"""
WRITE_LAG = """
INSERT INTO stream.lag AS known (query, stream, lag_ms, hours_left, retention_hours, level, source)
VALUES (%(query)s, %(stream)s, %(lag_ms)s, %(hours_left)s, %(retention_hours)s, %(level)s, %(source)s)
ON CONFLICT (query) DO UPDATE SET stream = excluded.stream, lag_ms = excluded.lag_ms,
    hours_left = excluded.hours_left, retention_hours = excluded.retention_hours, level = excluded.level,
    source = excluded.source, checked_at = excluded.checked_at,
    alarmed_at = CASE WHEN excluded.level = 'at risk' THEN known.alarmed_at END"""
LAG_TO_ALARM = "SELECT query FROM stream.lag WHERE level = 'at risk' AND alarmed_at IS NULL"
LAG_ALARMED = "UPDATE stream.lag SET alarmed_at = now() WHERE query = %(query)s"
STATEMENTS = {
    Request.WATCH: (),
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


def read_troubles(database: Database) -> list[Trouble]:
    """Return what is wrong with queries whose run is active: lost records, and lag."""
    with database_errors("Warehouse, reading stream.data_loss and stream.lag"):
        return [Trouble(*row) for row in database.get_records(TROUBLES, {})]


def read_losses(database: Database) -> list[Loss]:
    """Return the losses that stopped a query, are not accepted, and of which no alarm was raised."""
    with database_errors("Warehouse, reading stream.data_loss"):
        return [Loss(*row) for row in database.get_records(LOSSES, {})]


def accept_losses(database: Database, queries: Sequence[str], *, by: str, reason: str) -> None:
    """Let the next launch of each query go on without the records that it has lost."""
    with database_errors("Warehouse, recording in stream.data_loss what is accepted"):
        database.run([ACCEPT_LOSS], parameters={"queries": list(queries), "by": by, "reason": reason})
    log.info("Recorded in stream.data_loss: losses of %s are accepted by %s", ", ".join(queries), by)


def loss_alarmed(database: Database, loss: Loss, lost_records: int | None) -> None:
    with database_errors("Warehouse, writing stream.data_loss"):
        database.run([LOSS_ALARMED], parameters={"id": loss.id, "lost_records": lost_records})


def write_lag(database: Database, backlogs: Sequence[Backlog], limits: LagLimits) -> None:
    """Record each backlog in place of the one before."""
    with database_errors("Warehouse, writing stream.lag"):
        for backlog in backlogs:
            row = {**asdict(backlog), "hours_left": backlog.hours_left, "level": str(backlog.level(limits))}
            database.run([WRITE_LAG], parameters=row)


def lags_to_alarm(database: Database) -> list[str]:
    """Return the queries at risk of which no alarm was raised."""
    with database_errors("Warehouse, reading stream.lag"):
        return [query for (query,) in database.get_records(LAG_TO_ALARM, {})]


def lag_alarmed(database: Database, query: str) -> None:
    with database_errors("Warehouse, writing stream.lag"):
        database.run([LAG_ALARMED], parameters={"query": query})


def stamp(time: datetime | None) -> str | None:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if time else None
