"""Run a Databricks job that a file describes, once, whatever happens to the worker."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, override

from airflow.sdk import BaseOperator, Context

from pinterest_pipeline.common.compat import conf
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.links import PAGE_URL_KEY, DatabricksRunLink
from pinterest_pipeline.common.polling import PollEvent, require_no_failure, wait_or_defer
from pinterest_pipeline.common.tries import note_ran_again, was_cleared
from pinterest_pipeline.databricks.errors import NotThereError
from pinterest_pipeline.databricks.jobs import notebook_paths, read_job_file
from pinterest_pipeline.databricks.runs import AfterStart, Run, after_start
from pinterest_pipeline.databricks.start import idempotency_token, is_same_run, requested_by, run_parameters
from pinterest_pipeline.databricks.triggers import DatabricksRunTrigger

if TYPE_CHECKING:
    from pinterest_pipeline.databricks.jobs_hook import DatabricksJobHook

MAX_STARTS = 20  # of one task instance with the same parameters between two clears


class DatabricksRunJobOperator(BaseOperator):
    """Ensure a job, start a run of it, return its id as soon as the service has taken it; a sensor a stage follows it.

    The job is created when missing and reset when it differs from its file; an active run keeps the old settings.

    *One run:* the same task instance with the same parameters sends a sequence of idempotency tokens, the first, the
    second, and so on, until one answers with a run that is active or has succeeded: so a worker that died after
    starting attaches to its run, and a try after a failed or deleted run starts another. *A clear* begins a new
    sequence: a new run, unless the one with the same parameters is active.

    *No second writer:* while any other run of the job is not over, also one that is BLOCKED or WAITING_FOR_RETRY, or
    this task's own with other parameters, it waits. Of two that start at the same moment the service skips one
    (``max_concurrent_runs`` 1 in the file), which then waits, too. Pushes XCom ``run_page_url``.

    :param job_file: JSON file with the job's settings and ``${placeholders}``; it declares parameter ``requested_by``.
    :param job_values: Their values. (templated)
    :param job_parameters: Parameters of this run; what is no text becomes JSON. (templated)
    :param wait_for_others: How long to wait for another active run to end.
    :param poll_seconds: Seconds between two polls while waiting.
    """

    template_fields: Sequence[str] = ("job_values", "job_parameters", "databricks_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"job_values": "json", "job_parameters": "json"}
    operator_extra_links = (DatabricksRunLink(),)
    ui_color = "#ffd6cc"

    def __init__(
        self,
        *,
        job_file: str | Path,
        job_values: Mapping[str, Any],
        job_parameters: Mapping[str, Any] | None = None,
        databricks_conn_id: str = "pinterest_databricks",
        wait_for_others: timedelta = timedelta(hours=2),
        poll_seconds: float = 15,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if poll_seconds <= 0:
            raise ValueError(f"poll_seconds is {poll_seconds}, expected more than 0.")
        self.job_file = str(job_file)
        self.job_values = job_values
        self.job_parameters = job_parameters
        self.databricks_conn_id = databricks_conn_id
        self.wait_for_others = wait_for_others
        self.poll_seconds = poll_seconds
        self.deferrable = deferrable
        self.started_run_id: int | None = None

    @cached_property
    def hook(self) -> "DatabricksJobHook":
        from pinterest_pipeline.databricks.jobs_hook import DatabricksJobHook  # noqa: PLC0415 - requests slows DAG parsing

        return DatabricksJobHook(self.databricks_conn_id, caller=type(self).__name__)

    @override
    def execute(self, context: Context) -> int:
        return self._start(context, time.time() + self.wait_for_others.total_seconds())

    def resume(self, context: Context, event: PollEvent, deadline: float) -> int:
        """Go on after a deferral."""
        require_no_failure(event)
        return self._start(context, deadline)

    @override
    def on_kill(self) -> None:
        if self.started_run_id is not None:
            self.hook.cancel(self.started_run_id)

    def _start(self, context: Context, deadline: float) -> int:
        ti = context["ti"]
        map_index = -1 if ti.map_index is None else ti.map_index
        wanted = read_job_file(Path(self.job_file), self.job_values)
        owner = requested_by(ti.dag_id, ti.task_id, ti.run_id, map_index)
        parameters = run_parameters(wanted, self.job_parameters or {}, owner)
        for path in dict.fromkeys(notebook_paths(wanted)):
            self.hook.check_notebook(path)
        job = self.hook.ensure_job(wanted)
        clears = ti.max_tries if was_cleared(max_tries=ti.max_tries, retries=self.retries or 0) else 0
        identity = (ti.dag_id, ti.run_id, ti.task_id, map_index, clears)
        for attempt in range(1, MAX_STARTS + 1):
            if own := self._wait_for_others(job.job_id, parameters, deadline):
                return self._finish(context, own, "it was active already")
            try:
                self.started_run_id = self.hook.start_run(
                    job.job_id, idempotency_token(identity, parameters, attempt), parameters
                )
                run = self.hook.run(self.started_run_id)
            except NotThereError as error:
                self.log.info("Start %s is used up: its run was deleted (%s)", attempt, error)
                continue
            while after_start(run.state) is AfterStart.WAIT_FOR_END:
                self._wait_for(run, deadline)
                run = self.hook.run(run.run_id)
            if after_start(run.state) is AfterStart.ATTACH:
                note = "it had succeeded before" if run.state.is_success else f"start {attempt}"
                return self._finish(context, run, note)
            self.log.info("Start %s is used up: its run %s ended as %s", attempt, run.run_id, run.state)
        raise PermanentError(
            f"Databricks job {job.name}: {MAX_STARTS} runs of {owner} ended without success. Correct the cause, "
            "then clear this task."
        )

    def _wait_for_others(self, job_id: int, parameters: Mapping[str, str], deadline: float) -> Run | None:
        """Wait until no run of the job is active, or return the active one that this task started with these inputs."""
        while active := self.hook.active_runs(job_id):
            own = next((run for run in active if is_same_run(run, parameters) and not run.state.is_stopping), None)
            if own and len(active) == 1:
                return own
            self._wait_for(next(run for run in active if run is not own), deadline)
        return None

    def _wait_for(self, run: Run, deadline: float) -> None:
        """Wait for the run's end here, or defer and come back in :meth:`resume`."""
        if time.time() > deadline:
            raise TransientError(
                f"Databricks run {run.run_id} ({run.label}) is {run.state.life_cycle} still after "
                f"{self.wait_for_others}: cancel it there, or let this task try again."
            )
        self.log.info("Waiting for run %s (%s), which is %s", run.run_id, run.label, run.state.life_cycle)
        trigger = DatabricksRunTrigger(
            databricks_conn_id=self.databricks_conn_id,
            run_id=run.run_id,
            task_key=None,
            replaced=0,
            deadline=deadline,
            poll_seconds=self.poll_seconds,
            cancel_on_kill=False,
        )
        wait_or_defer(self, trigger, deadline=deadline)

    def _finish(self, context: Context, run: Run, note: str) -> int:
        self.started_run_id = run.run_id
        context["ti"].xcom_push(key=PAGE_URL_KEY, value=run.page_url)
        note_ran_again(context, retries=self.retries or 0)
        self.log.info("Databricks run %s (%s): %s", run.run_id, note, run.page_url)
        return run.run_id
