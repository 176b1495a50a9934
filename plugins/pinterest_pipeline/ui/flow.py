"""Where the rows of the last batch runs went, stage by stage, and what the lake and the warehouse hold now."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from pinterest_pipeline.ui.airflow_runs import Run
from pinterest_pipeline.ui.tiles import Level, Tile
from pinterest_pipeline.ui.warehouse import Query, Rows, answer, total

RUNS = 12
COUNTED = (
    "source_rows", "acknowledged_rows", "dead_letter_rows", "landed_rows", "silver_rows", "duplicate_rows",
    "quarantined_rows", "lost_rows", "redriven_rows",
)  # fmt: skip
MISSING = {
    "Kafka": "rows read were neither acknowledged nor made dead letters",
    "Lake": "acknowledged rows did not land",
    "Silver": "landed rows are not counted once in silver, duplicates or quarantine",
}
OLD_AFTER = timedelta(hours=26)  # a daily run, and two hours for it
QUERIES = {
    "runs": Query(
        "audit.redriven_rows",
        """
        WITH newest AS (
            SELECT dag_id, run_id, max(recorded_at) AS reconciled_at
            FROM audit.run_rows GROUP BY dag_id, run_id ORDER BY reconciled_at DESC LIMIT %(runs)s
        )
        SELECT rows.*, newest.reconciled_at, coalesce(redriven.rows, 0) AS redriven_rows
        FROM newest JOIN audit.run_rows AS rows USING (dag_id, run_id)
        LEFT JOIN (
            SELECT dead_letter_uri, sum(redriven_rows)::bigint AS rows FROM audit.redriven_rows GROUP BY dead_letter_uri
        ) AS redriven USING (dead_letter_uri)
        ORDER BY newest.reconciled_at DESC, rows.dag_id, rows.run_id, rows.table_name
        """,
        {"runs": RUNS},
    ),
    "lake": Query(
        "audit.lake_rows",
        "SELECT table_name, bronze_rows, silver_rows, duplicate_rows, quarantined_rows, recorded_at "
        "FROM audit.lake_rows ORDER BY table_name",
    ),
    "offsets": Query(
        "audit.partition_offsets",
        "SELECT table_name, topic, generation, partition, first_offset, last_offset, end_offset, missing_offsets, "
        "(missing #>> '{ranges,0,0}')::bigint AS first_missing, counted_at "
        "FROM audit.partition_offsets ORDER BY topic, generation, partition",
    ),
    "published": Query(
        "audit.answers",
        "SELECT count(*) FILTER (WHERE row_count > 0) AS answers, sum(row_count)::bigint AS rows FROM audit.answers",
    ),
}


def panel() -> dict[str, Any]:
    return answer(QUERIES, shape)


def shape(found: Mapping[str, Rows | None], now: datetime) -> dict[str, Any]:
    runs = [run(list(rows)) for _, rows in groupby(found["runs"] or [], lambda row: (row["dag_id"], row["run_id"]))]
    lake, offsets = found["lake"] or [], found["offsets"] or []
    return {
        "runs": runs,
        "lake": {
            "tables": lake,
            **{column: total(lake, column) for column in ("bronze_rows", "silver_rows", "quarantined_rows")},
        }
        if lake
        else None,
        "published": next(iter(found["published"] or []), None),
        "offsets": offsets,
        "tile": tile(runs, offsets, now).as_json(),
    }


def run(rows: Rows) -> dict[str, Any]:
    """Return one run's counts: summed over its tables, and by table."""
    by_table = [missing(row) for row in rows]
    by_stage = {stage: sum(counts[stage] for counts in by_table) for stage in MISSING}
    return {
        "dag_id": rows[0]["dag_id"],
        "run_id": rows[0]["run_id"],
        "reconciled_at": rows[0]["reconciled_at"],
        "tables": [{"table_name": row["table_name"], **{column: row[column] for column in COUNTED}} for row in rows],
        **{column: total(rows, column) for column in COUNTED},
        "missing": by_stage,
        "path": Run(rows[0]["run_id"], "", dag_id=rows[0]["dag_id"]).path,
        "is_reconciled": not any(by_stage.values()),
    }


def missing(row: Mapping[str, Any]) -> dict[str, int]:
    """Return by stage how many rows went in and have no outcome there, or have one too many."""
    processed = row["silver_rows"] + row["duplicate_rows"] + row["quarantined_rows"]
    sent = row["acknowledged_rows"] + row["dead_letter_rows"]
    return {
        "Kafka": abs(row["source_rows"] - sent),
        "Lake": abs(row["lost_rows"]),
        "Silver": abs(row["landed_rows"] - processed),
    }


def gap_tile(offsets: Rows) -> Tile | None:
    """Return the tile of a gap between Kafka and bronze; None without one."""
    gaps = [one for one in offsets if one["missing_offsets"]]
    if not gaps:
        return None
    first = gaps[0]
    where = f"the first of {first['topic']}, partition {first['partition']} is {first['first_missing']}"
    detail = f"{total(gaps, 'missing_offsets'):,} are in Kafka and not in bronze, {where}: see task reconcile_rows."
    return Tile(Level.BAD, "Offsets missing", detail, first["counted_at"])


def tile(runs: list[dict[str, Any]], offsets: Rows, now: datetime) -> Tile:
    """Return the tile of the newest runs: do the counts match, has bronze all of Kafka, how old are the answers?"""
    if not runs:
        return Tile(Level.UNKNOWN, "None yet", "No batch run has reconciled its rows: trigger pinterest_daily_batch.")
    newest = runs[0]
    # A run that is reconciled later puts its own counts right; that of another day does not
    wrong = next((run for run in runs if not run["is_reconciled"]), None)
    if wrong:
        causes = "; ".join(f"{count:,} {MISSING[stage]}" for stage, count in wrong["missing"].items() if count)
        detail = f"{wrong['run_id']}: {causes}. Read the log of task reconcile_rows."
        return Tile(Level.BAD, "Rows missing", detail, wrong["reconciled_at"], wrong["path"])
    if gap := gap_tile(offsets):
        return gap
    detail = f"{newest['source_rows']:,} rows read, all counts match."
    if now - newest["reconciled_at"] > OLD_AFTER:
        detail = f"No run was reconciled for a day. Last: {detail}"
        return Tile(Level.WARN, "Old", detail, newest["reconciled_at"], newest["path"])
    return Tile(Level.GOOD, "Complete", detail, newest["reconciled_at"], newest["path"])
