"""Wait, without a worker, for the end of a Databricks run or of one of its tasks."""

from functools import cached_property
from typing import TYPE_CHECKING, override

from asgiref.sync import sync_to_async

from pinterest_pipeline.common.polling import PollingTrigger, PollResult
from pinterest_pipeline.databricks.runs import has_ended

if TYPE_CHECKING:
    from pinterest_pipeline.databricks.hook import DatabricksRunHook


class DatabricksRunTrigger(PollingTrigger):
    """Ready once one task of a run, or the run, has ended, well or not; one request a poll.

    :param task_key: Task to wait for; None for the whole run.
    :param replaced: A run of that task which a repair has replaced, so that its end says nothing; 0 without one.
    :param cancel_on_kill: Cancel the run when a user fails, clears or otherwise ends the deferred task (Airflow 3.3
        and newer call ``on_kill``; before that the remote run goes on).
    """

    def __init__(
        self,
        *,
        databricks_conn_id: str,
        run_id: int,
        task_key: str | None,
        replaced: int,
        deadline: float,
        poll_seconds: float,
        cancel_on_kill: bool,
    ) -> None:
        super().__init__(deadline=deadline, poll_seconds=poll_seconds)
        self.databricks_conn_id = databricks_conn_id
        self.run_id = run_id
        self.task_key = task_key
        self.replaced = replaced
        self.cancel_on_kill = cancel_on_kill

    @cached_property
    def hook(self) -> "DatabricksRunHook":
        from pinterest_pipeline.databricks.hook import DatabricksRunHook  # noqa: PLC0415 - requests slows DAG parsing

        return DatabricksRunHook(self.databricks_conn_id, caller=type(self).__name__)

    @override
    def check(self) -> PollResult:
        run = self.hook.run(self.run_id)
        state = run.task(self.task_key).state if self.task_key else run.state
        if has_ended(run, self.task_key, self.replaced):
            return PollResult({"run_id": self.run_id, "state": str(state)})
        what = f"stage {self.task_key} of run {self.run_id}" if self.task_key else f"run {self.run_id}"
        return PollResult(waiting_for=f"the end of {what}, which is {state}")

    @override
    async def on_kill(self) -> None:
        """Cancel the run: a user ended the task that waits for it."""
        if self.cancel_on_kill:
            await sync_to_async(lambda: self.hook.cancel(self.run_id), thread_sensitive=False)()
