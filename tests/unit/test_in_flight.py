"""Several calls at a time: bounded, read as needed, ended by the first error."""

import threading
import time
from contextlib import closing

import pytest

from pinterest_pipeline.common.concurrency import map_in_flight


def never_stop():
    raise AssertionError("stop was called")


@pytest.mark.parametrize(("count", "limit"), [(0, 4), (1, 4), (4, 4), (5, 4), (9, 1)])
def test_every_result_comes_once(count, limit):
    results = map_in_flight(lambda n: n * 2, range(count), limit=limit, stop=never_stop)

    assert sorted(results) == [n * 2 for n in range(count)]


def test_no_more_run_than_the_limit_and_the_source_stays_on_one_thread():
    running, most, readers = 0, 0, set()
    lock = threading.Lock()

    def items():
        for number in range(20):
            readers.add(threading.get_ident())
            yield number

    def work(number):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    list(map_in_flight(work, items(), limit=3, stop=never_stop))

    assert most == 3
    assert readers == {threading.get_ident()}


def test_items_are_read_only_when_a_call_can_start():
    read = []
    results = map_in_flight(lambda n: n, (read.append(n) or n for n in range(100)), limit=2, stop=lambda: None)

    with closing(results):
        next(results)

        assert read == [0, 1]


def test_first_error_ends_it_and_lets_running_calls_end_early():
    stopped = threading.Event()
    read = []

    def work(number):
        if number == 0:
            raise ValueError("broken")
        assert stopped.wait(10)

    with pytest.raises(ValueError, match="broken"):
        list(map_in_flight(work, (read.append(n) or n for n in range(100)), limit=2, stop=stopped.set))

    assert stopped.is_set()
    assert len(read) == 2


def test_error_of_the_caller_ends_it_too():
    stopped = threading.Event()

    with closing(map_in_flight(lambda n: n, range(10), limit=2, stop=stopped.set)) as results:
        next(results)

    assert stopped.is_set()
