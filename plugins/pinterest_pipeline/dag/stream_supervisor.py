"""The Python tasks of DAG ``pinterest_stream_supervisor``; their decisions are in pure modules."""

import logging
from typing import Any

from airflow.sdk import Param, task

from pinterest_pipeline.dag.defaults import WAREHOUSE
from pinterest_pipeline.stream import tables as stream_tables
from pinterest_pipeline.stream.policy import Request, request_of

PARAMS = {
    "pause": Param(
        None,
        type=["null", "boolean"],
        description="true: start no more runs, the active one goes on, until false is given. null: as it is.",
    ),
    "stop": Param(False, type="boolean", description="End the active run cleanly, and pause."),
    "restart": Param(False, type="boolean", description="End the active run cleanly, then launch; ends a pause."),
}
log = logging.getLogger(__name__)


@task(multiple_outputs=True)
def take_request(params: Any = None, dag_run: Any = None) -> dict[str, str]:
    """Record this run's request; return it, and why the stream must not run now, empty text where it must."""
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

    request = request_of(params)
    database = PipelinePostgresHook(WAREHOUSE)
    user = getattr(dag_run, "triggering_user_name", None) or "unknown"
    stream_tables.obey(database, request, by=user, reason=f"DAG run {dag_run.run_id}")
    control = stream_tables.read_control(database)
    unwanted = ""
    if control.paused_at:
        since = f"since {control.paused_at:%Y-%m-%d %H:%M:%SZ} by {control.paused_by}"
        unwanted = f'paused {since}; trigger this DAG with {{"pause": false}} to go on'
    log.info("Requested: %s. %s", request, unwanted or "The stream is to run")
    return {"request": Request(request).value, "unwanted": unwanted}
