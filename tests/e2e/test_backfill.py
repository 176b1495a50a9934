"""Missed days by the documented backfill, while other runs write the same lake."""

import re
import secrets
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import chain
from typing import Any

import pytest

from sandbox.demo.demo import BATCH_DAG
from sandbox.run.settings import SandboxError
from sandbox.servers import airflow
from tests.conftest import PROJECT
from tests.e2e.conftest import eventually

DAYS = 3
POSTING_DAYS = 2
MISSED_DAYS = f"""
    WITH day AS (SELECT DISTINCT (timestamp - interval '2 hours')::date AS day FROM geolocation_data)
    SELECT first.day, first.day + {DAYS}
    FROM day AS first JOIN day AS other ON other.day BETWEEN first.day AND first.day + {DAYS - 1}
    GROUP BY first.day HAVING count(*) = {POSTING_DAYS} ORDER BY first.day LIMIT 1
"""  # days with posts and one without; the last date's own interval begins after it and is left out
ENDED = {"success", "failed"}


@pytest.fixture(scope="module")
def days(pipeline: Any) -> tuple[str, str]:
    """A backfill's dates, over a lake that holds the whole history of the source."""
    if not pipeline.outcomes() or pipeline.answers() != pipeline.golden():
        pipeline.run_batch()
    first, last = pipeline.query("pinterest_source", MISSED_DAYS)[0]
    return str(first), str(last)


def change_source(pipeline: Any, assignment: str, where: str) -> None:
    """Give posts of the source what the lake has not seen: a run that skipped them would answer otherwise."""
    pipeline.query("pinterest_source", f"UPDATE geolocation_data SET {assignment} WHERE {where} RETURNING ind")


def of_days(days: tuple[str, str]) -> str:
    return f"timestamp >= '{days[0]} 02:00' AND timestamp < '{days[1]} 02:00'"


def create_backfill(pipeline: Any, days: tuple[str, str], max_active_runs: int) -> None:
    dates = ["--from-date", days[0], "--to-date", days[1], "--reprocess-behavior", "completed"]
    runs = ["--max-active-runs", str(max_active_runs)]
    airflow.run_cli(pipeline.settings, ["backfill", "create", "--dag-id", BATCH_DAG, *dates, *runs])


def finish_backfill(pipeline: Any) -> list[dict[str, Any]]:
    """Wait until the scheduler has closed each backfill, up to 30 s after its last run has ended; return the runs."""

    def is_complete() -> bool:
        known = pipeline.api.pages("backfills", "backfills", dag_id=BATCH_DAG)
        return all(backfill["completed_at"] for backfill in known)

    eventually(is_complete, "the backfill ends", seconds=900, pause=1)
    return [run for run in pipeline.api.runs(BATCH_DAG) if run["run_type"] == "backfill"]


def check_that_a_day_handles_just_the_posts_of_its_interval(pipeline: Any, runs: list[dict[str, Any]]) -> None:
    for run in runs:
        start, end = run["data_interval_start"], run["data_interval_end"]
        assert run["dag_run_id"] == f"backfill__{end.removesuffix('Z')}+00:00"
        within = f"timestamp AT TIME ZONE 'UTC' >= '{start}' AND timestamp AT TIME ZONE 'UTC' < '{end}'"
        counted = f"SELECT count(*) FROM geolocation_data WHERE {within}"
        expected = pipeline.query("pinterest_source", counted)[0][0]
        sent = pipeline.query(
            "pinterest_warehouse",
            f"SELECT DISTINCT acknowledged_rows FROM audit.run_rows WHERE run_id = '{run['dag_run_id']}'",
        )
        assert sent == [(expected,)], run["dag_run_id"]


def documented_days() -> list[tuple[str | None, tuple[str | None, str | None]]]:
    """Return of docs/backfills.md the logical dates that one may pass, each with the data interval it leads to."""
    section = (PROJECT / "docs" / "backfills.md").read_text().split("## Which day a run takes")[1].split("\n## ")[0]
    found: list[tuple[str | None, tuple[str | None, str | None]]] = []
    for given, interval in re.findall(r"^\| (?:no )?logical date ?(\S*) \| (.*?) \|", section, re.MULTILINE):
        start, _, end = interval.partition(" to ")
        found.append((f"{given}:00Z", (f"{start}:00Z", f"{end}:00Z")) if given else (None, (None, None)))
    return found


@pytest.fixture
def paused(pipeline: Any) -> Iterator[None]:
    """The batch paused: what is triggered is created and does not begin."""
    pause(pipeline, BATCH_DAG, True)
    yield
    pause(pipeline, BATCH_DAG, False)


def pause(pipeline: Any, dag_id: str, is_paused: bool) -> None:
    pipeline.api.call("PATCH", f"dags/{dag_id}", params={"update_mask": "is_paused"}, json={"is_paused": is_paused})


def test_a_run_by_hand_takes_the_day_that_the_documents_say(pipeline: Any, paused: None) -> None:
    documented = documented_days()

    for given, (start, end) in documented:
        run = pipeline.api.call("POST", f"dags/{BATCH_DAG}/dagRuns", json={"logical_date": given})
        pipeline.api.call("DELETE", f"dags/{BATCH_DAG}/dagRuns/{run['dag_run_id']}")

        assert (run["data_interval_start"], run["data_interval_end"]) == (start, end), given
        assert run["dag_run_id"].startswith("manual__20")
    assert len(documented) == 4


@pytest.mark.parametrize(
    "dag_id", ["pinterest_stream_supervisor", "pinterest_sink_connector", "pinterest_kinesis_streams"]
)
def test_a_pointless_backfill_is_refused(pipeline: Any, dag_id: str) -> None:
    body = {"dag_id": dag_id, "from_date": "2018-03-01T00:00:00Z", "to_date": "2018-03-02T00:00:00Z"}

    with pytest.raises(SandboxError, match="does not allow backfill runs"):
        pipeline.api.call("POST", "backfills", json=body)


def test_a_backfill_makes_up_for_missed_days_while_other_runs_write_the_same_days(
    pipeline: Any, days: tuple[str, str]
) -> None:
    """The run by hand takes the first of the days only: the posts of the others come by the backfill alone."""
    daily = max((run for run in pipeline.api.runs(BATCH_DAG) if run["run_type"] == "scheduled"), key=run_day)
    change_source(pipeline, f"country = 'Land {secrets.token_hex(3)}'", of_days(days))
    others = f"SELECT ind FROM geolocation_data WHERE timestamp < '2019-01-01' AND NOT ({of_days(days)}) ORDER BY ind"
    change_source(pipeline, f"timestamp = '{daily['data_interval_start'][:19]}'", f"ind IN ({others} LIMIT 3)")
    before = pipeline.outcomes()

    create_backfill(pipeline, days, max_active_runs=2)
    refuse_second_backfill(pipeline, days)
    second_day = date.fromisoformat(days[0]) + timedelta(days=1)
    manual = pipeline.start_batch(window_start=f"{days[0]}T02:00:00", window_end=f"{second_day}T02:00:00")
    clear(pipeline, daily["dag_run_id"])
    backfilled = finish_backfill(pipeline)
    states = {run_id: pipeline.finish(run_id) for run_id in (manual, daily["dag_run_id"])}

    ids = [*states, *(run["dag_run_id"] for run in backfilled)]
    assert set(states.values()) | {run["state"] for run in backfilled} == {"success"}
    assert len(backfilled) == DAYS
    assert most_in_parallel(run for run in pipeline.api.runs(BATCH_DAG) if run["dag_run_id"] in ids) == 3
    assert pipeline.answers() == pipeline.golden()
    sent = acknowledged(pipeline, ids)
    for table, (bronze, silver, duplicates, quarantined) in pipeline.outcomes().items():
        assert bronze == before[table][0] + sent[table] == silver + duplicates + quarantined
        assert sent[table] > 3  # the three of the daily run, and those of those days
    check_that_a_day_handles_just_the_posts_of_its_interval(pipeline, backfilled)


def run_day(run: dict[str, Any]) -> str:
    return str(run["data_interval_start"])


def refuse_second_backfill(pipeline: Any, days: tuple[str, str]) -> None:
    """Airflow runs one backfill of a DAG at a time."""
    body = {"dag_id": BATCH_DAG, "from_date": f"{days[0]}T00:00:00Z", "to_date": f"{days[1]}T00:00:00Z"}
    with pytest.raises(SandboxError, match=r"409 .*running backfill"):
        pipeline.api.call("POST", "backfills", json=body)


def clear(pipeline: Any, run_id: str) -> None:
    pipeline.api.call("POST", f"dags/{BATCH_DAG}/dagRuns/{run_id}/clear", json={"dry_run": False})


def most_in_parallel(runs: Iterable[dict[str, Any]]) -> int:
    """Return how many runs were active in the busiest moment."""
    ends = sorted(chain.from_iterable(((run["start_date"], 1), (run["end_date"], -1)) for run in runs))
    counts = [sum(step for _, step in ends[: place + 1]) for place in range(len(ends))]
    return max(counts)


def acknowledged(pipeline: Any, run_ids: list[str]) -> dict[str, int]:
    """Return the rows that the runs sent, by table, where each run lost none."""
    named = ", ".join(f"'{run_id}'" for run_id in run_ids)
    statement = "SELECT table_name, sum(acknowledged_rows)::int, sum(lost_rows)::int, count(*) FROM audit.run_rows"
    rows = pipeline.query("pinterest_warehouse", f"{statement} WHERE run_id IN ({named}) GROUP BY table_name")
    assert all((lost, count) == (0, len(run_ids)) for _, _, lost, count in rows), rows
    return {table: sent for table, sent, _, _ in rows}
