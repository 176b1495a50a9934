"""Submit one Databricks run of several tasks, once, whatever happens to the worker."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, override

from airflow.sdk import BaseOperator, Context

from pinterest_pipeline.common.compat import conf
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.links import PAGE_URL_KEY, DatabricksRunLink
from pinterest_pipeline.common.polling import PollEvent, require_no_failure, wait_or_defer
from pinterest_pipeline.databricks.runs import AfterSubmit, Run, after_submit
from pinterest_pipeline.databricks.submission import (
    idempotency_token,
    is_of_family,
    notebook_paths,
    own_name,
    submission_body,
)
from pinterest_pipeline.databricks.triggers import DatabricksRunTrigger

if TYPE_CHECKING:
    from pinterest_pipeline.databricks.hook import DatabricksRunHook

MAX_SUBMISSIONS = 20  # of one task instance with one body; no one clears a task that often without reading its log


class DatabricksBatchRunOperator(BaseOperator):
    """Submit a run and return its id as soon as the service has accepted it; a sensor a stage follows it.

    The same task instance with the same body sends a sequence of idempotency tokens, the first, the second, and so on,
    until one answers with a run that is active or has succeeded: so a worker that died after submitting attaches to
    its run, and a try after a failed run starts a new one. To compute an interval again although its run succeeded,
    with equal inputs, trigger a new DAG run.

    While another run of the same name is active, it waits; a pool of one slot keeps two submissions from looking at
    the same moment. Pushes XCom ``run_page_url``.

    :param run_name: Name of the family of runs; the DAG run's id is appended. (templated)
    :param tasks: The API's ``tasks``, or JSON text, each with a ``new_cluster`` or ``existing_cluster_id`` of its own
        (the service refuses shared job clusters here). Notebook parameters that are no text become JSON. (templated)
    :param settings: Further members of the body, e.g. ``timeout_seconds``, ``git_source``. (templated)
    :param wait_for_others: How long to wait for another active run to end.
    :param poll_seconds: Seconds between two polls while waiting.
    """

    template_fields: Sequence[str] = ("run_name", "tasks", "settings", "databricks_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tasks": "json", "settings": "json"}
    operator_extra_links = (DatabricksRunLink(),)
    ui_color = "#ffd6cc"

    def __init__(
        self,
        *,
        run_name: str,
        tasks: Sequence[Mapping[str, Any]] | str,
        settings: Mapping[str, Any] | None = None,
        databricks_conn_id: str = "pinterest_databricks",
        wait_for_others: timedelta = timedelta(hours=2),
        poll_seconds: float = 15,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if poll_seconds <= 0:
            raise ValueError(f"poll_seconds is {poll_seconds}, expected more than 0.")
        self.run_name = run_name
        self.tasks = tasks
        self.settings = settings
        self.databricks_conn_id = databricks_conn_id
        self.wait_for_others = wait_for_others
        self.poll_seconds = poll_seconds
        self.deferrable = deferrable
        self.submitted_run_id: int | None = None

    @cached_property
    def hook(self) -> "DatabricksRunHook":
        from pinterest_pipeline.databricks.hook import DatabricksRunHook  # noqa: PLC0415 - requests slows DAG parsing

        return DatabricksRunHook(self.databricks_conn_id, caller=type(self).__name__)

    @override
    def execute(self, context: Context) -> int:
        return self._submit(context, time.time() + self.wait_for_others.total_seconds())

    def resume(self, context: Context, event: PollEvent, deadline: float) -> int:
        """Go on after a deferral."""
        require_no_failure(event)
        return self._submit(context, deadline)

    @override
    def on_kill(self) -> None:
        if self.submitted_run_id is not None:
            self.hook.cancel(self.submitted_run_id)

    def _submit(self, context: Context, deadline: float) -> int:
        ti = context["ti"]
        name = own_name(self.run_name, ti.run_id, -1 if ti.map_index is None else ti.map_index)
        body = submission_body(name, self.tasks, self.settings or {})
        for path in dict.fromkeys(notebook_paths(body)):
            self.hook.check_notebook(path)
        while other := self.hook.find_active(lambda found: found != name and is_of_family(found, self.run_name)):
            self._wait_for(other, deadline)
        identity = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
        for attempt in range(1, MAX_SUBMISSIONS + 1):
            run = self._submit_once(body, idempotency_token(identity, body, attempt))
            while after_submit(run.state) is AfterSubmit.WAIT_FOR_END:
                self._wait_for(run, deadline)
                run = self.hook.run(run.run_id)
            if after_submit(run.state) is AfterSubmit.ATTACH:
                return self._finish(ti, run, attempt)
            self.log.info("Submission %s is used up: its run %s ended as %s", attempt, run.run_id, run.state)
        raise PermanentError(
            f"Databricks run {name}: {MAX_SUBMISSIONS} submissions ended without success. Correct the cause, "
            "then trigger a new DAG run."
        )

    def _submit_once(self, body: Mapping[str, Any], token: str) -> Run:
        self.submitted_run_id = self.hook.submit(body, token)
        return self.hook.run(self.submitted_run_id)

    def _wait_for(self, run: Run, deadline: float) -> None:
        """Wait for the run's end here, or defer and come back in :meth:`resume`."""
        if time.time() > deadline:
            raise TransientError(
                f"Databricks run {run.run_id} ({run.name}) is {run.state.life_cycle} still after "
                f"{self.wait_for_others}: cancel it there, or let this task try again."
            )
        self.log.info("Waiting for run %s (%s), which is %s", run.run_id, run.name, run.state.life_cycle)
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

    def _finish(self, ti: Any, run: Run, attempt: int) -> int:
        ti.xcom_push(key=PAGE_URL_KEY, value=run.page_url)
        note = ", which had succeeded before (equal inputs)" if run.state.is_success else ""
        self.log.info("Databricks run %s, submission %s%s: %s", run.run_id, attempt, note, run.page_url)
        return run.run_id
