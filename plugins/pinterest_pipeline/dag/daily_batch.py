"""The tasks of DAG ``pinterest_daily_batch`` that are a few lines of Python; their decisions are in pure modules."""

import logging
from pathlib import Path
from typing import Any

from airflow.sdk import Param, task

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag import reconciliation
from pinterest_pipeline.dag import window as windows
from pinterest_pipeline.dag.paths import sql_files
from pinterest_pipeline.warehouse import audit as warehouse

WAREHOUSE = "pinterest_warehouse"
PARAMS = {
    "window_start": Param(None, type=["null", "string"], description="UTC, like 2017-10-18T00:00:00; included."),
    "window_end": Param(None, type=["null", "string"], description="UTC; not included. Give both or neither."),
    "fail_on_dead_letters": Param(False, type="boolean", description="Fail, not only warn, where Kafka refused rows."),
}
log = logging.getLogger(__name__)


@task
def choose_window(params: Any = None, data_interval_start: Any = None, data_interval_end: Any = None) -> windows.Window:
    """Return the parameters of the source queries."""
    window = windows.choose_window(params["window_start"], params["window_end"], data_interval_start, data_interval_end)
    log.info("Posts from %(window_start)s up to %(window_end)s UTC, without a timestamp: %(include_undated)s", window)
    return window


@task.short_circuit(multiple_outputs=True, ignore_downstream_trigger_rules=False)
def any_posts(produced: Any) -> dict[str, Any]:
    """Return the acknowledged offsets by table; where there are none, skip what the posts would go through."""
    return reconciliation.offsets_by_table(produced)


@task
def check_gold(sql_folder: str) -> list[str]:
    """Return the names of the checks, all of which passed."""
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

    sql = Path(sql_folder)
    return warehouse.check(PipelinePostgresHook(WAREHOUSE), [sql / name for name in sql_files(sql, "checks")])


@task
def reconcile_rows(
    sql_folder: str, *, source_counts: Any, produced: Any, silver: Any, params: Any = None, ti: Any = None
) -> list[dict[str, Any]]:
    """Write the run's numbers into schema ``audit``, then fail where they do not add up."""
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

    books = reconciliation.balance(source_counts, produced, silver)
    rows = books.run_rows(ti.dag_id, ti.run_id)
    database, audit = PipelinePostgresHook(WAREHOUSE), Path(sql_folder) / "audit"
    warehouse.record(database, audit / "record_run_rows.sql", rows)
    warehouse.record(database, audit / "record_lake_rows.sql", books.lake_rows())
    for remark in books.remarks():
        log.warning(remark)
    if problems := books.problems(fail_on_dead_letters=params["fail_on_dead_letters"]):
        raise PermanentError(f"The books of {ti.run_id} do not balance. {' '.join(problems)}")
    return rows
