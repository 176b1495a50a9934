"""Keep a stream's Databricks job at exactly one active run, or at none, and never at two."""

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, override

from airflow.sdk import BaseOperator, Context

from pinterest_pipeline.common.compat import AirflowSkipException, conf
from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.common.links import PAGE_URL_KEY, DatabricksRunLink
from pinterest_pipeline.common.polling import PollEvent, require_no_failure, wait_or_defer
from pinterest_pipeline.databricks.jobs import Job, notebook_paths, read_job_file
from pinterest_pipeline.databricks.runs import Run
from pinterest_pipeline.stream.monitor import why_it_ended
from pinterest_pipeline.stream.policy import (
    CRASH_LOOP_RUNS,
    LaunchStep,
    Request,
    StreamEndedError,
    StreamState,
    failures_in_a_row,
    next_launch,
)
from pinterest_pipeline.stream.triggers import HANDOVER, DatabricksJobTrigger

if TYPE_CHECKING:
    from pinterest_pipeline.databricks.jobs_hook import DatabricksJobHook

# Databricks starts the next run of a continuous job within about a minute, later after failures
PLATFORM_GRACE = timedelta(seconds=90)


class DatabricksJobWait(BaseOperator):
    """Base of what waits for the runs of one job, here or in the triggerer."""

    until_idle = False

    def __init__(
        self,
        *,
        databricks_conn_id: str = "pinterest_databricks",
        platform_grace: timedelta = PLATFORM_GRACE,
        poll_seconds: float = 2,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if poll_seconds <= 0:
            raise ValueError(f"poll_seconds is {poll_seconds}, expected more than 0.")
        self.databricks_conn_id = databricks_conn_id
        self.platform_grace = platform_grace
        self.poll_seconds = poll_seconds
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> "DatabricksJobHook":
        from pinterest_pipeline.databricks.jobs_hook import DatabricksJobHook  # noqa: PLC0415 - requests slows DAG parsing

        return DatabricksJobHook(self.databricks_conn_id, caller=type(self).__name__)

    @abstractmethod
    def proceed(self, context: Context, job_id: int, unpaused_at: float, deadline: float) -> Any:
        """Take the steps that can be taken now."""

    def resume(
        self, context: Context, event: PollEvent, job_id: int, unpaused_at: float, deadline: float
    ) -> dict[str, Any]:
        """Go on after a deferral."""
        require_no_failure(event)
        require_no_handover(event)
        result: dict[str, Any] = self.proceed(context, job_id, unpaused_at, deadline)
        return result

    def wait(self, job_id: int, unpaused_at: float, deadline: float) -> None:
        """Wait here until there is something to do, or defer and come back in :meth:`resume`."""
        trigger = DatabricksJobTrigger(
            databricks_conn_id=self.databricks_conn_id,
            job_id=job_id,
            unpaused_at=unpaused_at,
            platform_grace=self.platform_grace.total_seconds(),
            until_idle=self.until_idle,
            deadline=deadline,
            poll_seconds=self.poll_seconds,
            dag_id="" if self.until_idle else self.dag_id,
        )
        require_no_handover(wait_or_defer(self, trigger, job_id=job_id, unpaused_at=unpaused_at, deadline=deadline))


class DatabricksLaunchStreamOperator(DatabricksJobWait):
    """Ensure the job of a stream, then attach to its active run, or launch one; never two.

    The job is created when missing and reset when it differs from its file (an active run keeps the old settings until
    it is restarted); two jobs of the name are refused. Any run that is not over is active and attached to, also one
    that is QUEUED, BLOCKED or WAITING_FOR_RETRY; one that is being cancelled is waited for.

    *The platform's retries:* a continuous job starts its next run itself, within a minute of the end of the last, later
    and later while runs fail. *Ours:* unpausing it, and a run where none has begun ``platform_grace`` after the first
    look (it may have been let go just then) and
    :func:`~pinterest_pipeline.stream.policy.launch_delay` after the last run's end (0, 1, 2, 4 … 300 s by failures
    in a row). A job without ``continuous`` starts nothing itself, so only the delay counts.

    That two launchers make one run, three things see to: the token of a start names the newest run it saw, so that both
    send the same; ``max_concurrent_runs`` is 1; and a continuous job has one active run by its nature. Killing the task
    leaves the run alone: it is the stream's, not the task's.

    Returns ``{"run_id", "job_id", "run_page_url", "attached"}`` and pushes XCom ``run_page_url``.

    :param job_file: JSON file with the job's settings and ``${placeholders}``.
    :param job_values: Their values. (templated)
    :param may_be_empty: Those of them that may be empty text.
    :param unwanted: Why the stream is not wanted now; then the task is skipped and says so. (templated)
    :param launch_within: How long the wait for a run may take, at least the longest delay.
    """

    template_fields: Sequence[str] = ("job_values", "unwanted", "databricks_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"job_values": "json"}
    operator_extra_links = (DatabricksRunLink(),)
    ui_color = "#ffd6cc"

    def __init__(
        self,
        *,
        job_file: str | Path,
        job_values: Mapping[str, Any],
        may_be_empty: Sequence[str] = (),
        unwanted: str = "",
        launch_within: timedelta = timedelta(minutes=10),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_file = str(job_file)
        self.job_values = job_values
        self.may_be_empty = may_be_empty
        self.unwanted = unwanted
        self.launch_within = launch_within

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        if self.unwanted:
            raise AirflowSkipException(f"The stream is not launched: {self.unwanted}.")
        wanted = read_job_file(Path(self.job_file), self.job_values, self.may_be_empty)
        for path in notebook_paths(wanted):
            self.hook.check_notebook(path)
        job, now = self.hook.ensure_job(wanted), time.time()
        return self.proceed(context, job.job_id, now, now + self.launch_within.total_seconds())

    @override
    def proceed(self, context: Context, job_id: int, unpaused_at: float, deadline: float) -> dict[str, Any]:
        while True:
            job, runs = self.hook.read_job(job_id), self.hook.newest_runs(job_id)
            launch = next_launch(
                runs,
                is_continuous=job.is_continuous,
                is_paused=job.is_paused,
                unpaused_at=unpaused_at,
                platform_grace=self.platform_grace.total_seconds(),
                now=time.time(),
            )
            self.log.info("Job %s (%s): %s", job.name, job_id, launch.step)
            if launch.step is LaunchStep.ATTACH and launch.run is not None:
                return self._finish(context, job, launch.run, attached=True)
            if launch.step is LaunchStep.UNPAUSE:
                self.hook.set_paused(job, paused=False)
                unpaused_at = time.time()
            elif launch.step is LaunchStep.START:
                run = self.hook.run(self.hook.start_run(job_id, start_token(job_id, runs)))
                if not run.state.is_over:  # else another run was active already, or it is over as soon as begun
                    return self._finish(context, job, run, attached=False)
            self.require_no_crash_loop(job, runs, since=deadline - self.launch_within.total_seconds())
            if time.time() > deadline:
                raise TransientError(
                    f"Job {job.name} ({job_id}) has no active run after {self.launch_within}: look at its last runs "
                    "in Databricks; the next try launches it again."
                )
            seconds = max(0.0, launch.not_before - time.time())
            self.log.info("Nothing to do for up to %.0f s, unless a user triggers this DAG with a request", seconds)
            self.wait(job_id, unpaused_at, deadline)

    def require_no_crash_loop(self, job: Job, runs: Sequence[Run], *, since: float) -> None:
        """Raise where runs die before they can be watched; the next run of the DAG launches again, after the delay.

        :param since: Only runs that failed then or later count as seen by this launch, epoch seconds.
        """
        failed = next((run for run in runs if run.state.is_over and failures_in_a_row([run])), None)
        if failed is None or failed.end_time < since or failures_in_a_row(runs) < CRASH_LOOP_RUNS:
            return
        end = why_it_ended(self.hook, self.hook.run(failed.run_id))
        raise StreamEndedError(
            f"Stream {job.name} is in a crash loop: run {failed.run_id} ended: {failed.state}; {end}. See "
            f"{failed.page_url}; the next run of this DAG launches it again.",
            alarm={
                "stream": job.name,
                "state": StreamState.CRASH_LOOP.value,
                "databricks_run_id": failed.run_id,
                "run_page_url": failed.page_url,
                **end.as_json(),
            },
        )

    def _finish(self, context: Context, job: Job, run: Run, *, attached: bool) -> dict[str, Any]:
        context["ti"].xcom_push(key=PAGE_URL_KEY, value=run.page_url)
        done = "Attached to" if attached else "Started"
        self.log.info("%s run %s of job %s, %s: %s", done, run.run_id, job.name, run.state, run.page_url)
        return {"run_id": run.run_id, "job_id": job.job_id, "run_page_url": run.page_url, "attached": attached}


class DatabricksStopStreamOperator(DatabricksJobWait):
    """Let a stream's job start no more runs and, for ``stop`` and ``restart``, wait for the end of its active one.

    The run ends by itself, between two micro-batches, since ``stream.control`` says so (the task before writes it);
    after ``patience`` it is cancelled, which costs nothing but a replayed micro-batch. Idempotent; skipped where the
    request is none of ``pause``, ``stop`` and ``restart``. Returns ``{"job_id", "cancelled": run ids}``.

    :param job_name: Name of the job. (templated)
    :param request: A value of :class:`~pinterest_pipeline.stream.policy.Request`. (templated)
    :param patience: Time for a clean end.
    """

    template_fields: Sequence[str] = ("job_name", "request", "databricks_conn_id")
    ui_color = "#ffd6cc"
    until_idle = True
    CANCEL_WITHIN = timedelta(minutes=5)

    def __init__(
        self, *, job_name: str, request: str, patience: timedelta = timedelta(minutes=2), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name
        self.request = request
        self.patience = patience

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        if self.request not in {Request.PAUSE, Request.STOP, Request.RESTART}:
            raise AirflowSkipException("No pause, stop or restart was requested.")
        job = self.hook.find_job(self.job_name)
        if job is None:
            raise AirflowSkipException(f"There is no job {self.job_name}, so there is nothing to {self.request}.")
        if job.is_continuous and not job.is_paused:
            self.hook.set_paused(job, paused=True)
        if self.request == Request.PAUSE:
            return {"job_id": job.job_id, "cancelled": []}
        return self.proceed(context, job.job_id, 0, time.time() + self.patience.total_seconds())

    @override
    def proceed(self, context: Context, job_id: int, unpaused_at: float, deadline: float) -> dict[str, Any]:
        cancelled: list[int] = []
        while active := [run for run in self.hook.newest_runs(job_id) if not run.state.is_over]:
            if time.time() > deadline + self.CANCEL_WITHIN.total_seconds():
                raise TransientError(f"Run {active[0].run_id} of job {self.job_name} does not end, though cancelled.")
            if time.time() > deadline:
                cancelled += [run.run_id for run in active if not run.state.is_stopping]
                for run in active:
                    self.log.warning("Run %s did not end by itself within %s", run.run_id, self.patience)
                    self.hook.cancel(run.run_id)
                time.sleep(self.poll_seconds)
            else:
                self.wait(job_id, unpaused_at, deadline)
        self.log.info("Job %s has no active run; cancelled: %s", self.job_name, cancelled or "none")
        return {"job_id": job_id, "cancelled": cancelled}


def require_no_handover(event: PollEvent) -> None:
    """Skip the launch where another run of the DAG waits with a request, which is obeyed first."""
    if (event.get("result") or {}).get("step") == HANDOVER:
        raise AirflowSkipException(f"The stream is not launched by this run: {HANDOVER}.")


def start_token(job_id: int, runs: Sequence[Run]) -> str:
    """Return what makes the starts of several tasks one: the same as long as no newer run is seen."""
    return f"launch {job_id} after {max((run.run_id for run in runs), default=0)}"
