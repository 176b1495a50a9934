"""The loop that triggers share: look, wait, check again, until it is ready or too late."""

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any, override

from airflow.triggers.base import BaseTrigger, TriggerEvent

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.poll import PollResult, Status

FIRST_POLL_SECONDS = 1  # a trigger that fires at once can overtake the scheduler's record of the deferral


class PollingTrigger(BaseTrigger):
    """Fires once: ``{"status": ready, "result": …}``, or ``timed_out`` or ``failed`` with a ``message``.

    A check that fails in passing counts as "not yet" and is logged.

    :param deadline: Epoch seconds; absolute, so that a restart of the triggerer grants no second life.
    :param poll_seconds: Between two polls.
    """

    def __init__(self, *, deadline: float, poll_seconds: float) -> None:
        super().__init__()
        self.deadline = deadline
        self.poll_seconds = poll_seconds

    @abstractmethod
    async def check(self) -> PollResult:
        """Check once, without blocking the event loop."""

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Return the subclass's own arguments, JSON only."""

    @override
    def serialize(self) -> tuple[str, dict[str, Any]]:
        waiting = {"deadline": self.deadline, "poll_seconds": self.poll_seconds}
        return f"{type(self).__module__}.{type(self).__qualname__}", {**self.arguments(), **waiting}

    @override
    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent(await self._wait())

    async def _wait(self) -> dict[str, Any]:
        waiting_for = ""
        await asyncio.sleep(FIRST_POLL_SECONDS)
        while True:
            try:
                seen = await self.check()
            except PermanentError as error:
                return {"status": Status.FAILED.value, "message": str(error)}
            except TransientError as error:
                seen = PollResult(waiting_for=f"an answer ({error})")
            if seen.result is not None:
                return {"status": Status.READY.value, "result": seen.result}
            if seen.waiting_for != waiting_for:
                waiting_for = seen.waiting_for
                self.log.info("Waiting for %s", waiting_for)
            left = self.deadline - time.time()
            if left <= 0:
                return {"status": Status.TIMED_OUT.value, "message": waiting_for}
            await asyncio.sleep(min(self.poll_seconds, left))
