"""Follow a Databricks run without holding a worker.

The deadline is absolute (epoch seconds): a restarted triggerer goes on with what is left of it. The first poll comes
after a second, lest the event overtake the scheduler's record of the deferral.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.databricks.runs import is_settled

FIRST_POLL_SECONDS = 1


class DatabricksRunTrigger(BaseTrigger):
    """Wait until one task of a run, or the run, has ended, well or not; fires ``{"status": ended | timed_out}``.

    One request a poll; a poll that gets no answer is logged and repeated until the deadline.

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
        super().__init__()
        self.databricks_conn_id = databricks_conn_id
        self.run_id = run_id
        self.task_key = task_key
        self.replaced = replaced
        self.deadline = deadline
        self.poll_seconds = poll_seconds
        self.cancel_on_kill = cancel_on_kill

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.{type(self).__qualname__}", {
            "databricks_conn_id": self.databricks_conn_id,
            "run_id": self.run_id,
            "task_key": self.task_key,
            "replaced": self.replaced,
            "deadline": self.deadline,
            "poll_seconds": self.poll_seconds,
            "cancel_on_kill": self.cancel_on_kill,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from pinterest_pipeline.databricks.hook import DatabricksRunHook  # noqa: PLC0415 - requests slows DAG parsing

        await asyncio.sleep(FIRST_POLL_SECONDS)
        async with DatabricksRunHook(self.databricks_conn_id, caller=type(self).__name__) as hook:
            while True:
                try:
                    run = await hook.async_run(self.run_id)
                except TransientError as error:
                    self.log.warning("Databricks run %s: %s", self.run_id, error)
                else:
                    if is_settled(run, self.task_key, self.replaced):
                        yield TriggerEvent({"status": "ended"})
                        return
                    watched = run.task(self.task_key).state if self.task_key else run.state
                    self.log.info("Databricks run %s, %s: %s", self.run_id, self.task_key or "whole", watched)
                if time.time() + self.poll_seconds > self.deadline:
                    yield TriggerEvent({"status": "timed_out"})
                    return
                await asyncio.sleep(self.poll_seconds)

    async def on_kill(self) -> None:
        """Cancel the run: a user ended the task that waits for it."""
        from pinterest_pipeline.databricks.hook import DatabricksRunHook  # noqa: PLC0415 - requests slows DAG parsing

        if self.cancel_on_kill:
            async with DatabricksRunHook(self.databricks_conn_id, caller=type(self).__name__) as hook:
                await hook.async_cancel(self.run_id)
