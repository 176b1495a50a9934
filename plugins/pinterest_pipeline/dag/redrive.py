"""The Python tasks of DAG ``pinterest_redrive``."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from airflow.sdk import Param, task

from pinterest_pipeline.common.tables import TABLES
from pinterest_pipeline.dag.daily_batch import PARAMS as BATCH_PARAMS
from pinterest_pipeline.dag.daily_batch import record_and_require, require_share
from pinterest_pipeline.dag.defaults import WAREHOUSE
from pinterest_pipeline.dag.gap_check import EndOffsets
from pinterest_pipeline.dag.lakehouse import store_offsets
from pinterest_pipeline.dag.reconciliation import (
    BronzeResult,
    SilverResult,
    lake_rows,
    offsets_by_table,
)
from pinterest_pipeline.dag.reprocess import ReprocessResult, TableChange, log_changes
from pinterest_pipeline.dag.window import arrivals, utc
from pinterest_pipeline.warehouse import audit as warehouse

if TYPE_CHECKING:
    from pinterest_pipeline.kafka_rest.redrive import RedriveSummary
    from pinterest_pipeline.lake.hook import LakeHook

DEAD_LETTERS, QUARANTINE, ALL = "dead_letters", "quarantine", "all"
PARAMS = {
    "which": Param(
        DEAD_LETTERS,
        type="string",
        enum=[DEAD_LETTERS, QUARANTINE, ALL],
        description="What Kafka refused, what cleaning rejected, or both.",
    ),
    "tables": Param(list(TABLES), type="array", items={"type": "string", "enum": list(TABLES)}, uniqueItems=True),
    "since": Param(
        None,
        type=["null", "string"],
        description="UTC, like 2026-11-18T00:00:00; dead letters written, records landed then or later. None = all.",
    ),
    "dry_run": Param(False, type="boolean", description="Only count, and say in the log what there is."),
    "fail_on_dead_letters": BATCH_PARAMS["fail_on_dead_letters"],
}
MOST_OBJECTS = 100  # of a table in one run, each of up to 1,000 dead letters
REASONS_LOGGED = 5
log = logging.getLogger(__name__)


class Found(TypedDict):
    """Dead letters to send again, by table; ``objects`` are keys in the lake, oldest first."""

    objects: dict[str, list[str]]
    rows: dict[str, int]


@task(multiple_outputs=False)
def find_dead_letters(topics: Mapping[str, str], *, bucket: str, prefix: str, params: Any = None) -> Found:
    """Return the dead letters of the requested tables, and log how many there are for which reasons."""
    from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - boto3 slows DAG parsing

    tables = requested(params, DEAD_LETTERS)
    since = utc("since", params["since"]) if params["since"] else None
    lake = LakeHook(bucket)
    found = Found(objects={}, rows={})
    for table, topic in topics.items():
        objects = objects_of(lake, f"{prefix}/{topic}/", since) if table in tables else []
        reasons = Counter(row["reason"] for name in objects for row in lake.read_json_lines(name))
        found["objects"][table], found["rows"][table] = objects, reasons.total()
        if table in tables:
            log_reasons(table, len(objects), reasons)
    return found


def objects_of(lake: "LakeHook", prefix: str, since: datetime | None) -> list[str]:
    names = lake.written_since(prefix, since)
    if len(names) > MOST_OBJECTS:
        log.warning("%s has %d objects: the oldest %d are taken, run the DAG again", prefix, len(names), MOST_OBJECTS)
    return names[:MOST_OBJECTS]


def log_reasons(table: str, objects: int, reasons: Counter[str]) -> None:
    log.info("%s: %d dead letters in %d objects", table, reasons.total(), objects)
    for reason, count in reasons.most_common(REASONS_LOGGED):
        log.info("%s: %d because: %s", table, count, reason)
    if len(reasons) > REASONS_LOGGED:
        log.info("%s: and %d other reasons", table, len(reasons) - REASONS_LOGGED)


@task(multiple_outputs=True)
def choose_records(params: Any = None) -> dict[str, str]:
    """Return the widgets of the reprocess notebook: the quarantined records to validate again."""
    start, _ = arrivals(params["since"], None)
    return {"window_start": start, "window_end": "", "tables": ",".join(requested(params, QUARANTINE)) or "none"}


def requested(params: Mapping[str, Any], kind: str) -> list[str]:
    """Return the tables whose dead letters, or quarantined records, a run is asked for."""
    return [table for table in TABLES if table in params["tables"]] if params["which"] in (kind, ALL) else []


@task.branch
def choose_path(found: Found, params: Any = None) -> list[str]:
    """Return the tasks to go on with: a preview, sending and validating, validating alone, or none."""
    dead_letters = sum(found["rows"].values())
    return next_tasks(dead_letters, validates=bool(requested(params, QUARANTINE)), is_dry_run=params["dry_run"])


def next_tasks(dead_letters: int, *, validates: bool, is_dry_run: bool) -> list[str]:
    if is_dry_run:
        return ["preview.submit_preview"] if validates else []
    sending = ["ingest.topics_exist"] if dead_letters else []
    return [*sending, "migrate_warehouse"] if sending or validates else []


@task(multiple_outputs=False)
def log_preview(reprocessed: ReprocessResult) -> dict[str, TableChange]:
    """Log and return what validating again would change, by table."""
    log_changes(reprocessed["tables"], "would be validated again")
    return reprocessed["tables"]


@task
def acknowledged_offsets(produced: "Iterable[RedriveSummary]", *, bucket: str, lake_uri: str, ti: Any = None) -> str:
    """Put the acknowledged offsets into the lake, for silver, and return their address."""
    offsets = offsets_by_table(produced)
    return store_offsets(offsets, bucket=bucket, lake_uri=lake_uri, dag_id=ti.dag_id, run_id=ti.run_id)


@task(multiple_outputs=False)
def record_redriven(sql_folder: str, *, produced: "Iterable[RedriveSummary]", ti: Any = None) -> "list[RedriveSummary]":
    """Write into ``audit.redriven_rows`` what became of the dead letters; return the results of those that were sent.

    Also where a table failed: what was sent of the others is resolved.
    """
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

    sent = list(produced)
    rows = [
        {
            "object_name": one["name"],
            "dead_letter_uri": one["dead_letter_uri"],
            "redriven_rows": one["redriven"],
            "refused_rows": one["refused"],
            "redriven_by": f"{ti.dag_id}.{ti.run_id}",
        }
        for summary in sent
        for one in summary["redriven"]
    ]
    file = Path(sql_folder) / "audit" / "record_redriven_rows.sql"
    warehouse.record(PipelinePostgresHook(WAREHOUSE), file, rows)
    return sent


@task
def reconcile_redriven(
    sql_folder: str,
    *,
    found: Found,
    produced: "Iterable[RedriveSummary]",
    bronze: BronzeResult,
    silver: SilverResult,
    reprocessed: ReprocessResult,
    ends: EndOffsets,
    bucket: str,
    topics_dir: str,
    max_dead_letter_share: float,
    params: Any = None,
    ti: Any = None,
) -> list[dict[str, Any]]:
    """Write the run's counts, and what the lake holds after it, into schema ``audit``; fail where they do not match.

    :param max_dead_letter_share: As of ``reconcile_rows``: of the dead letters of a table that were sent again.
    """
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

    share = 0.0 if params["fail_on_dead_letters"] else require_share(max_dead_letter_share)
    log_changes(reprocessed["tables"], "validated again")
    warehouse.record(
        PipelinePostgresHook(WAREHOUSE), Path(sql_folder) / "audit" / "record_lake_rows.sql", lake_rows(reprocessed)
    )
    counts = [(table, rows, 0) for table, rows in found["rows"].items()]
    result = SilverResult(
        run=silver["run"],
        totals=reprocessed["totals"],
        quarantine_reasons=reprocessed["quarantine_reasons"],
        defects=reprocessed["defects"],
        counted_at=reprocessed["counted_at"],
    )
    if "offsets" in silver:  # which a run of an older version has not
        result["offsets"] = silver["offsets"]
    return record_and_require(
        sql_folder, counts, produced, bronze, result,
        ends=ends, bucket=bucket, topics_dir=topics_dir, max_dead_letter_share=share, ti=ti,
    )  # fmt: skip
