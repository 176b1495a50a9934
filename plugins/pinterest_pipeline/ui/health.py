"""The health of batch, connector and stream, as the last runs of their DAGs found it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from pinterest_pipeline.ui.airflow_runs import Dag, Run, read_dags, unavailable
from pinterest_pipeline.ui.tiles import Level, Tile

BATCH = "pinterest_daily_batch"
CONNECTOR = "pinterest_sink_connector"
STREAM = "pinterest_stream_supervisor"
RESTART, LAUNCH, WATCH = "restart_connector", "launch_stream", "watch_stream"
CONNECTOR_CHECK_MAX_AGE = timedelta(minutes=30)  # three of its runs
STREAM_CHECK_MAX_AGE = timedelta(minutes=10)
LATE_AFTER = timedelta(minutes=30)  # the scheduler begins a run within seconds of the end of its interval
ACTIVE = ("running", "deferred", "queued", "scheduled", "restarting", "up_for_reschedule", "up_for_retry")


def panel() -> dict[str, Any]:
    now = datetime.now(UTC)
    try:
        dags = read_dags((BATCH, CONNECTOR, STREAM))
    except SQLAlchemyError as error:
        return unavailable(error, now)
    return {"state": "ok", "now": now, **shape(dags, now)}


def shape(dags: Mapping[str, Dag], now: datetime) -> dict[str, Any]:
    tiles = {
        "batch": batch(dags[BATCH], now),
        "connector": connector(dags[CONNECTOR], now),
        "stream": stream(dags[STREAM], now),
    }
    return {
        "tiles": {name: tile.as_json() for name, tile in tiles.items()},
        "dags": [
            {"dag_id": dag.dag_id, "is_paused": dag.is_paused, "runs": [run_as_json(run) for run in dag.runs]}
            for dag in dags.values()
        ],
    }


def run_as_json(run: Run) -> dict[str, Any]:
    seconds = (run.ended - run.began).total_seconds() if run.began and run.ended else None
    late = (run.ended - run.interval_end).total_seconds() if run.ended and run.interval_end else None
    return {
        "run_id": run.run_id,
        "run_type": run.run_type,
        "path": run.path,
        "state": run.state,
        "began": run.began,
        "ended": run.ended,
        "seconds": seconds,
        "seconds_after_interval": late,
        "failed_tasks": [{"task_id": task_id, "path": run.task_path(task_id)} for task_id in run.failed_tasks()],
    }


def not_run(dag: Dag, consequence: str) -> Tile | None:
    """Return the tile of a DAG that has not run; None for one that has."""
    if dag.is_paused is None:
        return Tile(Level.UNKNOWN, "No DAG", f"Airflow knows no DAG {dag.dag_id}: deploy it.")
    if dag.newest is None:
        remedy = "unpause it" if dag.is_paused else "wait for its first run"
        return Tile(Level.UNKNOWN, "Not run", f"{dag.dag_id} has not run, {consequence}: {remedy}.")
    return None


def failure(run: Run) -> str:
    return f"{', '.join(run.failed_tasks()) or 'The run'} failed: read its log."


def batch(dag: Dag, now: datetime) -> Tile:
    """Return whether the newest days are done, each by the run of its interval; a run by hand makes no day good."""
    return not_run(dag, "so no posts were sent") or trouble(dag, now) or days(dag)


def trouble(dag: Dag, now: datetime) -> Tile | None:
    failed = [run for run in dag.days if run.state == "failed"]
    by_hand = dag.last_over if dag.last_over and dag.last_over.run_type == "manual" else None
    if failed:
        also = " Another run is active." if dag.newest and not dag.newest.is_over else ""
        return Tile(
            Level.BAD, "Failed", f"The {day_of(failed[0])}: {failure(failed[0])}{also}", failed[0].ended,
            failed[0].failure_path(),
        )  # fmt: skip
    if not dag.is_paused and dag.next_run_after and now - dag.next_run_after > LATE_AFTER:
        detail = "The next day's run was to begin and has not: see Airflow's scheduler, and how many runs are active."
        return Tile(Level.BAD, "Late", detail, dag.next_run_after)
    if by_hand and by_hand.state == "failed":
        detail = f"A run by hand: {failure(by_hand)}"
        return Tile(Level.WARN, "Failed by hand", detail, by_hand.ended, by_hand.failure_path())
    return None


def days(dag: Dag) -> Tile:
    active = [run for run in dag.days if not run.is_over]
    if active:
        at = sorted(task_id for task_id in active[0].tasks if active[0].has(task_id, "running", "deferred"))
        detail = f"The {day_of(active[0])}, at: {', '.join(at) or 'waiting to start'}."
        return Tile(Level.GOOD, "Running", detail, active[0].began, active[0].path)
    if not dag.days:
        return Tile(Level.WARN, "By hand only", f"No day of {dag.dag_id} has been run: unpause it, or run a backfill.")
    done = " and ".join(f"{run.interval_end:%Y-%m-%d %H:%M}" for run in reversed(dag.days))
    paused = " The DAG is paused: no run follows." if dag.is_paused else ""
    level = Level.WARN if dag.is_paused else Level.GOOD
    return Tile(level, "Succeeded", f"Done: the intervals to {done}.{paused}", dag.days[0].ended, dag.days[0].path)


def day_of(run: Run) -> str:
    """Return which interval a run handles, by its end: the run is named after it, the posts are of the day before."""
    return f"interval to {run.interval_end:%Y-%m-%d %H:%M}" if run.interval_end else run.run_id


def connector(dag: Dag, now: datetime) -> Tile:
    """Return the tile by the last run that ended: it checked the connector's state, tasks and lag."""
    if tile := not_run(dag, "so the connector was never checked"):
        return tile
    last = dag.last_over
    if last is None:
        return Tile(Level.UNKNOWN, "Checking", "The first check is running.", dag.newest.began if dag.newest else None)
    if last.state == "failed":
        detail = failure(last) + " Posts wait in Kafka, none is lost."
        return Tile(Level.BAD, "Unhealthy", detail, last.ended, last.failure_path())
    if last.ended and now - last.ended > CONNECTOR_CHECK_MAX_AGE:
        why = "its DAG is paused" if dag.is_paused else "its DAG does not run, see Airflow's scheduler"
        return Tile(Level.WARN, "No recent check", f"It was healthy then; {why}.", last.ended)
    if last.has(RESTART, "success"):
        return Tile(Level.WARN, "Restarted", "Tasks had failed; it works again.", last.ended)
    return Tile(Level.GOOD, "Healthy", "Its tasks run, and it keeps up.", last.ended)


def stream(dag: Dag, now: datetime) -> Tile:
    """Return the tile by the run that monitors the stream now, else by the last one that ended."""
    return not_run(dag, "so the stream is not monitored") or active_run(dag, now) or last_run(dag, now)


def active_run(dag: Dag, now: datetime) -> Tile | None:
    """Return what the newest run of the supervisor is doing for the stream; None where it does nothing yet."""
    newest, last = dag.newest, dag.last_over
    if newest is None:
        return None
    if newest.has(LAUNCH, "skipped"):
        return Tile(Level.OFF, "Paused", "On request; trigger its DAG with action: resume to go on.", newest.began)
    if newest.has(WATCH, *ACTIVE) and newest.has(LAUNCH, "success"):
        if last is not None and last.state == "failed" and last.ended and now - last.ended < STREAM_CHECK_MAX_AGE:
            detail = f"Running again. Before, {failure(last)}"
            return Tile(Level.WARN, "Replaced", detail, newest.began, last.failure_path())
        return Tile(Level.GOOD, "Running", "Its run is monitored.", newest.began)
    if newest.has(LAUNCH, *ACTIVE):
        return Tile(Level.WARN, "Launching", "A run is being started, or waited for.", newest.began)
    return None


def last_run(dag: Dag, now: datetime) -> Tile:
    last = dag.last_over
    if last is None:
        return Tile(Level.UNKNOWN, "Starting", "The first launch is running.", began(dag))
    if last.state == "failed":
        return Tile(Level.BAD, "Unhealthy", failure(last), last.ended, last.failure_path())
    if last.has(LAUNCH, "skipped"):
        return Tile(Level.OFF, "Paused", "On request; trigger its DAG with action: resume to go on.", last.ended)
    if dag.is_paused or (last.ended and now - last.ended > STREAM_CHECK_MAX_AGE):
        return Tile(Level.WARN, "Not monitored", f"Unpause {dag.dag_id}, or see Airflow's scheduler.", last.ended)
    return Tile(Level.GOOD, "Running", "The next run of the supervisor follows.", last.ended)


def began(dag: Dag) -> datetime | None:
    return dag.newest.began if dag.newest else None
