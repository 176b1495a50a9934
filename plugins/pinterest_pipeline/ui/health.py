"""The health of batch, connector and stream, as the last runs of their DAGs found it."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from pinterest_pipeline.ui.airflow_runs import Dag, Run, read_dags
from pinterest_pipeline.ui.tiles import Level, Tile

BATCH = "pinterest_daily_batch"
CONNECTOR = "pinterest_sink_connector"
STREAM = "pinterest_stream_supervisor"
RESTART, LAUNCH, WATCH = "restart_connector", "launch_stream", "watch_stream"
CONNECTOR_CHECK_MAX_AGE = timedelta(minutes=30)  # three of its runs
STREAM_CHECK_MAX_AGE = timedelta(minutes=10)
ACTIVE = ("running", "deferred", "queued", "scheduled", "restarting", "up_for_reschedule", "up_for_retry")

log = logging.getLogger(__name__)


def panel() -> dict[str, Any]:
    now = datetime.now(UTC)
    try:
        dags = read_dags((BATCH, CONNECTOR, STREAM))
    except SQLAlchemyError as error:
        log.exception("The page could not read Airflow's database")
        why = f"Airflow's own database does not answer ({type(error).__name__})."
        return {"state": "unavailable", "now": now, "why": why, "remedy": "Read the log of the api-server."}
    return {"state": "ok", "now": now, **shape(dags, now)}


def shape(dags: Mapping[str, Dag], now: datetime) -> dict[str, Any]:
    tiles = {
        "batch": batch(dags[BATCH]),
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
        "state": run.state,
        "began": run.began,
        "ended": run.ended,
        "seconds": seconds,
        "seconds_after_interval": late,
        "failed_tasks": run.failed_tasks(),
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


def batch(dag: Dag) -> Tile:
    if tile := not_run(dag, "so no posts were sent"):
        return tile
    newest, last = dag.newest, dag.last_over
    running = newest is not None and not newest.is_over
    if last is not None and last.state == "failed":
        return Tile(Level.BAD, "Failed", failure(last) + (" Another run is active." if running else ""), last.ended)
    if running and newest is not None:
        active = sorted(task_id for task_id in newest.tasks if newest.has(task_id, "running", "deferred"))
        return Tile(Level.GOOD, "Running", f"Active: {', '.join(active) or 'waiting to start'}.", newest.began)
    paused = " The DAG is paused: no run follows." if dag.is_paused else ""
    level = Level.WARN if dag.is_paused else Level.GOOD
    return Tile(level, "Succeeded", f"The last run succeeded.{paused}", last.ended if last else None)


def connector(dag: Dag, now: datetime) -> Tile:
    """Return the tile by the last run that ended: it checked the connector's state, tasks and lag."""
    if tile := not_run(dag, "so the connector was never checked"):
        return tile
    last = dag.last_over
    if last is None:
        return Tile(Level.UNKNOWN, "Checking", "The first check is running.", dag.newest.began if dag.newest else None)
    if last.state == "failed":
        return Tile(Level.BAD, "Unhealthy", failure(last) + " Posts wait in Kafka, none is lost.", last.ended)
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
            return Tile(Level.WARN, "Replaced", f"Running again. Before, {failure(last)}", newest.began)
        return Tile(Level.GOOD, "Running", "Its run is monitored.", newest.began)
    if newest.has(LAUNCH, *ACTIVE):
        return Tile(Level.WARN, "Launching", "A run is being started, or waited for.", newest.began)
    return None


def last_run(dag: Dag, now: datetime) -> Tile:
    last = dag.last_over
    if last is None:
        return Tile(Level.UNKNOWN, "Starting", "The first launch is running.", began(dag))
    if last.state == "failed":
        return Tile(Level.BAD, "Unhealthy", failure(last), last.ended)
    if last.has(LAUNCH, "skipped"):
        return Tile(Level.OFF, "Paused", "On request; trigger its DAG with action: resume to go on.", last.ended)
    if dag.is_paused or (last.ended and now - last.ended > STREAM_CHECK_MAX_AGE):
        return Tile(Level.WARN, "Not monitored", f"Unpause {dag.dag_id}, or see Airflow's scheduler.", last.ended)
    return Tile(Level.GOOD, "Running", "The next run of the supervisor follows.", last.ended)


def began(dag: Dag) -> datetime | None:
    return dag.newest.began if dag.newest else None
