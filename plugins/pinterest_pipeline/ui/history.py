"""The batch's last days: how many rows each had, what share of them was quarantined, and which day has no run."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from pinterest_pipeline.ui.airflow_runs import Run, read_days, unavailable
from pinterest_pipeline.ui.health import BATCH
from pinterest_pipeline.ui.warehouse import Query, Rows, answer

DAYS = 30
COUNTED = ("source_rows", "landed_rows", "quarantined_rows", "lost_rows")
STATEMENT = """
    SELECT run_id, sum(source_rows)::bigint AS source_rows, sum(landed_rows)::bigint AS landed_rows,
        sum(quarantined_rows)::bigint AS quarantined_rows, sum(lost_rows)::bigint AS lost_rows
    FROM audit.run_rows WHERE dag_id = %(dag_id)s AND run_id = ANY(%(run_ids)s) GROUP BY run_id
"""


def panel() -> dict[str, Any]:
    now = datetime.now(UTC)
    try:
        runs = read_days(BATCH, now - timedelta(days=DAYS + 1))
    except SQLAlchemyError as error:
        return unavailable(error, now)
    rows = Query("audit.run_rows", STATEMENT, {"dag_id": BATCH, "run_ids": [run.run_id for run in runs]})
    return answer({"rows": rows}, partial(shape, runs))


def shape(runs: Sequence[Run], found: Mapping[str, Rows | None], now: datetime) -> dict[str, Any]:
    """Return each day from the first run's to yesterday, at most 30; the newest run of a day stands for it."""
    counts = {row["run_id"]: row for row in found["rows"] or []}
    by_day = {run.interval_start.date(): run for run in runs if run.interval_start}
    newest = max([*by_day, now.date() - timedelta(days=1)])
    first = max(min(by_day, default=newest), newest - timedelta(days=DAYS - 1))
    days = [first + timedelta(days=n) for n in range((newest - first).days + 1)] if by_day else []
    return {"days": [as_json(day, by_day.get(day), counts) for day in days]}


def as_json(day: date, run: Run | None, counts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a day; None where a number is not known, because no run was there or because it counted nothing."""
    of_run = counts.get(run.run_id, {}) if run else {}
    landed = of_run.get("landed_rows")
    return {
        "day": day.isoformat(),
        "run_id": run.run_id if run else None,
        "path": run.path if run else "",
        "state": run.state if run else "no run",
        **{name: of_run.get(name) for name in COUNTED},
        "quarantined_share": of_run["quarantined_rows"] / landed if landed else None,
    }
