"""What the stream committed in the last hour, minute by minute, how far behind it was, and what it has lost."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pinterest_pipeline.ui.tiles import Level, Tile
from pinterest_pipeline.ui.warehouse import Query, Rows, answer, total

NAMES = ("stream_pin", "stream_geo", "stream_user")
MINUTES = 60
COUNTED = ("record_count", "row_count", "duplicate_count", "quarantined_count")
SUMMED_UP = -1  # the batch that stands for those older than a week
PARAMETERS = {"queries": list(NAMES), "minutes": MINUTES, "summed_up": SUMMED_UP}
QUERIES = {
    "minutes": Query(
        "stream.progress",
        """
        SELECT query, date_trunc('minute', committed_at) AS minute, count(*) AS batches,
            sum(record_count)::bigint AS record_count, sum(row_count)::bigint AS row_count,
            sum(duplicate_count)::bigint AS duplicate_count, sum(quarantined_count)::bigint AS quarantined_count,
            max(milliseconds_behind_latest) AS lag_ms
        FROM stream.progress
        WHERE query = ANY(%(queries)s) AND batch_id <> %(summed_up)s
            AND committed_at > date_trunc('minute', now()) - make_interval(mins => %(minutes)s - 1)
        GROUP BY query, minute
        """,
        PARAMETERS,
    ),
    "newest": Query(
        "stream.progress",
        """
        SELECT newest.* FROM unnest(%(queries)s::text[]) AS wanted (query) CROSS JOIN LATERAL (
            SELECT query, batch_id, committed_at, last_arrival, milliseconds_behind_latest AS lag_ms
            FROM stream.progress
            WHERE query = wanted.query AND batch_id <> %(summed_up)s ORDER BY committed_at DESC LIMIT 1
        ) AS newest
        """,
        PARAMETERS,
    ),
    "control": Query(
        "stream.control",
        "SELECT paused_at, paused_by, reason FROM stream.control WHERE query = 'all' AND paused_at IS NOT NULL",
    ),
    "lag": Query(
        "stream.lag",
        "SELECT query, level, lag_ms, hours_left, checked_at FROM stream.lag WHERE query = ANY(%(queries)s) "
        "ORDER BY hours_left, query",
        PARAMETERS,
    ),
    "losses": Query(
        "stream.data_loss",
        "SELECT query, found_at, lost_records, accepted_at FROM stream.data_loss "
        "WHERE query = ANY(%(queries)s) AND found_at IS NOT NULL AND used_at IS NULL ORDER BY query",
        PARAMETERS,
    ),
}
LAG_MAX_AGE = timedelta(minutes=45)  # a run of the supervisor measures it, which takes up to 40


def panel() -> dict[str, Any]:
    return answer(QUERIES, shape)


def shape(found: Mapping[str, Rows | None], now: datetime) -> dict[str, Any]:
    newest = {row["query"]: row for row in found["newest"] or []}
    minutes = found["minutes"] or []
    return {
        "exists": found["minutes"] is not None,
        "queries": [{"query": name, **newest.get(name, {})} for name in NAMES],
        "newest_commit": max((row["committed_at"] for row in newest.values()), default=None),
        "paused": next(iter(found["control"] or []), None),
        "lag": found["lag"] or [],
        "losses": found["losses"] or [],
        "trouble": trouble_as_json(found["losses"] or [], found["lag"] or [], now),
        "minutes": every_minute(minutes, now),
        "last_hour": {column: total(minutes, column) for column in COUNTED},
    }


def trouble_as_json(losses: Rows, lag: Rows, now: datetime) -> dict[str, Any] | None:
    tile = trouble(losses, lag, now)
    return tile.as_json() if tile else None


def trouble(losses: Rows, lag: Rows, now: datetime) -> Tile | None:
    """Return the tile of a stream that runs and has lost records, or is behind; None for one that keeps up.

    :param losses: Those that are not accepted and used.
    :param lag: By query; the one with the least time left first. What was measured long ago says nothing.
    """
    if losses:
        names = ", ".join(row["query"] for row in losses)
        waits = "starts again" if all(row["accepted_at"] for row in losses) else "waits for accept_data_loss"
        return Tile(Level.BAD, "Records lost", f"{names} {waits}: see the runbook.", losses[0]["found_at"])
    behind = [row for row in lag if row["level"] != "keeps up" and now - row["checked_at"] < LAG_MAX_AGE]
    if not behind:
        return None
    names = ", ".join(row["query"] for row in behind)
    level = Level.BAD if any(row["level"] == "at risk" for row in behind) else Level.WARN
    hours_left = min(row["hours_left"] for row in behind)
    return Tile(level, "Behind", f"{names}: records expire in {hours_left:.0f} h.", behind[0]["checked_at"])


def every_minute(rows: Rows, now: datetime) -> list[dict[str, Any]]:
    """Return one entry a minute, oldest first, also for the minutes in which nothing was committed.

    Lag is of the records that were committed; where none were, it is not known, and not zero.
    """
    last = now.replace(second=0, microsecond=0)
    by_minute: dict[datetime, Rows] = {last - timedelta(minutes=ago): [] for ago in reversed(range(MINUTES))}
    for row in rows:
        by_minute.get(row["minute"], []).append(row)
    return [
        {
            "minute": minute,
            **{column: total(found, column) for column in COUNTED},
            "lag_ms": max((row["lag_ms"] for row in found if row["lag_ms"] is not None), default=None),
        }
        for minute, found in by_minute.items()
    ]
