"""PostgreSQL's errors, sorted: can trying again help? For psycopg2 (older Airflows) and psycopg alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pinterest_pipeline.common.errors import PermanentError, TransientError

TRANSIENT_CLASSES = frozenset({"08", "40", "53", "57", "58"})  # connection, rollback, resources, operator, system
LOCK_NOT_AVAILABLE = "55P03"
TRANSIENT_WITHOUT_STATE = frozenset({"OperationalError", "InterfaceError"})  # no server answered
MIGRATE = (
    "run task migrate_warehouse; if it applies nothing, the table was changed by hand: compare it with "
    "include/sql/migrations"
)
REMEDIES = {
    **dict.fromkeys(("42P01", "3F000", "42703"), MIGRATE),  # undefined table, schema, column
    "42501": "grant the role of the connection what it lacks",
}
DEFAULT_REMEDY = "correct the statement or the connection"


class DatabaseFailure(NamedTuple):
    """What a driver's error says.

    :param sqlstate: None where no server answered.
    :param message: One line.
    """

    sqlstate: str | None
    is_transient: bool
    message: str


def failure_of(error: Exception) -> DatabaseFailure | None:
    """Return what the error of a driver says; None for any other error."""
    kinds = type(error).__mro__
    if not any(kind.__name__ == "Error" and kind.__module__.startswith("psycopg") for kind in kinds):
        return None
    sqlstate = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if sqlstate:
        is_transient = sqlstate[:2] in TRANSIENT_CLASSES or sqlstate == LOCK_NOT_AVAILABLE
    else:
        is_transient = not TRANSIENT_WITHOUT_STATE.isdisjoint(kind.__name__ for kind in kinds)
    message = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return DatabaseFailure(sqlstate, is_transient, message)


@contextmanager
def database_errors(what: str) -> Iterator[None]:
    """Translate the errors of a driver.

    :param what: What is done, as the message's subject.
    :raises TransientError: no answer, or one that trying again can change.
    :raises PermanentError: anything else that PostgreSQL refuses, with what to do.
    """
    try:
        yield
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            raise
        if failure.is_transient:
            raise TransientError(f"{what}: {failure.message}") from error
        remedy = REMEDIES.get(failure.sqlstate or "", DEFAULT_REMEDY)
        raise PermanentError(f"{what}: {failure.message}: {remedy}.") from error
