"""Whether an MSK Connect connector does its work: state, tasks and lag together, never the state alone.

A connector is RUNNING while every one of its tasks has failed, and tasks run while the consumer group falls behind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.polling import PollResult


class Health(StrEnum):
    """What a check of the connector says."""

    HEALTHY = "healthy"
    NOT_YET = "not_yet"  # may heal by itself, by a restart, or by waiting for the first metrics
    FAILED = "failed"  # the service has given up


@dataclass(frozen=True)
class TaskCounts:
    """The newest values of CloudWatch ``AWS/KafkaConnect``; None where there is no recent value."""

    running: int | None
    errored: int | None
    workers: int | None


@dataclass(frozen=True)
class Snapshot:
    """Everything that a health check needs, read within one poll.

    :param configured_tasks: The connector's ``tasks.max``; a sink has so many, also on fewer partitions.
    :param topics: The topics whose lag must be known and small; empty where the connector does not list them.
    :param lag: Records not yet consumed, by topic (CloudWatch ``AWS/Kafka`` ``SumOffsetLag``); a topic of which
        CloudWatch has no recent value is missing.
    """

    name: str
    state: str
    state_reason: str
    tasks: TaskCounts
    configured_tasks: int
    topics: tuple[str, ...]
    lag: Mapping[str, int]


@dataclass(frozen=True)
class HealthCheck:
    """A claim and its reasons, one short sentence each."""

    health: Health
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join(self.reasons)


TERMINAL_STATES = frozenset({"FAILED", "DELETING"})


def health(snapshot: Snapshot, *, max_lag: int, min_running_tasks: int | None = None) -> HealthCheck:
    """Assess a snapshot; every reason that holds is named, so that a person need not check again for the next one.

    What CloudWatch does not know is not healthy: no value of a worker means as little as none of a task.

    :param min_running_tasks: Tasks that must run; None for all that are configured.
    """
    if snapshot.state in TERMINAL_STATES:
        detail = f" ({snapshot.state_reason})" if snapshot.state_reason else ""
        return HealthCheck(Health.FAILED, (f"the connector's state is {snapshot.state}{detail}",))
    reasons = (
        *_state_reasons(snapshot.state),
        *_worker_reasons(snapshot.tasks),
        *_task_reasons(snapshot.tasks, snapshot.configured_tasks, min_running_tasks),
        *_lag_reasons(snapshot, max_lag),
    )
    if reasons:
        return HealthCheck(Health.NOT_YET, reasons)
    return HealthCheck(Health.HEALTHY, (_summary(snapshot),))


def check_health(name: str, snapshot: Snapshot | None, *, max_lag: int, min_running_tasks: int | None) -> PollResult:
    """Return the health of a connector once it is healthy: ``{"connector", "state", "health"}``.

    :raises PermanentError: the connector does not exist, or waiting does not make it healthy.
    """
    if snapshot is None:
        raise missing_connector(name)
    found = health(snapshot, max_lag=max_lag, min_running_tasks=min_running_tasks)
    if found.health is Health.FAILED:
        raise PermanentError(
            f"Connector {name} is not healthy and will not become so by waiting: {found}. "
            "Correct the cause and run the DAG pinterest_sink_connector."
        )
    if found.health is Health.NOT_YET:
        return PollResult(
            waiting_for=f"connector {name} to become healthy: {found} (see its worker log and the DAG "
            "pinterest_sink_connector)"
        )
    return PollResult({"connector": name, "state": snapshot.state, "health": str(found)})


def missing_connector(name: str) -> PermanentError:
    return PermanentError(f"Connector {name} does not exist in MSK Connect: run the DAG pinterest_sink_connector.")


def has_failed_tasks(snapshot: Snapshot) -> bool:
    """Tell whether a restart of the failed tasks is called for."""
    return bool(snapshot.tasks.errored)


def _state_reasons(state: str) -> tuple[str, ...]:
    if state == "RUNNING":
        return ()
    remedy = ": resume it" if state == "PAUSED" else ""
    return (f"the connector's state is {state}, not RUNNING{remedy}",)


def _worker_reasons(tasks: TaskCounts) -> tuple[str, ...]:
    if tasks.workers is None:
        return (_unknown("WorkerCount"),)
    return () if tasks.workers else ("it has no worker (WorkerCount is 0)",)


def _task_reasons(tasks: TaskCounts, configured: int, fewest: int | None) -> tuple[str, ...]:
    unknown = [
        _unknown(name)
        for name, count in (("RunningTaskCount", tasks.running), ("ErroredTaskCount", tasks.errored))
        if count is None
    ]
    failed = [f"{tasks.errored} of its {configured} tasks failed: restart them"] if tasks.errored else []
    wanted = "" if fewest is None else f", expected at least {fewest}"
    too_few = tasks.running is not None and tasks.running < (configured if fewest is None else fewest)
    running = [f"{tasks.running} of its {configured} tasks run{wanted}"] if too_few else []
    return (*unknown, *failed, *running)


def _unknown(metric: str) -> str:
    return f"CloudWatch AWS/KafkaConnect has no recent {metric} of it yet"


def _lag_reasons(snapshot: Snapshot, max_lag: int) -> tuple[str, ...]:
    lag, topics = snapshot.lag, snapshot.topics
    if not topics and not lag:
        return ("CloudWatch AWS/Kafka has no recent SumOffsetLag of its consumer group yet",)
    unknown = [
        f"CloudWatch AWS/Kafka has no recent SumOffsetLag of topic {topic} yet" for topic in topics if topic not in lag
    ]
    behind = [
        f"topic {topic} is {records} records behind, more than {max_lag}"
        for topic, records in sorted(lag.items())
        if records > max_lag and (not topics or topic in topics)
    ]
    return (*unknown, *behind)


def _summary(snapshot: Snapshot) -> str:
    lag = ", ".join(f"{topic} {records}" for topic, records in sorted(snapshot.lag.items()))
    return f"{snapshot.state}, {snapshot.tasks.running} tasks running, none failed, lag: {lag}"
