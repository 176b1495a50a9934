"""Watch a stream, or wait for its job, without holding a worker."""

import logging
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from pinterest_pipeline.common.compat import count_dag_runs
from pinterest_pipeline.common.polling import PollingTrigger, PollResult
from pinterest_pipeline.stream.monitor import StreamMonitor, Watched
from pinterest_pipeline.stream.policy import LaunchStep, StreamState, next_launch

if TYPE_CHECKING:
    from pinterest_pipeline.databricks.hook import DatabricksRunHook
    from pinterest_pipeline.databricks.jobs_hook import DatabricksJobHook

log = logging.getLogger(__name__)
HANDOVER = "hand over to the run of this DAG that waits with a request"
EVENT_GRACE_SECONDS = 120  # the watch itself ends at `watch_until`; the deadline is for polls that get no answer


class DatabricksStreamTrigger(PollingTrigger):
    """Ready with the report once the stream is no longer fine, or the watch is over.

    :param watched: As ``Watched.as_json`` writes it.
    :param dag_id: The watching DAG: where another of its runs is queued, which only a person's request can be while it
        may have one active run, the watch is over.
    :param watch_until: Epoch seconds.
    """

    def __init__(
        self, *, watched: dict[str, Any], dag_id: str, watch_until: float, deadline: float, poll_seconds: float
    ) -> None:
        super().__init__(deadline=deadline, poll_seconds=poll_seconds)
        self.watched = watched
        self.dag_id = dag_id
        self.watch_until = watch_until

    @cached_property
    def hook(self) -> "DatabricksRunHook":
        from pinterest_pipeline.databricks.hook import DatabricksRunHook  # noqa: PLC0415 - requests slows DAG parsing

        return DatabricksRunHook(self.watched["databricks_conn_id"], caller=type(self).__name__)

    @cached_property
    def _monitor(self) -> StreamMonitor:
        return StreamMonitor(Watched(**self.watched), self.hook)

    @override
    def check(self) -> PollResult:
        report = self._monitor.check(watch_until=self.watch_until, handover=a_run_is_queued(self.dag_id))
        if report.health.state is StreamState.HEALTHY:
            return PollResult(waiting_for=f"the end of the watch: {report.health.reason}")
        return PollResult(report.as_json())


class DatabricksJobTrigger(PollingTrigger):
    """Ready once something can be done about a job's next run: one is active, or it is time to start one.

    :param unpaused_at: When the continuous job was let go, or was first seen unpaused, epoch seconds.
    :param until_idle: Wait for the end of every active run instead.
    :param dag_id: The launching DAG: where another of its runs is queued, with a request, the wait is over; empty = no.
    """

    def __init__(
        self,
        *,
        databricks_conn_id: str,
        job_id: int,
        unpaused_at: float,
        platform_grace: float,
        until_idle: bool,
        deadline: float,
        poll_seconds: float,
        dag_id: str = "",
    ) -> None:
        super().__init__(deadline=deadline, poll_seconds=poll_seconds)
        self.dag_id = dag_id
        self.databricks_conn_id = databricks_conn_id
        self.job_id = job_id
        self.unpaused_at = unpaused_at
        self.platform_grace = platform_grace
        self.until_idle = until_idle

    @cached_property
    def hook(self) -> "DatabricksJobHook":
        from pinterest_pipeline.databricks.jobs_hook import DatabricksJobHook  # noqa: PLC0415 - requests slows DAG parsing

        return DatabricksJobHook(self.databricks_conn_id, caller=type(self).__name__)

    @override
    def check(self) -> PollResult:
        if self.until_idle:
            active = [run for run in self.hook.newest_runs(self.job_id) if not run.state.is_over]
            return PollResult(waiting_for=f"the end of run {active[0].run_id}") if active else PollResult({"active": 0})
        if self.dag_id and a_run_is_queued(self.dag_id):
            return PollResult({"step": HANDOVER})
        job = self.hook.read_job(self.job_id)
        launch = next_launch(
            self.hook.newest_runs(self.job_id),
            is_continuous=job.is_continuous,
            is_paused=job.is_paused,
            unpaused_at=self.unpaused_at,
            platform_grace=self.platform_grace,
            now=time.time(),
        )
        if launch.step is LaunchStep.WAIT:
            return PollResult(waiting_for="a run that Databricks starts, or the time to start one")
        return PollResult({"step": launch.step.value})


def a_run_is_queued(dag_id: str) -> bool:
    """Tell whether another run of a DAG with ``max_active_runs=1`` waits: the scheduler creates none meanwhile.

    No where Airflow does not say: then a request waits until the watch is over.
    """
    try:
        return count_dag_runs(dag_id, "queued") > 0
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with this courtesy must not blind the watch
        log.warning("Whether a run of %s is queued is not known: %r", dag_id, error)
        return False
