"""What every trigger has from its base: how an error reaches the task, and what a restart of the triggerer keeps."""

import asyncio
import itertools
import time

import pytest

from pinterest_pipeline.common import polling
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.polling import PollingTrigger, PollResult, require_no_failure
from tests.dags.test_triggers import arguments_of, trigger_classes


@pytest.fixture(params=trigger_classes(), ids=lambda found: found.__name__)
def failing(request, monkeypatch):
    """Return a function that runs a trigger whose check raises an error, and returns its event."""
    monkeypatch.setattr(polling, "FIRST_POLL_SECONDS", 0)

    def run(error):
        def check(_self):
            raise error

        monkeypatch.setattr(request.param, "check", check)
        trigger = request.param(**arguments_of(request.param))

        async def first():
            return await asyncio.wait_for(anext(trigger.run()), 10)

        return asyncio.run(first()).payload

    return run


def test_a_permanent_error_reaches_the_task_once_and_with_its_remedy(failing):
    event = failing(PermanentError("no bucket: create it"))

    assert event["status"] == "failed"
    with pytest.raises(PermanentError, match=r"^no bucket: create it$"):
        require_no_failure(event)


def test_an_error_that_nobody_foresaw_is_named_and_tried_again(failing):
    event = failing(KeyError("connectors"))

    assert event["status"] == "error"
    with pytest.raises(TransientError, match="Trigger: KeyError: 'connectors'"):
        require_no_failure(event)


def test_a_passing_error_is_waited_out_until_the_deadline_which_is_absolute(failing):
    assert failing(TransientError("slow down")) == {"status": "timed_out", "message": "an answer (slow down)"}


def test_what_is_over_soon_is_noticed_soon_and_a_long_wait_is_checked_at_its_interval(monkeypatch):
    class Tenth(PollingTrigger):
        checks = itertools.count(1)

        def check(self):
            return PollResult(result=[]) if next(self.checks) == 10 else PollResult(waiting_for="the tenth check")

    pauses = []

    async def sleep(seconds):
        pauses.append(round(seconds, 2))

    async def first():
        return await anext(Tenth(deadline=time.time() + 600, poll_seconds=5).run())

    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert asyncio.run(first()).payload["status"] == "ready"

    assert pauses == [1, 1, 1, 1.5, 2.25, 3.38, 5, 5, 5, 5]


@pytest.mark.parametrize(("poll_seconds", "left"), [(0.1, 600), (5, 0.1)], ids=["interval", "deadline"])
def test_a_pause_is_never_longer_than_the_interval_or_what_is_left(monkeypatch, poll_seconds, left):
    class Never(PollingTrigger):
        def check(self):
            return PollResult(waiting_for="nothing")

    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            trigger.deadline = 0

    trigger = Never(deadline=time.time() + left, poll_seconds=poll_seconds)

    async def first():
        return await anext(trigger.run())

    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert asyncio.run(first()).payload["status"] == "timed_out"

    assert all(pause <= 0.1 for pause in pauses[1:])
