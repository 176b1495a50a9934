"""Follow one stage of a Databricks run, and bring its result or its error home."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from airflow.sdk import BaseSensorOperator, Context

from pinterest_pipeline.common.compat import AirflowSensorTimeout, conf
from pinterest_pipeline.common.errors import PermanentError, PipelineError, TransientError
from pinterest_pipeline.common.links import PAGE_URL_KEY, DatabricksRunLink
from pinterest_pipeline.common.polling import PollEvent, Status, require_no_failure, wait_or_defer
from pinterest_pipeline.common.tries import is_first_since_clear, note_ran_again, ran_again_upstream
from pinterest_pipeline.databricks.errors import NotThereError
from pinterest_pipeline.databricks.runs import Run, StageStep, TaskRun, Watch, stage_step, why_it_failed
from pinterest_pipeline.databricks.triggers import DatabricksRunTrigger

if TYPE_CHECKING:
    from pinterest_pipeline.databricks.hook import DatabricksRunHook

TRACE_LINES = 40


class DatabricksTaskRunSensor(BaseSensorOperator):
    """Wait for one task of a run; return the JSON object that its notebook passed to ``dbutils.notebook.exit``.

    A retry that finds the stage ended without success *repairs* the run from there: this stage and those that depend
    on it run again, the earlier ones do not. So does the first try after a clear, also where the stage had succeeded,
    unless the clear was of a stage before it, too, which has run this one again already (Airflow 3.0 does not count
    clears of a running DAG run: cleared in it a second time, a stage is taken for covered by the first).
    Where the stage is active, it waits: after a dead worker nothing is started twice. A try repairs at most once.

    A failure raises with the notebook's error; the end of its traceback and the page of the run are in the log. When
    the task is killed, or its ``timeout`` or ``execution_timeout`` is over, the run is cancelled. A user who ends the
    *deferred* task cancels it too (Airflow 3.3 and newer).

    :param run_id: What ``DatabricksRunJobOperator`` returned. (templated)
    :param task_key: Key of the task in the run. (templated)
    """

    template_fields: Sequence[str] = ("run_id", "task_key", "databricks_conn_id")
    operator_extra_links = (DatabricksRunLink(),)
    ui_color = "#ffd6cc"

    def __init__(
        self,
        *,
        run_id: int | str,
        task_key: str,
        databricks_conn_id: str = "pinterest_databricks",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.reschedule:
            raise ValueError(
                "mode='reschedule' forgets what a try has repaired: set deferrable=True, it holds no slot."
            )
        self.run_id = run_id
        self.task_key = task_key
        self.databricks_conn_id = databricks_conn_id
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> "DatabricksRunHook":
        from pinterest_pipeline.databricks.hook import DatabricksRunHook  # noqa: PLC0415 - requests slows DAG parsing

        return DatabricksRunHook(self.databricks_conn_id, caller=type(self).__name__)

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        self._databricks_run_id()
        began = time.time()
        limit = self.execution_timeout.total_seconds() if self.execution_timeout else self.timeout
        watch = Watch(
            is_later_try=context["ti"].try_number > 1,
            is_first_check=True,
            is_cleared=self._must_run_again(context),
        )
        return self._follow(context, watch, began, began + min(self.timeout, limit))

    def resume(
        self, context: Context, event: PollEvent, watch: Mapping[str, Any], began: float, deadline: float
    ) -> dict[str, Any]:
        """Go on after a deferral."""
        require_no_failure(event)
        if event["status"] == Status.TIMED_OUT:
            self._time_out()
        return self._follow(context, Watch(**watch), began, deadline)

    @override
    def on_kill(self) -> None:
        self.hook.cancel(self._databricks_run_id())

    def _follow(self, context: Context, watch: Watch, began: float, deadline: float) -> dict[str, Any]:
        while True:
            run = self._read_run()
            task = run.task(self.task_key)
            context["ti"].xcom_push(key=PAGE_URL_KEY, value=task.page_url or run.page_url)
            watch = replace(watch, seconds=time.time() - began)
            step = stage_step(run, self.task_key, watch)
            self.log.info("Databricks run %s, stage %s is %s: %s", run.run_id, self.task_key, task.state, step)
            if step is StageStep.DONE:
                return self._result(task)
            if step is StageStep.FAIL:
                raise self._failure(run)
            other = self._other_writer(run) if step is StageStep.REPAIR else None
            if step is StageStep.REPAIR and not other and self._repair(context, run, task):
                watch = replace(watch, replaced=task.run_id)
            must_repair = step is StageStep.WAIT_FOR_END or (step is StageStep.REPAIR and not watch.replaced)
            watch = replace(watch, is_first_check=False, must_repair=must_repair)
            self._wait(watch, began, deadline, other)

    def _read_run(self) -> Run:
        try:
            return self.hook.run(self._databricks_run_id())
        except NotThereError as error:
            raise PermanentError(
                f"{error} It was deleted: clear the task that started it, which starts another."
            ) from error

    def _repair(self, context: Context, run: Run, task: TaskRun) -> bool:
        """Repair the run from this stage; False where another repair is under way that leaves this stage out.

        The request may have reached the service although its answer was lost, or a person may have been faster: what
        the run looks like afterwards decides.
        """
        try:
            self.hook.repair(run, run.root_cause(self.task_key).key)
        except PipelineError as error:
            now = self._read_run()
            if now.state.is_over and now.latest_repair_id == run.latest_repair_id:
                raise
            self.log.warning("Run %s is under repair already (%s): %s", run.run_id, now.latest_repair_id, error)
            if now.task(self.task_key).run_id == task.run_id:
                return False
        note_ran_again(context, retries=self.retries or 0)
        return True

    def _must_run_again(self, context: Context) -> bool:
        """Tell whether this try is the first since a clear, for which no task before has set the stage going again."""
        ti, retries = context["ti"], self.retries or 0
        if not is_first_since_clear(try_number=ti.try_number, max_tries=ti.max_tries, retries=retries):
            return False
        if not ran_again_upstream(context, self.upstream_task_ids):
            return True
        note_ran_again(context, retries=retries)
        return False

    def _other_writer(self, run: Run) -> Run | None:
        """Return another run of the job that is not over: the service counts starts, not repairs."""
        others = (other for other in self.hook.active_runs(run.job_id) if other.run_id != run.run_id)
        return next(others, None)

    def _wait(self, watch: Watch, began: float, deadline: float, other: Run | None = None) -> None:
        if time.time() > deadline:
            self._time_out()
        if other:
            self.log.info("Waiting for run %s (%s), which is %s", other.run_id, other.label, other.state.life_cycle)
        trigger = DatabricksRunTrigger(
            databricks_conn_id=self.databricks_conn_id,
            run_id=other.run_id if other else self._databricks_run_id(),
            task_key=None if watch.must_repair else self.task_key,
            replaced=watch.replaced,
            deadline=deadline,
            poll_seconds=self.poke_interval,
            cancel_on_kill=other is None,
        )
        event = wait_or_defer(self, trigger, watch=asdict(watch), began=began, deadline=deadline)
        if event["status"] == Status.TIMED_OUT:
            self._time_out()

    def _time_out(self) -> None:
        self.on_kill()
        raise AirflowSensorTimeout(
            f"Databricks run {self.run_id}: stage {self.task_key} did not end in time; the run was cancelled."
        )

    def _result(self, task: TaskRun) -> dict[str, Any]:
        output = self.hook.output(task.run_id)
        what = f"Stage {self.task_key} succeeded (task run {task.run_id}), but its result"
        if output.is_truncated:
            raise PermanentError(f"{what} was cut off by Databricks: let the notebook exit with less than 5 MB.")
        try:
            result = json.loads(output.result or "")
        except ValueError as error:
            raise PermanentError(
                f"{what} is no JSON ({(output.result or 'nothing')[:80]!r}): "
                "end the notebook with dbutils.notebook.exit(json)."
            ) from error
        if not isinstance(result, dict):
            raise PermanentError(f"{what} is a JSON {type(result).__name__}, expected an object: correct the notebook.")
        self.log.info("Stage %s: %s", self.task_key, output.result)
        return result

    def _failure(self, run: Run) -> PipelineError:
        """Log the end of the traceback; return the error that Airflow retries, and a retry repairs."""
        cause = run.root_cause(self.task_key)
        output = self.hook.output(cause.run_id) if cause.state.result == "FAILED" else None
        if output and output.trace:
            lines = output.trace.rstrip().splitlines()
            self.log.error("End of the notebook's traceback:\n%s", "\n".join(lines[-TRACE_LINES:]))
        said = f": {output.error}" if output and output.error else ""
        return TransientError(
            f"Databricks run {run.run_id}: {why_it_failed(run, self.task_key)}{said}. "
            f"See {cause.page_url or run.page_url}; another try repairs the run from this stage."
        )

    def _databricks_run_id(self) -> int:
        try:
            return int(self.run_id)
        except (TypeError, ValueError) as error:
            raise PermanentError(
                f"{self.task_id}: run_id is {self.run_id!r}, expected a Databricks run id: "
                "pass the output of the DatabricksRunJobOperator."
            ) from error
