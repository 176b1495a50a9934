"""An answer that many viewers share."""

import threading
import time
from collections.abc import Callable
from typing import Any

WAIT_SECONDS = 20.0  # longer than any panel's time-outs together


class Cached:
    """Compute at most once at a time and once in ``seconds``, however many requests come.

    While one request computes, the others get the last answer, so that a slow database never holds more than one of the
    api-server's threads a panel; only for the first answer ever do they wait.
    """

    def __init__(self, compute: Callable[[], dict[str, Any]], seconds: float) -> None:
        self._compute = compute
        self.seconds = seconds
        self._lock = threading.Lock()
        self._answer: dict[str, Any] | None = None
        self._fresh_until = 0.0

    def get(self) -> dict[str, Any]:
        if self._answer is not None and time.monotonic() < self._fresh_until:
            return self._answer
        if not self._lock.acquire(timeout=WAIT_SECONDS if self._answer is None else 0):
            return self._answer or {"state": "unavailable", "why": "The first answer takes long.", "remedy": "Wait."}
        try:
            if self._answer is None or time.monotonic() >= self._fresh_until:
                self._answer = self._compute()
                self._fresh_until = time.monotonic() + self.seconds
            return self._answer
        finally:
            self._lock.release()
