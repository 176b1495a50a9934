"""The Python tasks of DAG ``pinterest_daily_batch``; their decisions are in pure modules."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airflow.sdk import Param, task

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag import window as windows
from pinterest_pipeline.dag.defaults import WAREHOUSE
from pinterest_pipeline.dag.gap_check import EndOffsets, Lake, check_gaps, kafka_of
from pinterest_pipeline.dag.lakehouse import store_offsets
from pinterest_pipeline.dag.reconciliation import (
    BronzeResult,
    SilverResult,
    offsets_by_table,
    reconcile,
    unreadable_objects,
)
from pinterest_pipeline.kafka_rest.summary import SendSummary
from pinterest_pipeline.lake.generations import went_back
from pinterest_pipeline.warehouse import audit as warehouse

PARAMS = {
    "window_start": Param(None, type=["null", "string"], description="UTC, like 2017-10-18T00:00:00; included."),
    "window_end": Param(None, type=["null", "string"], description="UTC; not included. Give both or neither."),
    "fail_on_dead_letters": Param(
        False, type="boolean", description="Fail for any dead letter, not only above max_dead_letter_share."
    ),
}
log = logging.getLogger(__name__)


@task
def choose_window(params: Any = None, data_interval_start: Any = None, data_interval_end: Any = None) -> windows.Window:
    """Return the parameters of the source queries."""
    window = windows.choose_window(params["window_start"], params["window_end"], data_interval_start, data_interval_end)
    log.info("Posts from %(window_start)s up to %(window_end)s UTC, without a timestamp: %(include_undated)s", window)
    return window


@task(multiple_outputs=False)
def check_offsets(topics: list[str], *, bucket: str, topics_dir: str) -> dict[str, dict[str, list[int]]]:
    """Return the first and the next offset of each partition; fail where the lake already has the next one.

    A proxy that does not tell its offsets is no failure: `posts_landed` checks again what was acknowledged.
    """
    from pinterest_pipeline.kafka_rest.hook import KafkaRestHook  # noqa: PLC0415 - requests slows DAG parsing
    from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - boto3 slows DAG parsing

    kafka, lake = KafkaRestHook(), LakeHook(bucket)
    found: dict[str, dict[str, list[int]]] = {}
    problems: list[str] = []
    for topic in topics:
        try:
            bounds = kafka.bounds(topic)
        except PermanentError as error:
            log.warning("Not known whether topic %s goes on where it ended: %s", topic, error)
            continue
        ends = {partition: of_partition.end for partition, of_partition in bounds.items()}
        problems += went_back(topic, ends, lake.last_landed(topics_dir, topic))
        found[topic] = {str(partition): list(of_partition) for partition, of_partition in bounds.items()}
    if problems:
        raise PermanentError(f"Nothing was sent. {' '.join(problems)}")
    return found


@task.short_circuit(multiple_outputs=True, ignore_downstream_trigger_rules=False)
def any_posts(produced: list[SendSummary], *, bucket: str, lake_uri: str, ti: Any = None) -> dict[str, str]:
    """Put the acknowledged offsets into the lake, for silver; without any, skip what would process the posts."""
    offsets = offsets_by_table(produced)
    uri = store_offsets(offsets, bucket=bucket, lake_uri=lake_uri, dag_id=ti.dag_id, run_id=ti.run_id)
    return {"acknowledged_uri": uri} if uri else {}


@task
def reconcile_rows(
    sql_folder: str,
    *,
    source_counts: Any,
    produced: list[SendSummary],
    bronze: BronzeResult | None,
    silver: SilverResult | None,
    ends: EndOffsets,
    bucket: str,
    topics_dir: str,
    max_dead_letter_share: float,
    params: Any = None,
    ti: Any = None,
) -> list[dict[str, Any]]:
    """Write the run's counts into schema ``audit``, then fail when they do not match, or Kafka has more than bronze.

    :param bronze: Result of the bronze notebook, None when the run had nothing to process.
    :param ends: Kafka's offsets when the run began.
    :param topics_dir: The connector's, which names the generation of the topics.
    :param max_dead_letter_share: Of a table's rows: up to it dead letters are a warning, above it the run fails.
    """
    share = 0.0 if params["fail_on_dead_letters"] else require_share(max_dead_letter_share)
    return record_and_require(
        sql_folder, source_counts, produced, bronze, silver,
        ends=ends, bucket=bucket, topics_dir=topics_dir, max_dead_letter_share=share, ti=ti,
    )  # fmt: skip


def unreadable_in_lake(bronze: BronzeResult | None, bucket: str) -> list[str]:
    """Return a sentence for each table that has unreadable objects which are still in the lake."""
    from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - boto3 slows DAG parsing

    found = bronze.get("unreadable", {}) if bronze else {}
    named = {table: names for table, names in found.items() if names}
    lake = LakeHook(bucket) if named else None
    left = {table: [name for name in names if lake and lake.has_object(name)] for table, names in named.items()}
    return [unreadable_objects(table, names) for table, names in left.items() if names]


def record_and_require(
    sql_folder: str,
    source_counts: Any,
    produced: Iterable[SendSummary],
    bronze: BronzeResult | None,
    silver: SilverResult | None,
    *,
    ends: EndOffsets,
    bucket: str,
    topics_dir: str,
    max_dead_letter_share: float,
    ti: Any,
) -> list[dict[str, Any]]:
    """Reconcile a run that sent rows: record its counts, and return them where they match.

    :raises PermanentError: naming the tables whose counts do not, and the offsets of Kafka that bronze lacks.
    """
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

    sent = list(produced)
    database, audit = PipelinePostgresHook(WAREHOUSE), Path(sql_folder) / "audit"
    redriven = warehouse.redriven_rows(database, audit / "redriven_rows.sql", (one["dead_letter_uri"] for one in sent))
    run = reconcile(source_counts, sent, silver, redriven)
    rows = run.run_rows(ti.dag_id, ti.run_id)
    warehouse.record(database, audit / "record_run_rows.sql", rows)
    warehouse.record(database, audit / "record_lake_rows.sql", run.lake_rows())
    for warning in run.warnings(max_dead_letter_share=max_dead_letter_share):
        log.warning(warning)
    problems = run.problems(max_dead_letter_share=max_dead_letter_share) + unreadable_in_lake(bronze, bucket)
    if run.lake and "offsets" in run.lake:  # which a run of an older version has not
        lake = Lake(run.lake["offsets"], bronze["unreadable"] if bronze else {}, run.lake["counted_at"])
        kafka = [kafka_of(one, ends, topics_dir) for one in sent]
        problems += check_gaps(database, audit, lake, kafka, run=f"{ti.dag_id}.{ti.run_id}")
    if problems:
        raise PermanentError(f"Run {ti.run_id} is not complete. {' '.join(problems)}")
    return rows


def require_share(share: Any) -> float:
    """Return a share of the Variable as a number from 0 to 1."""
    if isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1:
        return float(share)
    raise PermanentError(
        f"Variable pinterest_pipeline has {share!r} for max_dead_letter_share: write a share from 0 to 1, such as 0.01 "
        "for 1 %, see docs/connections.md."
    )
