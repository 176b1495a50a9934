"""The one loop in which tests wait for something."""

import time
from collections.abc import Callable
from typing import Any


def wait_until(predicate: Callable[[], Any], seconds: float, what: object = "it is so", pause: float = 0.05) -> Any:
    """Return the first true value of ``predicate``, or fail with ``what`` was waited for.

    :param what: A text, or a function that is called for the text once the time is over.
    """
    deadline = time.monotonic() + seconds
    while not (value := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain: {what() if callable(what) else what}")
        time.sleep(pause)
    return value


def read_until(read: Callable[[], Any], is_so: Callable[[Any], Any], seconds: float = 20) -> Any:
    """Read until it is so, and return what was read, which may be false."""
    values: list[Any] = []

    def is_read() -> bool:
        values[:] = [read()]
        return bool(is_so(values[0]))

    wait_until(is_read, seconds, lambda: f"still {values[0]}")
    return values[0]
