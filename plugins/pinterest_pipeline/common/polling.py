"""One way of waiting, for sensors and operators, on a worker or in the triggerer: check, pause, check again."""

import asyncio
import inspect
import math
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple, NoReturn, Protocol, Required, TypedDict, override

from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from pinterest_pipeline.common.compat import AirflowSensorTimeout, conf
from pinterest_pipeline.common.errors import PermanentError, TransientError

FIRST_POLL_SECONDS = 1  # a trigger that fires at once can overtake the scheduler's record of the deferral
# A trigger's pause, as a part of what it has waited: what is over soon is noticed soon, and no wait is half as long
# again as it had to be. A batch of few rows has four waits of 2-4 s each, which took 6 s each by pauses of 5 s.
PAUSE_OF_WAITED, SHORTEST_PAUSE_SECONDS = 0.5, 1.0
TRIGGERER_GRACE = timedelta(minutes=2)  # beyond the trigger's own deadline, for a triggerer that hangs or is away


class Status(StrEnum):
    """How a wait ended."""

    READY = "ready"
    TIMED_OUT = "timed_out"
    FAILED = "failed"  # a permanent error: the task fails, and is not tried again
    ERROR = "error"  # an unforeseen error: the task fails, and is tried again, as on a worker


class PollResult(NamedTuple):
    """What one check found.

    :param result: JSON for XCom, once there is nothing left to wait for; else None.
    :param waiting_for: What is still missing, in words.
    """

    result: Any = None
    waiting_for: str = ""


class PollEvent(TypedDict, total=False):
    """The payload of a trigger's one event: ``result`` where it is ready, else a ``message``."""

    status: Required[str]
    result: Any
    message: str


def require_no_failure(event: PollEvent) -> None:
    """Raise the error that ended a wait, in the words that it had in the triggerer."""
    if event["status"] == Status.FAILED:
        raise PermanentError(event["message"])
    if event["status"] == Status.ERROR:
        raise TransientError(event["message"])


class PollingTrigger(BaseTrigger):
    """Base of all triggers: fires once, with a :class:`PollEvent`.

    A subclass stores each argument of its ``__init__``, JSON only, as the attribute of that name, so that it can be
    serialised, and defines :meth:`check`. A check that fails in passing counts as "not yet" and is logged. Any other
    error becomes an event with its message: one that leaves ``run`` reaches the task as "Trigger failure", without
    its text.

    :param deadline: Epoch seconds; absolute, so that a restart of the triggerer does not extend the wait.
    :param poll_seconds: Between two checks; the triggerer makes the first pauses shorter.
    """

    hook: Any  #: Hook of the system; an operator that waits on its worker lends its own.

    def __init__(self, *, deadline: float, poll_seconds: float) -> None:
        super().__init__()
        self.deadline = deadline
        self.poll_seconds = poll_seconds
        self.waiting_for = ""

    @abstractmethod
    def check(self) -> PollResult:
        """Check once. It runs in a thread, so it may block, and must not start anything."""

    @override
    def serialize(self) -> tuple[str, dict[str, Any]]:
        classes = [found for found in type(self).__mro__ if issubclass(found, PollingTrigger)]
        parameters = [each for found in classes for each in inspect.signature(found.__init__).parameters.values()]
        stored = {each.name: getattr(self, each.name) for each in parameters if each.kind is each.KEYWORD_ONLY}
        return f"{type(self).__module__}.{type(self).__qualname__}", stored

    @override
    async def run(self) -> AsyncIterator[TriggerEvent]:
        waited: float = FIRST_POLL_SECONDS
        try:
            await asyncio.sleep(waited)
            while (event := await sync_to_async(self.poll, thread_sensitive=False)()) is None:
                pause = min(self._pause_seconds(), max(SHORTEST_PAUSE_SECONDS, waited * PAUSE_OF_WAITED))
                await asyncio.sleep(pause)
                waited += pause
        except PermanentError as error:
            event = PollEvent(status=Status.FAILED.value, message=str(error))
        except Exception as error:
            self.log.exception("The wait for %s ended", self.waiting_for or "a first answer")
            message = f"{type(self).__name__}: {type(error).__name__}: {error}: see the log of this wait."
            event = PollEvent(status=Status.ERROR.value, message=message)
        yield TriggerEvent(event)

    def wait(self) -> PollEvent:
        """Wait on the worker; here errors are raised as they are. The caller has just checked, so it pauses first."""
        while True:
            time.sleep(self._pause_seconds())
            if (event := self.poll()) is not None:
                return event

    def poll(self) -> PollEvent | None:
        """Check once; return how the wait ends, None where it goes on."""
        try:
            found = self.check()
        except TransientError as error:
            found = PollResult(waiting_for=f"an answer ({error})")
        if found.result is not None:
            return PollEvent(status=Status.READY.value, result=found.result)
        if found.waiting_for != self.waiting_for:
            self.waiting_for = found.waiting_for
            self.log.info("Waiting for %s", found.waiting_for)
        if time.time() >= self.deadline:
            return PollEvent(status=Status.TIMED_OUT.value, message=found.waiting_for)
        return None

    def _pause_seconds(self) -> float:
        return max(0.0, min(self.poll_seconds, self.deadline - time.time()))


class Waiting(Protocol):
    """What is used of an operator that waits."""

    deferrable: bool

    @property
    def hook(self) -> Any: ...

    def defer(
        self, *, trigger: BaseTrigger, method_name: str, kwargs: dict[str, Any] | None, timeout: timedelta | None
    ) -> NoReturn: ...


def wait_or_defer(
    operator: Waiting, trigger: PollingTrigger, *, timeout: timedelta | None = None, **resume: Any
) -> PollEvent:
    """Wait on the worker and return the event; an operator that is ``deferrable`` leaves for the triggerer instead.

    It then comes back in its method ``resume(context, event, **resume)``.

    :param timeout: After which Airflow itself ends a deferral.
    """
    if operator.deferrable:
        operator.defer(trigger=trigger, method_name="resume", kwargs=resume, timeout=timeout)
    trigger.hook = operator.hook
    return trigger.wait()


class PollingSensor(BaseSensorOperator):
    """Base of the sensors that wait for a :class:`PollResult` with a result, which becomes the task's XCom.

    It checks as its trigger does, so both wait to the same end. A check that fails in passing counts as "not yet" and
    is logged; a permanent error fails the task at once.

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

    @abstractmethod
    def trigger(self, *, deadline: float, poll_seconds: float) -> PollingTrigger:
        """Return the trigger that checks."""

    @cached_property
    def _checking(self) -> PollingTrigger:
        return self.trigger(deadline=math.inf, poll_seconds=self.poke_interval)

    @property
    def hook(self) -> Any:
        return self._checking.hook

    @override
    def poke(self, context: Context) -> PokeReturnValue:
        event = self._checking.poll()
        return PokeReturnValue(is_done=event is not None, xcom_value=event and event["result"])

    @override
    def execute(self, context: Context) -> Any:
        if not self.deferrable:
            try:
                return self._finish(super().execute(context))
            except AirflowSensorTimeout as error:
                raise AirflowSensorTimeout(f"{error} Still waiting for {self._checking.waiting_for}") from error
        first = self.poke(context)
        if first.is_done:
            return self._finish(first.xcom_value)
        return self.defer(
            trigger=self.trigger(deadline=time.time() + self.timeout, poll_seconds=self.poke_interval),
            method_name="resume",
            timeout=timedelta(seconds=self.timeout) + TRIGGERER_GRACE,
        )

    def resume(self, _context: Context, event: PollEvent) -> Any:
        """Take up the trigger's event."""
        require_no_failure(event)
        if event["status"] == Status.TIMED_OUT:
            raise AirflowSensorTimeout(f"after {self.timeout:.0f} s still waiting for {event['message']}")
        return self._finish(event["result"])

    def _finish(self, result: Any) -> Any:
        self.log.info("Ready: %s", result)
        return result
