"""What every DAG of the pipeline has in common."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from pinterest_pipeline.dag.alerts import log_failure
from pinterest_pipeline.dag.known_params import refuse_unknown_conf

START = datetime(2017, 10, 18, tzinfo=UTC)  # the first day of the data
WAREHOUSE = "pinterest_warehouse"  # connection
# For a DAG whose every run does the same: a backfill of one day of one that runs each minute would be 1,440 runs.
# Airflow before 3.2 cannot refuse it.
NO_BACKFILL: dict[str, Any] = (
    {"allowed_run_types": ["manual", "scheduled"]} if "allowed_run_types" in DAG.__init__.__annotations__ else {}
)
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "data-platform",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(minutes=15),
    "on_failure_callback": log_failure,
    "pre_execute": refuse_unknown_conf,
}
