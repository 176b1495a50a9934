"""How often a produce call tries again, and how long it waits in between."""

import threading
from dataclasses import dataclass, field

from pinterest_pipeline.common.backoff import LONGEST_RETRY_AFTER_SECONDS, pause_seconds
from pinterest_pipeline.common.errors import TransientError

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 27.0  # API Gateway gives up after 29 s
# 19 waits of at least 136 and at most 272 s: a broker's restart takes 20 to 90 s, a proxy's deployment two minutes.
MAX_ATTEMPTS = 20
FIRST_WAIT_SECONDS = 0.25
MAX_WAIT_SECONDS = 20.0


@dataclass(frozen=True)
class Retries:
    """Bounded attempts with growing waits.

    :param max_attempts: In a row without any record getting an outcome, the first included.
    :param stopped: Ends every wait, and refuses every further request.
    """

    max_attempts: int
    first_wait_seconds: float
    max_wait_seconds: float
    stopped: threading.Event = field(default_factory=threading.Event)

    def require_going(self) -> None:
        if self.stopped.is_set():
            raise TransientError("stopped before the request was sent")

    def wait(self, attempt: int, requested_seconds: float = 0) -> None:
        """Wait after so many attempts, and no shorter than the proxy's ``Retry-After`` asks for, up to a minute."""
        pause = pause_seconds(attempt, first=self.first_wait_seconds, longest=self.max_wait_seconds)
        self.stopped.wait(max(pause, min(requested_seconds, LONGEST_RETRY_AFTER_SECONDS)))
