"""What every writer to PostgreSQL shares: bounded waits, and bounded tries where trying again can help."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from functools import cache
from itertools import count
from uuid import uuid4

import psycopg

from pinterest_spark.errors import StageError

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10
SETTINGS = {"statement_timeout": "60s", "lock_timeout": "30s", "idle_in_transaction_session_timeout": "60s"}
SET = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted (name, value)"
MARK, MARKED = "SELECT set_config('pinterest.session', %s, false)", "SELECT current_setting('pinterest.session', true)"
MARK_CHECKS = 3
ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
PASSING = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.UniqueViolation,
    psycopg.errors.ReadOnlySqlTransaction,  # 25006: the server was demoted, its name leads to the new one soon
    psycopg.errors.IdleInTransactionSessionTimeout,
)


class TransactionPoolingError(StageError):
    """A proxy gives each transaction another session of PostgreSQL."""


def connect(url: str, *, autocommit: bool = False, settings: Mapping[str, str] | None = None) -> psycopg.Connection:
    """Open a connection with time-outs for connecting, for each statement and for each lock.

    The time-outs are set once connected: RDS Proxy and PgBouncer refuse a connection that brings ``options``.

    :param url: ``postgresql://user:password@host:port/database``, with libpq's parameters such as
        ``?sslmode=verify-full&sslrootcert=/path``; it is never logged.
    :param settings: In place of ``SETTINGS``.
    :raises TransactionPoolingError: the time-outs and temporary tables would be another client's.
    """
    wanted = SETTINGS if settings is None else settings
    connection = open_connection(url)
    try:
        require_session(url, connection)
        connection.execute(SET, [list(wanted), list(wanted.values())])
        connection.autocommit = autocommit
    except BaseException:
        connection.close()
        raise
    return connection


def open_connection(url: str) -> psycopg.Connection:
    return psycopg.connect(
        url,
        connect_timeout=CONNECT_SECONDS,
        autocommit=True,
        # A server that vanished is noticed by the kernel after 10 + 3 x 5 s, instead of after two hours
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )


@cache
def keeps_sessions(url: str) -> bool:
    """Say whether a session's settings stay its own while another client works; asked once for each URL."""
    mark = uuid4().hex
    with open_connection(url) as one:
        one.execute(MARK, [mark])
        for _ in range(MARK_CHECKS):
            with open_connection(url) as other, other.transaction():
                if mark_of(other) == mark or mark_of(one) != mark:
                    return False
    return True


def mark_of(connection: psycopg.Connection) -> str:
    [mark] = connection.execute(MARKED).fetchone() or ("",)
    return str(mark)


def require_session(url: str, connection: psycopg.Connection) -> None:
    """Refuse a proxy that pools transactions; a server without a proxy names its process itself."""
    [pid] = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    if pid != connection.info.backend_pid and not keeps_sessions(url):
        raise TransactionPoolingError(
            f"The proxy before PostgreSQL at {connection.info.host}:{connection.info.port} pools transactions, but the "
            "stream needs sessions: set pool_mode=session in PgBouncer, or connect to the server itself."
        )


def retry[Result](
    work: Callable[[], Result],
    pause: Callable[[float], None] = time.sleep,
    *,
    patience_seconds: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    what: str = "the warehouse",
) -> Result:
    """Do the work again while that can help: ``ATTEMPTS`` times, and as long as ``patience_seconds``.

    The pauses double, up to ``LONGEST_PAUSE_SECONDS``, and differ by chance.
    """
    began = clock()
    for attempt in count(1):
        try:
            return work()
        except PASSING as error:
            if attempt >= ATTEMPTS and clock() - began >= patience_seconds:
                raise
            seconds = min(FIRST_PAUSE_SECONDS * 2 ** min(attempt - 1, 10), LONGEST_PAUSE_SECONDS)
            seconds *= random.uniform(0.5, 1.5)  # noqa: S311 - no secret
            kind = type(error).__name__
            log.warning("Attempt %s at %s failed (%s); again in %.1f s", attempt, what, kind, seconds)
            pause(seconds)
    raise AssertionError("unreachable: count has no end")
