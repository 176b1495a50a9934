"""How the batch, the connector and the stream are, as the last runs of the DAGs that look after them found it."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from pinterest_pipeline.ui.airflow_runs import Dag, Run, read_dags
from pinterest_pipeline.ui.verdicts import Level, Verdict

BATCH = "pinterest_daily_batch"
CONNECTOR = "pinterest_sink_connector"
STREAM = "pinterest_stream_supervisor"
RESTART, LAUNCH, WATCH = "restart_connector", "launch_stream", "watch_stream"
CONNECTOR_LOOKED_AT = timedelta(minutes=30)  # three of its runs
STREAM_LOOKED_AT = timedelta(minutes=10)
ACTIVE = ("running", "deferred", "queued", "scheduled", "restarting", "up_for_reschedule", "up_for_retry")

log = logging.getLogger(__name__)


def panel() -> dict[str, Any]:
    now = datetime.now(UTC)
    try:
        dags = read_dags((BATCH, CONNECTOR, STREAM))
    except SQLAlchemyError as error:
        log.exception("The page could not read Airflow's database")
        why = f"Airflow's own database does not answer ({type(error).__name__})."
        return {"state": "unavailable", "now": now, "why": why, "cure": "Look into the api-server's log."}
    return {"state": "ok", "now": now, **shape(dags, now)}


def shape(dags: Mapping[str, Dag], now: datetime) -> dict[str, Any]:
    verdicts = {
        "batch": batch(dags[BATCH]),
        "connector": connector(dags[CONNECTOR], now),
        "stream": stream(dags[STREAM], now),
    }
    return {
        "verdicts": {name: verdict.as_json() for name, verdict in verdicts.items()},
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


def unseen(dag: Dag, purpose: str) -> Verdict | None:
    """Return what is to be said of a DAG that has not run."""
    if dag.is_paused is None:
        return Verdict(Level.UNKNOWN, "No DAG", f"Airflow knows no DAG {dag.dag_id}: deploy it.")
    if dag.newest is None:
        cure = "unpause it" if dag.is_paused else "its first run is to come"
        return Verdict(Level.UNKNOWN, "Not seen", f"{dag.dag_id} has not run, {purpose}: {cure}.")
    return None


def failure(run: Run) -> str:
    return f"{', '.join(run.failed_tasks()) or 'The run'} failed: read its log."


def batch(dag: Dag) -> Verdict:
    if told := unseen(dag, "so no posts were sent"):
        return told
    newest, last = dag.newest, dag.last_over
    running = newest is not None and not newest.is_over
    if last is not None and last.state == "failed":
        return Verdict(Level.BAD, "Failed", failure(last) + (" Another run is at work." if running else ""), last.ended)
    if running and newest is not None:
        active = sorted(task_id for task_id in newest.tasks if newest.has(task_id, "running", "deferred"))
        return Verdict(Level.GOOD, "Running", f"At work: {', '.join(active) or 'waiting to start'}.", newest.began)
    paused = " The DAG is paused: no run follows." if dag.is_paused else ""
    level = Level.WARN if dag.is_paused else Level.GOOD
    return Verdict(level, "Succeeded", f"The last run did all it had to.{paused}", last.ended if last else None)


def connector(dag: Dag, now: datetime) -> Verdict:
    """Judge by the last run that ended: it looked at the connector's state, its tasks and its lag."""
    if told := unseen(dag, "so nobody has looked at the connector"):
        return told
    last = dag.last_over
    if last is None:
        return Verdict(
            Level.UNKNOWN, "Looking", "The first look is under way.", dag.newest.began if dag.newest else None
        )
    if last.state == "failed":
        return Verdict(Level.BAD, "Sick", failure(last) + " Posts wait in Kafka, none is lost.", last.ended)
    if last.ended and now - last.ended > CONNECTOR_LOOKED_AT:
        why = "its DAG is paused" if dag.is_paused else "its DAG does not run, see Airflow's scheduler"
        return Verdict(Level.WARN, "Not looked at", f"It was healthy then; {why}.", last.ended)
    if last.has(RESTART, "success"):
        return Verdict(Level.WARN, "Restarted", "Tasks had failed; it works again.", last.ended)
    return Verdict(Level.GOOD, "Healthy", "Its tasks run, and it keeps up.", last.ended)


def stream(dag: Dag, now: datetime) -> Verdict:
    """Judge by the run that watches now, and by what the last watch found."""
    return unseen(dag, "so nobody looks after the stream") or at_work(dag, now) or last_watch(dag, now)


def at_work(dag: Dag, now: datetime) -> Verdict | None:
    """Return what the newest run of the supervisor is doing for the stream; None where it does nothing yet."""
    newest, last = dag.newest, dag.last_over
    if newest is None:
        return None
    if newest.has(LAUNCH, "skipped"):
        return Verdict(Level.OFF, "Paused", "On request; trigger its DAG with pause: false to go on.", newest.began)
    if newest.has(WATCH, *ACTIVE) and newest.has(LAUNCH, "success"):
        if last is not None and last.state == "failed" and last.ended and now - last.ended < STREAM_LOOKED_AT:
            return Verdict(Level.WARN, "Replaced", f"Running again. Before, {failure(last)}", newest.began)
        return Verdict(Level.GOOD, "Running", "Its run is watched.", newest.began)
    if newest.has(LAUNCH, *ACTIVE):
        return Verdict(Level.WARN, "Launching", "A run is being started, or waited for.", newest.began)
    return None


def last_watch(dag: Dag, now: datetime) -> Verdict:
    last = dag.last_over
    if last is None:
        return Verdict(Level.UNKNOWN, "Starting", "The first launch is under way.", began(dag))
    if last.state == "failed":
        return Verdict(Level.BAD, "Sick", failure(last), last.ended)
    if last.has(LAUNCH, "skipped"):
        return Verdict(Level.OFF, "Paused", "On request; trigger its DAG with pause: false to go on.", last.ended)
    if dag.is_paused or (last.ended and now - last.ended > STREAM_LOOKED_AT):
        return Verdict(Level.WARN, "Unwatched", f"Unpause {dag.dag_id}, or see Airflow's scheduler.", last.ended)
    return Verdict(Level.GOOD, "Running", "Between two watches.", last.ended)


def began(dag: Dag) -> datetime | None:
    return dag.newest.began if dag.newest else None
