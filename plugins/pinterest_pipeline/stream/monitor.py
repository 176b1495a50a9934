"""One check of a running stream, for the sensor and for its trigger: the run, what was asked, progress, and backlog."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from pinterest_pipeline.common.errors import PipelineError
from pinterest_pipeline.databricks.runs import Run
from pinterest_pipeline.stream.backlog import check_backlogs
from pinterest_pipeline.stream.policy import (
    CRASH_LOOP_RUNS,
    LAG_ALARM_SHARE,
    LAG_WARNING_SECONDS,
    LagLimits,
    Limits,
    Progress,
    StreamHealth,
    StreamState,
    Trouble,
    assess,
    failures_in_a_row,
    is_waiting_too_long,
    overdue,
    waiting_for_user,
)
from pinterest_pipeline.stream.tables import read_control, read_positions, read_progress, read_troubles, stamp

if TYPE_CHECKING:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    from pinterest_pipeline.databricks.hook import DatabricksRunHook
    from pinterest_pipeline.kinesis.hook import KinesisStreamHook

LAG_EVERY_SECONDS = 60
NEWEST_RUNS = 50  # two pages

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watched:
    """What is watched, as JSON can carry it from the sensor to the trigger.

    :param streams: Kinesis stream by streaming query.
    """

    run_id: int
    job_name: str
    streams: dict[str, str]
    stale_after_seconds: float
    start_within_seconds: float
    databricks_conn_id: str
    postgres_conn_id: str
    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None = None
    botocore_config: dict[str, Any] | None = None
    lag_warning_seconds: float = LAG_WARNING_SECONDS
    lag_alarm_share: float = LAG_ALARM_SHARE

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def limits(self) -> Limits:
        return Limits(self.stale_after_seconds, self.start_within_seconds)

    @property
    def lag_limits(self) -> LagLimits:
        return LagLimits(self.lag_warning_seconds, self.lag_alarm_share)


@dataclass(frozen=True)
class RunEnd:
    """Why a run failed.

    :param error: What its notebook said; empty where nothing is known.
    :param failed_runs: Runs of the job that failed in a row, this one included.
    """

    error: str
    failed_runs: int

    @property
    def is_crash_loop(self) -> bool:
        return self.failed_runs >= CRASH_LOOP_RUNS

    def as_json(self) -> dict[str, Any]:
        return {"error": self.error, "failed_runs": self.failed_runs}

    def __str__(self) -> str:
        crashes = f"{self.failed_runs} runs failed in a row; " if self.is_crash_loop else ""
        return f"{crashes}its notebook said: {self.error or 'nothing, see its page'}"


@dataclass(frozen=True)
class Report:
    """What one check saw; ``as_json`` is the sensor's result, and what the alarm tells."""

    health: StreamHealth
    run: Run
    job_name: str
    progress: Mapping[str, Progress] = field(default_factory=dict)
    lag_ms: Mapping[str, int | None] = field(default_factory=dict)
    troubles: Sequence[Trouble] = ()
    end: RunEnd | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "stream": self.job_name,
            "state": self.health.state.value,
            "reason": self.health.reason,
            "databricks_run_id": self.run.run_id,
            "run_page_url": self.run.page_url,
            "last_good_batch": {
                query: {"batch_id": row.batch_id, "committed_at": stamp(row.committed_at)}
                for query, row in sorted(self.progress.items())
            },
            "lag_ms": dict(sorted(self.lag_ms.items())),
            "troubles": {one.query: one.state for one in self.troubles},
            **(self.end.as_json() if self.end else {}),
        }


def why_it_ended(databricks: "DatabricksRunHook", run: Run) -> RunEnd:
    """Ask for the error and for the runs before; no answer is no reason to keep an alarm back."""
    error, failed_runs = "", 1
    try:
        error = databricks.error_of(run)
        failed_runs = failures_in_a_row(list(islice(databricks.list_runs(job_id=run.job_id), NEWEST_RUNS)))
    except Exception as unknown:  # noqa: BLE001 - whatever goes wrong with these, the alarm must go out
        log.warning("Why run %s failed is not known: %r", run.run_id, unknown)
    return RunEnd(error, failed_runs)


class StreamMonitor:
    """Checks one run of a stream.

    A check costs one request to Databricks and two short queries; Kinesis is asked only about queries that have
    committed nothing for ``stale_after_seconds``, about all of them each ``LAG_EVERY_SECONDS``, and once more when the
    watch ends. Raises :class:`TransientError`
    where one of the three gives no answer.
    """

    def __init__(self, watched: Watched, databricks: "DatabricksRunHook") -> None:
        self.watched = watched
        self.databricks = databricks
        self.lag_due_at = time.monotonic() + LAG_EVERY_SECONDS  # the DAG's run has measured it just now

    @cached_property
    def warehouse(self) -> "PostgresHook":
        from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

        hook = PipelinePostgresHook(self.watched.postgres_conn_id)
        hook.log_sql = False  # the same two statements every few seconds
        return hook

    @cached_property
    def kinesis(self) -> "KinesisStreamHook":
        from pinterest_pipeline.kinesis.hook import KinesisStreamHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return KinesisStreamHook(
            aws_conn_id=self.watched.aws_conn_id,
            region_name=self.watched.region_name,
            verify=self.watched.verify,
            config=self.watched.botocore_config,
        )

    def check(self, *, watch_until: float, handover: bool = False) -> Report:
        """Check once.

        :param watch_until: Epoch seconds at which the watch is over.
        :param handover: Another run of the DAG waits to begin.
        """
        run = self.databricks.run(self.watched.run_id)
        control = read_control(self.warehouse)
        progress = read_progress(self.warehouse, list(self.watched.streams))
        self._measure_lag()
        troubles = read_troubles(self.warehouse)
        now = datetime.now(UTC)
        standing_still = set(self._overdue(progress, run, now)) - waiting_for_user(troubles)
        behind = {query: self._behind_ms(query) for query in sorted(standing_still)}
        waiting = {query: now - timedelta(milliseconds=age) for query, age in behind.items()}
        health = assess(
            run,
            control,
            {query: since for query, since in waiting.items() if is_waiting_too_long(since, self.watched.limits, now)},
            now=now,
            watch_until=datetime.fromtimestamp(watch_until, UTC),
            handover=handover,
            troubles=troubles,
        )
        end = why_it_ended(self.databricks, run) if health.state is StreamState.DEAD else None
        if end is not None:
            state = StreamState.CRASH_LOOP if end.is_crash_loop else StreamState.DEAD
            health = StreamHealth(state, f"{health.reason}; {end}")
        is_end = health.state is not StreamState.HEALTHY
        return Report(health, run, self.watched.job_name, progress, self._lag() if is_end else {}, troubles, end)

    def _measure_lag(self) -> None:
        """Record how far the queries are behind, once in a while; no answer does not blind the watch."""
        if time.monotonic() < self.lag_due_at:
            return
        self.lag_due_at = time.monotonic() + LAG_EVERY_SECONDS
        try:
            check_backlogs(self.kinesis, self.warehouse, self.watched.streams, self.watched.lag_limits)
        except PipelineError as error:
            log.warning("The lag of %s was not measured: %s", self.watched.job_name, error)

    def _overdue(self, progress: Mapping[str, Progress], run: Run, now: datetime) -> list[str]:
        if run.state.is_over:
            return []
        return overdue(list(self.watched.streams), progress, run, self.watched.limits, now)

    def _behind_ms(self, query: str) -> int:
        """Return the age of the oldest record that is not committed, by what the sink says of each shard."""
        stream = self.watched.streams[query]
        return self.kinesis.milliseconds_behind_latest(stream, read_positions(self.warehouse, stream))

    def _lag(self) -> dict[str, int | None]:
        """Return how far behind each query is, in milliseconds; None where Kinesis does not say."""
        lag: dict[str, int | None] = {}
        for query in self.watched.streams:
            try:
                lag[query] = self._behind_ms(query)
            except PipelineError as error:  # the alarm must go out all the same
                log.warning("No lag of %s: %s", query, error)
                lag[query] = None
        return lag
