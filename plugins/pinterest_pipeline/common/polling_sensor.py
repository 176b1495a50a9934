"""A sensor that polls once, and then waits on a worker or in the triggerer, to the same end."""

import time
from abc import abstractmethod
from datetime import timedelta
from typing import Any, override

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from pinterest_pipeline.common.compat import AirflowSensorTimeout, conf
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.poll import PollResult, Status
from pinterest_pipeline.common.polling_trigger import PollingTrigger

TRIGGERER_GRACE = timedelta(minutes=2)  # beyond the trigger's own deadline, for a triggerer that hangs or is away


class PollingSensor(BaseSensorOperator):
    """Base of the sensors that wait for a :class:`PollResult` with a result, which becomes the task's XCom.

    A check that fails in passing counts as "not yet" and is logged; a permanent failure fails the task at once.

    :param deferrable: Wait in the triggerer; the first check is the worker's, so what is ready needs no deferral.
    """

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self._waiting_for = ""

    @abstractmethod
    def check(self) -> PollResult:
        """Check once."""

    @abstractmethod
    def trigger(self, *, deadline: float, poll_seconds: float) -> PollingTrigger:
        """Return the trigger that goes on looking."""

    @override
    def poke(self, context: Any) -> PokeReturnValue:
        try:
            seen = self.check()
        except TransientError as error:
            seen = PollResult(waiting_for=f"an answer ({error})")
        if seen.result is None and seen.waiting_for != self._waiting_for:
            self._waiting_for = seen.waiting_for
            self.log.info("Waiting for %s", seen.waiting_for)
        return PokeReturnValue(is_done=seen.result is not None, xcom_value=seen.result)

    @override
    def execute(self, context: Any) -> Any:
        if not self.deferrable:
            try:
                return self._finish(super().execute(context))
            except AirflowSensorTimeout as error:
                raise AirflowSensorTimeout(f"{error} Still waiting for {self._waiting_for}") from error
        looked = self.poke(context)
        if looked.is_done:
            return self._finish(looked.xcom_value)
        return self.defer(
            trigger=self.trigger(deadline=time.time() + self.timeout, poll_seconds=self.poke_interval),
            method_name=self.resume.__name__,
            timeout=timedelta(seconds=self.timeout) + TRIGGERER_GRACE,
        )

    def resume(self, _context: Any, event: dict[str, Any]) -> Any:
        """Take up the trigger's event."""
        if event["status"] == Status.READY:
            return self._finish(event["result"])
        if event["status"] == Status.TIMED_OUT:
            raise AirflowSensorTimeout(f"after {self.timeout:.0f} s still waiting for {event['message']}")
        raise PermanentError(event["message"])

    def _finish(self, result: Any) -> Any:
        self.log.info("Ready: %s", result)
        return result
