"""What the stream committed in the last hour, minute by minute, and how far behind it was."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

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
}


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
        "minutes": every_minute(minutes, now),
        "last_hour": {column: total(minutes, column) for column in COUNTED},
    }


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
