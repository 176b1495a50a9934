"""Whether a stream does its work, when to start it again, and what a person asked for. Decisions only, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.databricks.runs import Run

LONGEST_DELAY_SECONDS = 300
HOUR_MS = 3_600_000
LAG_WARNING_SECONDS = 300.0
LAG_ALARM_SHARE = 0.5  # of the retention: half of it is left to fix the cause, and to read what has come up
LOST = "records lost"
CRASH_LOOP_RUNS = 3  # failed in a row: what Databricks or the supervisor replaced does not heal by itself
HEALTHY_SECONDS = 300  # a run that lived so long had started well: its end begins a new count of failures


class StreamEndedError(PermanentError):
    """The watched run died or stands still. No other try of the watch helps: the next run of the DAG launches again.

    :param alarm: What the person on call must know; :mod:`pinterest_pipeline.dag.alerts` adds it to the alarm.
    """

    def __init__(self, message: str, alarm: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.alarm = dict(alarm)


@dataclass(frozen=True)
class Progress:
    """The newest micro-batch that a query has committed."""

    query: str
    batch_id: int
    committed_at: datetime


@dataclass(frozen=True)
class Control:
    """What people have asked of the stream, as the warehouse remembers it."""

    paused_at: datetime | None = None
    paused_by: str = ""
    stop_requested_at: datetime | None = None


@dataclass(frozen=True)
class Limits:
    """When a query that has records waiting is stale.

    :param stale_after_seconds: It has committed nothing for so long, and a record has waited for so long.
    :param start_within_seconds: A young run is given this time first, for its cluster and the way to its first batch.
    """

    stale_after_seconds: float
    start_within_seconds: float


class Level(StrEnum):
    """How urgent a backlog is."""

    KEEPS_UP = "keeps up"
    BEHIND = "behind"
    AT_RISK = "at risk"


@dataclass(frozen=True)
class LagLimits:
    """From where on a query is behind.

    :param warning_seconds: Age of its oldest uncommitted record.
    :param alarm_share: The same as a share of the stream's retention.
    """

    warning_seconds: float = LAG_WARNING_SECONDS
    alarm_share: float = LAG_ALARM_SHARE


@dataclass(frozen=True)
class Backlog:
    """What a query has not committed of its stream.

    :param lag_ms: Age of the oldest record, 0 without one; None = nothing says.
    :param source: ``cloudwatch``, ``shards`` or ``nothing``.
    """

    query: str
    stream: str
    lag_ms: int | None
    retention_hours: int
    source: str

    @property
    def hours_left(self) -> float | None:
        """Hours until the oldest uncommitted record expires; None where there is none, or nothing says."""
        return max(0.0, self.retention_hours - self.lag_ms / HOUR_MS) if self.lag_ms else None

    def level(self, limits: LagLimits) -> Level:
        lag_ms = self.lag_ms or 0
        if lag_ms > limits.alarm_share * self.retention_hours * HOUR_MS:
            return Level.AT_RISK
        return Level.BEHIND if lag_ms > limits.warning_seconds * 1000 else Level.KEEPS_UP

    def __str__(self) -> str:
        if self.lag_ms is None:
            return f"how far {self.query} is behind {self.stream} is not known"
        if not self.hours_left and not self.lag_ms:
            return f"{self.query} has committed all of {self.stream}"
        return (
            f"{self.query} is {self.lag_ms / HOUR_MS:.1f} h behind {self.stream}; Kinesis drops the oldest record "
            f"that it has not committed in {self.hours_left:.1f} h (retention {self.retention_hours} h)"
        )


@dataclass(frozen=True)
class Trouble:
    """What a person must know of a query, though its run is active.

    :param state: ``records lost``, or a :class:`Level`.
    :param is_news: No alarm of it was raised.
    """

    query: str
    state: str
    is_news: bool


def waiting_for_user(troubles: Sequence[Trouble]) -> set[str]:
    """Return the queries that stand still until a loss is accepted, so that they are not stale."""
    return {one.query for one in troubles if one.state == LOST}


@dataclass(frozen=True)
class Loss:
    """Records that a query cannot read any more; the times are of their arrival, None where they are not known."""

    id: int
    query: str
    what: str
    lost_from: datetime | None = None
    lost_to: datetime | None = None


class StreamState(StrEnum):
    """What a watcher sees."""

    HEALTHY = "healthy"
    DEAD = "dead"
    CRASH_LOOP = "crash loop"
    STALE = "stale"
    BEHIND = "behind"
    LOST = LOST
    STOPPED = "stopped as asked"
    OVER = "watch over"


@dataclass(frozen=True)
class StreamHealth:
    """A state, and why."""

    state: StreamState
    reason: str


def assess(
    run: Run,
    control: Control,
    unread_since: Mapping[str, datetime],
    *,
    now: datetime,
    watch_until: datetime,
    handover: bool = False,
    troubles: Sequence[Trouble] = (),
) -> StreamHealth:
    """Assess a stream by its run and by its queries that stand still.

    :param unread_since: By query that is :func:`overdue`, the arrival of the oldest record that it has not read.
    :param handover: Another run of the DAG waits to begin, with a request of a user.
    :param troubles: What is wrong with single queries. News ends the watch: the next run of the DAG raises the alarm.
    """
    if run.state.is_over:
        if control.paused_at or (control.stop_requested_at and control.stop_requested_at.timestamp() > run.start_time):
            return StreamHealth(StreamState.STOPPED, f"run {run.run_id} ended as asked: {run.state}")
        return StreamHealth(StreamState.DEAD, f"run {run.run_id} ended: {run.state}")
    if unread_since:
        waits = ", ".join(f"{query} since {since:%Y-%m-%dT%H:%M:%SZ}" for query, since in sorted(unread_since.items()))
        return StreamHealth(
            StreamState.STALE, f"run {run.run_id} is {run.state} and commits nothing; records wait: {waits}"
        )
    if news := [one for one in troubles if one.is_news]:
        state = StreamState.LOST if any(one.state == LOST for one in news) else StreamState.BEHIND
        return StreamHealth(state, ", ".join(f"{one.query}: {one.state}" for one in news))
    if handover or now >= watch_until:
        waits = "another run of this DAG waits with a request"
        return StreamHealth(StreamState.OVER, waits if handover else f"run {run.run_id} is {run.state}")
    known = "".join(f", {one.query}: {one.state}" for one in troubles)
    return StreamHealth(StreamState.HEALTHY, f"run {run.run_id} is {run.state}{known}")


def overdue(
    queries: Sequence[str], progress: Mapping[str, Progress], run: Run, limits: Limits, now: datetime
) -> list[str]:
    """Return the queries that have committed nothing for so long that their backlog must be looked at.

    Nothing committed ever counts from the begin of the run, as does the work of an earlier run.
    """
    if now.timestamp() - run.start_time < limits.start_within_seconds:
        return []
    oldest = now - timedelta(seconds=limits.stale_after_seconds)
    return [query for query in queries if query not in progress or progress[query].committed_at < oldest]


def is_waiting_too_long(arrival: datetime | None, limits: Limits, now: datetime) -> bool:
    """Tell whether an unread record arrived more than ``stale_after_seconds`` ago, whatever the last batch's age."""
    return arrival is not None and (now - arrival).total_seconds() > limits.stale_after_seconds


def launch_delay(failures: int) -> float:
    """Return the pause before a launch, in seconds: 0, 1, 2, 4, 8 … at most 300, by failed runs in a row."""
    return min(2.0 ** (failures - 1), LONGEST_DELAY_SECONDS) if failures > 0 else 0.0


def failures_in_a_row(runs: Sequence[Run]) -> int:
    """Count the runs, newest first, that ended without success soon after they began; a cancelled one says nothing."""
    count = 0
    for run in runs:
        if not run.state.is_over or run.state.is_cancelled:
            continue
        if run.state.is_success or run.end_time - run.start_time >= HEALTHY_SECONDS:
            break
        count += 1
    return count


class LaunchStep(StrEnum):
    """What brings a stream nearer to exactly one active run."""

    ATTACH = "attach to the active run"
    UNPAUSE = "unpause the continuous job"
    START = "start a run"
    WAIT = "wait"


@dataclass(frozen=True)
class Launch:
    """The next step, and the run that it is about: to attach to, or to wait for."""

    step: LaunchStep
    run: Run | None = None
    not_before: float = 0


def next_launch(
    runs: Sequence[Run], *, is_continuous: bool, is_paused: bool, unpaused_at: float, platform_grace: float, now: float
) -> Launch:
    """Choose the next step.

    Every state that is not over is active, also BLOCKED, QUEUED and WAITING_FOR_RETRY. A continuous job starts its runs
    itself, so it is given ``platform_grace`` seconds since it was let go, or first seen so (``unpaused_at``), before
    one is started in its place. Times are epoch seconds.
    """
    active = sorted((run for run in runs if not run.state.is_over), key=lambda run: run.run_id)
    if running := [run for run in active if not run.state.is_stopping]:
        return Launch(LaunchStep.ATTACH, running[0])
    if active:
        return Launch(LaunchStep.WAIT, active[0], now)
    if is_continuous and is_paused:
        return Launch(LaunchStep.UNPAUSE)
    last_end = max((run.end_time for run in runs), default=0.0)
    not_before = last_end + launch_delay(failures_in_a_row(runs))
    if is_continuous:
        not_before = max(not_before, max(last_end, unpaused_at) + platform_grace)
    return Launch(LaunchStep.WAIT if now < not_before else LaunchStep.START, None, not_before)


class Request(StrEnum):
    """What a run of the supervisor was asked to do by its param ``action``."""

    WATCH = "watch"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    RESTART = "restart"
