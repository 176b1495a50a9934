"""A backfill of past days, by the documented command, twice."""

from typing import Any

from sandbox import airflow
from sandbox.demo import BATCH_DAG
from tests.e2e.conftest import eventually

DAYS = 5
POSTING_DAYS = 2
FIVE_DAYS = f"""
    WITH day AS (SELECT DISTINCT (timestamp - interval '2 hours')::date AS day FROM geolocation_data)
    SELECT first.day, first.day + {DAYS}
    FROM day AS first JOIN day AS other ON other.day BETWEEN first.day AND first.day + {DAYS - 1}
    GROUP BY first.day HAVING count(*) = {POSTING_DAYS} ORDER BY first.day LIMIT 1
"""  # days with posts and days without; the last date's own interval begins after it and is left out


def backfill(pipeline: Any) -> list[dict[str, Any]]:
    """Run the backfill and return its ended runs."""
    since = {(run["dag_run_id"], run["end_date"]) for run in pipeline.api.runs(BATCH_DAG)}
    first, last = pipeline.query("pinterest_source", FIVE_DAYS)[0]
    days = ["--from-date", str(first), "--to-date", str(last)]
    behaviour = ["--reprocess-behavior", "completed", "--max-active-runs", "1"]
    airflow.run_cli(pipeline.settings, ["backfill", "create", "--dag-id", BATCH_DAG, *days, *behaviour])

    def ended() -> list[dict[str, Any]]:
        runs = [
            run
            for run in pipeline.api.runs(BATCH_DAG)
            if run["run_type"] == "backfill"
            and run["state"] in {"success", "failed"}
            and (run["dag_run_id"], run["end_date"]) not in since
        ]
        return runs if len(runs) == DAYS and is_complete(pipeline) else []

    runs: list[dict[str, Any]] = eventually(ended, "five backfilled days end", seconds=900, pause=1)
    return runs


def is_complete(pipeline: Any) -> bool:
    """Say whether the scheduler has closed each backfill, which it does up to 30 s after its last run has ended."""
    known = pipeline.api.pages("backfills", "backfills", dag_id=BATCH_DAG)
    return all(backfill["completed_at"] for backfill in known)


def test_five_days_succeed_twice_and_give_the_same_answers(pipeline: Any) -> None:
    first = backfill(pipeline)
    once = pipeline.answers()
    second = backfill(pipeline)

    assert [run["state"] for run in first] == ["success"] * DAYS
    assert [run["state"] for run in second] == ["success"] * DAYS
    assert pipeline.answers() == once


def test_a_day_handles_just_the_posts_of_its_interval(pipeline: Any) -> None:
    runs = [run for run in pipeline.api.runs(BATCH_DAG) if run["run_type"] == "backfill"]

    for run in runs:
        start, end = run["data_interval_start"], run["data_interval_end"]
        within = f"timestamp AT TIME ZONE 'UTC' >= '{start}' AND timestamp AT TIME ZONE 'UTC' < '{end}'"
        counted = f"SELECT count(*) FROM geolocation_data WHERE {within}"
        expected = pipeline.query("pinterest_source", counted)[0][0]
        sent = pipeline.query(
            "pinterest_warehouse",
            f"SELECT DISTINCT acknowledged_rows FROM audit.run_rows WHERE run_id = '{run['dag_run_id']}'",
        )
        assert sent == [(expected,)], run["dag_run_id"]
