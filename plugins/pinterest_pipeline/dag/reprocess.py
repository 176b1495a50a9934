"""The Python tasks of DAG ``pinterest_reprocess``."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from airflow.sdk import Param, task

from pinterest_pipeline.dag.defaults import WAREHOUSE
from pinterest_pipeline.dag.reconciliation import LakeResult, lake_rows
from pinterest_pipeline.dag.window import arrivals
from pinterest_pipeline.warehouse import audit as warehouse

PARAMS = {
    "window_start": Param(None, type=["null", "string"], description="UTC; records that reached Kafka then or later."),
    "window_end": Param(None, type=["null", "string"], description="UTC; and before then. None = no bound."),
}
log = logging.getLogger(__name__)


class TableChange(TypedDict):
    """Records of one table that were cleaned again, and by how many rows each place changed."""

    records: int
    silver: int
    duplicates: int
    quarantined: int


class ReprocessResult(LakeResult):
    """The result of the reprocess notebook."""

    tables: dict[str, TableChange]


@task(multiple_outputs=True)
def choose_records(params: Any = None) -> dict[str, str]:
    """Return the notebook's window: Kafka timestamps, empty text where there is no bound."""
    start, end = arrivals(params["window_start"], params["window_end"])
    log.info("Records that reached Kafka from %s to %s", start or "the beginning", end or "now")
    return {"window_start": start, "window_end": end}


@task(multiple_outputs=False)
def record_lake(sql_folder: str, *, reprocessed: ReprocessResult) -> dict[str, TableChange]:
    """Write into ``audit.lake_rows`` what the lake holds now; return what has changed, by table."""
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

    warehouse.record(
        PipelinePostgresHook(WAREHOUSE), Path(sql_folder) / "audit" / "record_lake_rows.sql", lake_rows(reprocessed)
    )
    log_changes(reprocessed["tables"], "validated again")
    return reprocessed["tables"]


def log_changes(changes: Mapping[str, TableChange], what: str) -> None:
    for table, change in changes.items():
        log.info(
            "%s: %s records %s; silver %+d, duplicates %+d, quarantine %+d rows",
            table, change["records"], what, change["silver"], change["duplicates"], change["quarantined"],
        )  # fmt: skip
