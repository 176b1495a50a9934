"""Where the rows of the last batch runs went, stage by stage, and what the lake and the warehouse hold now."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from pinterest_pipeline.ui.answers import ANSWERS
from pinterest_pipeline.ui.verdicts import Level, Verdict
from pinterest_pipeline.ui.warehouse import Query, Rows, answer, total

RUNS = 12
COUNTED = (
    "source_rows", "acknowledged_rows", "dead_letter_rows", "landed_rows", "silver_rows", "duplicate_rows",
    "quarantined_rows", "lost_rows",
)  # fmt: skip
OLD_AFTER = timedelta(hours=26)  # a daily run, and two hours for it
COUNTS = " UNION ALL ".join(f"SELECT count(*) AS rows FROM gold.{each.table}" for each in ANSWERS)  # noqa: S608
QUERIES = {
    "runs": Query(
        "audit.run_rows",
        """
        WITH newest AS (
            SELECT dag_id, run_id, max(recorded_at) AS closed_at
            FROM audit.run_rows GROUP BY dag_id, run_id ORDER BY closed_at DESC LIMIT %(runs)s
        )
        SELECT rows.*, newest.closed_at FROM newest JOIN audit.run_rows AS rows USING (dag_id, run_id)
        ORDER BY newest.closed_at DESC, rows.dag_id, rows.run_id, rows.table_name
        """,
        {"runs": RUNS},
    ),
    "lake": Query(
        "audit.lake_rows",
        "SELECT table_name, bronze_rows, silver_rows, duplicate_rows, quarantined_rows, recorded_at "
        "FROM audit.lake_rows ORDER BY table_name",
    ),
    "published": Query(
        f"gold.{ANSWERS[-1].table}",
        f"SELECT count(*) FILTER (WHERE rows > 0) AS answers, sum(rows)::bigint AS rows FROM ({COUNTS}) AS counted",  # noqa: S608
    ),
}


def panel() -> dict[str, Any]:
    return answer(QUERIES, shape)


def shape(found: Mapping[str, Rows | None], now: datetime) -> dict[str, Any]:
    runs = [run(list(rows)) for _, rows in groupby(found["runs"] or [], lambda row: (row["dag_id"], row["run_id"]))]
    lake = found["lake"] or []
    return {
        "runs": runs,
        "lake": {
            "tables": lake,
            **{column: total(lake, column) for column in ("bronze_rows", "silver_rows", "quarantined_rows")},
        }
        if lake
        else None,
        "published": next(iter(found["published"] or []), None),
        "verdict": verdict(runs, now).as_json(),
    }


def run(rows: Rows) -> dict[str, Any]:
    """Return one run's books: the sums over its tables, and each table's own."""
    return {
        "dag_id": rows[0]["dag_id"],
        "run_id": rows[0]["run_id"],
        "closed_at": rows[0]["closed_at"],
        "tables": [{"table_name": row["table_name"], **{column: row[column] for column in COUNTED}} for row in rows],
        **{column: total(rows, column) for column in COUNTED},
        "is_balanced": all(is_balanced(row) for row in rows),
    }


def is_balanced(row: Mapping[str, Any]) -> bool:
    settled = row["silver_rows"] + row["duplicate_rows"] + row["quarantined_rows"]
    sent = row["acknowledged_rows"] + row["dead_letter_rows"]
    return bool(row["lost_rows"] == 0 and row["landed_rows"] == settled and row["source_rows"] == sent)


def verdict(runs: list[dict[str, Any]], now: datetime) -> Verdict:
    """Say of the newest run whether its rows add up, and how old its answers are."""
    if not runs:
        return Verdict(Level.UNKNOWN, "None yet", "No batch run has closed its books: trigger pinterest_daily_batch.")
    newest = runs[0]
    if not newest["is_balanced"]:
        return Verdict(
            Level.BAD, "Rows missing", f"{newest['lost_rows']} rows lost, see task reconcile_rows.", newest["closed_at"]
        )
    told = f"{newest['source_rows']:,} rows in, every one accounted for."
    if now - newest["closed_at"] > OLD_AFTER:
        return Verdict(Level.WARN, "Old", f"No run has closed its books for a day. Last: {told}", newest["closed_at"])
    return Verdict(Level.GOOD, "Complete", told, newest["closed_at"])
