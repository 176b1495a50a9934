"""How long a produce call tries: longer than a broker's restart and a proxy's deployment, however the dice fall."""

import random
import threading
from types import SimpleNamespace

import pytest

from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.kafka_rest.retries import FIRST_WAIT_SECONDS, MAX_ATTEMPTS, MAX_WAIT_SECONDS, Retries
from tests.unit.scripted_kafka_rest import Answer
from tests.unit.sending import context, operator, rows

DEPLOYMENT_SECONDS = 120


class Clock(threading.Event):
    """An event whose waits take no time, and are added up."""

    def __init__(self):
        super().__init__()
        self.seconds = 0.0

    def wait(self, timeout=None):
        self.seconds += timeout
        return False


@pytest.mark.parametrize("draw", [0, 1], ids=["shortest waits", "longest waits"])
def test_the_default_attempts_outlast_a_deployment_of_two_minutes_and_end(monkeypatch, draw):
    monkeypatch.setattr(random, "uniform", lambda least, most: most if draw else least)
    clock = Clock()
    retries = Retries(MAX_ATTEMPTS, FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS, stopped=clock)

    for attempt in range(1, MAX_ATTEMPTS):
        retries.wait(attempt)

    assert DEPLOYMENT_SECONDS < clock.seconds < 300


@pytest.mark.parametrize(("requested", "seconds"), [(0, 1), (5, 5), (86_400, 60)])
def test_a_wait_is_no_shorter_than_requested_up_to_a_minute(requested, seconds):
    clock = Clock()

    Retries(2, 1, 1, stopped=clock).wait(1, requested)

    assert clock.seconds == pytest.approx(seconds, rel=0.5)


def test_a_proxy_that_is_away_for_two_minutes_costs_no_retry_of_the_task(proxy, source, store, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("pinterest_pipeline.kafka_rest.hook.threading", SimpleNamespace(Event=lambda: clock))
    source(rows(5000))
    away = {"seconds": None}

    def answer(asked):
        if len(proxy.asked) == 5 and away["seconds"] is None:
            away["seconds"] = clock.seconds
        is_away = away["seconds"] is not None and clock.seconds < away["seconds"] + DEPLOYMENT_SECONDS
        return Answer({"message": "Service Unavailable"}, 503) if is_away else proxy.deliver(asked)

    proxy.always = answer
    result = operator(concurrency=1).execute(context())

    assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (5000, 5000, 0)
    assert proxy.offset == 5000
    assert clock.seconds >= DEPLOYMENT_SECONDS


def test_attempts_waits_and_time_outs_are_the_operators(proxy, source, store):
    source(rows(1))
    proxy.always = lambda asked: Answer(proxy.deliver(asked).body, delay_seconds=1)
    task = operator(max_attempts=3, first_wait_seconds=0.01, max_wait_seconds=0.01, read_timeout_seconds=0.1)

    with pytest.raises(TransientError, match=r"key 0: .*after 3 attempts"):
        task.execute(context())

    assert len([asked for asked in proxy.asked if asked.method == "POST"]) == 3
