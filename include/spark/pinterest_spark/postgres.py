"""What every writer to PostgreSQL shares: bounded waits, and bounded tries where trying again can help."""

import logging
import random
import time
from collections.abc import Callable

import psycopg

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10
TIMEOUTS = "-c statement_timeout=60s -c lock_timeout=30s -c idle_in_transaction_session_timeout=60s"
ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
PASSING = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.UniqueViolation)


def connect(url: str, *, autocommit: bool = False) -> psycopg.Connection:
    """Open a connection with time-outs for connecting, for each statement and for each lock.

    :param url: ``postgresql://user:password@host:port/database``; it is never logged.
    """
    return psycopg.connect(
        url,
        connect_timeout=CONNECT_SECONDS,
        options=TIMEOUTS,
        autocommit=autocommit,
        # A server that vanished is noticed by the kernel after 10 + 3 x 5 s, instead of after two hours
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )


def retry[Result](
    work: Callable[[], Result],
    pause: Callable[[float], None] = time.sleep,
    *,
    attempts: int = ATTEMPTS,
    what: str = "the warehouse",
) -> Result:
    """Do the work, up to ``attempts`` times while trying again can help; the pauses double and differ by chance."""
    for attempt in range(1, attempts + 1):
        try:
            return work()
        except PASSING as error:
            if attempt == attempts:
                raise
            seconds = min(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), LONGEST_PAUSE_SECONDS)
            seconds *= random.uniform(0.5, 1.5)  # noqa: S311 - no secret
            kind = type(error).__name__
            log.warning("Attempt %s of %s at %s failed (%s); again in %.1f s", attempt, attempts, what, kind, seconds)
            pause(seconds)
    raise AssertionError("unreachable: the last attempt returns or raises")
