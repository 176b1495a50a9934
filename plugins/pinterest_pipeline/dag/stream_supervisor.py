"""The Python tasks of DAG ``pinterest_stream_supervisor``; their decisions are in pure modules."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, task

from pinterest_pipeline.common.errors import PipelineError
from pinterest_pipeline.common.tables import TABLES
from pinterest_pipeline.dag import alerts
from pinterest_pipeline.dag.defaults import WAREHOUSE
from pinterest_pipeline.stream import tables as stream_tables
from pinterest_pipeline.stream.backlog import check_backlogs
from pinterest_pipeline.stream.policy import Backlog, LagLimits, Loss, Request, StreamState

PARAMS = {
    "action": Param(
        Request.WATCH.value,
        type="string",
        enum=[str(request) for request in Request],
        description="watch: launch the stream unless it is paused. pause: start no more runs, the active one goes on. "
        "resume: end the pause. stop: end the active run cleanly, and pause. restart: end it cleanly, end a pause, "
        "and launch.",
    ),
    "accept_data_loss": Param(
        [],
        type="array",
        items={"enum": list(TABLES)},
        description="Tables whose next launch goes on without the records that Kinesis has dropped unread.",
    ),
}
log = logging.getLogger(__name__)


@task(multiple_outputs=True)
def take_request(params: Any = None, dag_run: Any = None) -> dict[str, str]:
    """Record this run's request; return it, and why the stream must not run now, empty text where it must."""
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

    request = Request(params["action"])
    database = PipelinePostgresHook(WAREHOUSE)
    user = getattr(dag_run, "triggering_user_name", None) or "unknown"
    stream_tables.obey(database, request, by=user, reason=f"DAG run {dag_run.run_id}")
    if accepted := [f"stream_{table}" for table in params["accept_data_loss"]]:
        stream_tables.accept_losses(database, accepted, by=user, reason=f"DAG run {dag_run.run_id}")
    control = stream_tables.read_control(database)
    unwanted = ""
    if control.paused_at:
        since = f"since {control.paused_at:%Y-%m-%d %H:%M:%SZ} by {control.paused_by}"
        unwanted = f'paused {since}; trigger this DAG with {{"action": "resume"}} to go on'
    log.info("Requested: %s. %s", request, unwanted or "The stream is to run")
    if request is not Request.WATCH:
        waited = (datetime.now(UTC) - dag_run.run_after).total_seconds()
        log.info("The request waited %.0f s for the run before: seconds while that watches, else until it ends", waited)
    return {"request": request.value, "unwanted": unwanted}


@task
def check_backlog(
    streams: Mapping[str, str], lag_warning_seconds: float, lag_alarm_share: float, ti: Any = None
) -> list[str]:
    """Measure each query's backlog, also while the stream is paused or dead; raise the alarms of what is lost, or soon.

    :returns: A sentence for each query.
    """
    from pinterest_pipeline.kinesis.hook import KinesisStreamHook  # noqa: PLC0415 - boto3 slows DAG parsing
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

    kinesis, database = KinesisStreamHook(), PipelinePostgresHook(WAREHOUSE)
    limits = LagLimits(float(lag_warning_seconds), float(lag_alarm_share))
    for loss in stream_tables.read_losses(database):
        lost_records = count_lost(kinesis, streams[loss.query], loss)
        if lost_records == 0:
            log.warning("%s goes on: by CloudWatch no record arrived that could be lost: %s", loss.query, loss.what)
            stream_tables.accept_losses(
                database, [loss.query], by="CloudWatch", reason="no record arrived in that time"
            )
        else:
            alerts.raise_alarm(ti, loss_alarm(loss, lost_records))
        stream_tables.loss_alarmed(database, loss, lost_records)
    backlogs = {one.query: one for one in check_backlogs(kinesis, database, streams, limits)}
    for query in stream_tables.lags_to_alarm(database):
        if query in backlogs:  # else its stream is gone
            alerts.raise_alarm(ti, lag_alarm(backlogs[query]))
        stream_tables.lag_alarmed(database, query)
    return [str(one) for one in backlogs.values()]


def count_lost(kinesis: Any, stream: str, loss: Loss) -> int | None:
    """Return how many records of a loss there are at most; None where CloudWatch does not say."""
    if loss.lost_from is None or loss.lost_to is None:
        return None
    try:
        count: int | None = kinesis.incoming_records(stream, loss.lost_from, loss.lost_to)
    except PipelineError as error:  # the alarm must go out all the same
        log.warning("The records that arrived at %s are not counted: %s", stream, error)
        return None
    return count


def lag_alarm(backlog: Backlog) -> dict[str, Any]:
    return {
        "state": StreamState.BEHIND.value,
        "query": backlog.query,
        "lag_ms": backlog.lag_ms,
        "hours_left": backlog.hours_left,
        "reason": f"{backlog}: let it catch up, or raise the stream's retention_hours in include/kinesis/streams.json "
        "and run pinterest_kinesis_streams.",
    }


def loss_alarm(loss: Loss, lost_records: int | None) -> dict[str, Any]:
    table = loss.query.removeprefix("stream_")
    count = "their number is not known" if lost_records is None else f"at most {lost_records:,} records"
    return {
        "state": StreamState.LOST.value,
        "query": loss.query,
        "lost_from": stream_tables.stamp(loss.lost_from),
        "lost_to": stream_tables.stamp(loss.lost_to),
        "lost_records": lost_records,
        "reason": f"{loss.query} stands still, the other queries go on: {loss.what} ({count}). To go on without them "
        f'trigger pinterest_stream_supervisor with {{"accept_data_loss": ["{table}"]}}.',
    }
