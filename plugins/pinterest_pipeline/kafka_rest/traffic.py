"""What has got through to one topic so far, shared by the threads that send to it: evidence that others pass."""

import logging
import threading

REMAINING_SHARE = 0.6  # of a size that was refused: room for half of the records, though they differ in size
log = logging.getLogger(__name__)


class Traffic:
    """Numbers the requests to a topic, and remembers the last one that delivered records and the size that is refused.

    A request that fails is no proof against its records: everything may fail. One that was sent *after* the failure
    and delivered records shows that others pass.
    """

    def __init__(self, topic: str) -> None:
        self.alone = threading.Lock()  #: Held while records are sent for which Kafka may refuse others, too.
        self._topic = topic
        self._lock = threading.Lock()
        self._sent = 0
        self._last_accepted = 0
        self._refused_bytes: int | None = None
        self._is_refused_size_logged = False

    def next_number(self) -> int:
        """Return the number of the request that is about to be sent."""
        with self._lock:
            self._sent += 1
            return self._sent

    @property
    def newest_number(self) -> int:
        return self._sent

    def accept(self, number: int, size_bytes: int) -> None:
        """Note that a request delivered records."""
        with self._lock:
            self._last_accepted = max(self._last_accepted, number)
            is_news = self._refused_bytes is not None and not self._is_refused_size_logged
            self._is_refused_size_logged |= is_news
        if is_news:
            log.warning(
                "Topic %s: a request of %d bytes was refused as too large (413), one of %d bytes passes: this task "
                "sends at most %d from now on; lower max_batch_bytes to that",
                self._topic, self._refused_bytes, size_bytes, self.max_bytes,
            )  # fmt: skip

    def has_accepted_since(self, number: int | None) -> bool:
        """Tell whether a request with a greater number delivered records; 0 or None for any."""
        return self._last_accepted > (number or 0)

    def refuse_size(self, size_bytes: int) -> None:
        """Remember that a request of several records was too large."""
        with self._lock:
            self._refused_bytes = min(size_bytes, self._refused_bytes or size_bytes)

    @property
    def max_bytes(self) -> int | None:
        """How large a request of several records may be; None while none was refused for its size."""
        return None if self._refused_bytes is None else int(self._refused_bytes * REMAINING_SHARE)
