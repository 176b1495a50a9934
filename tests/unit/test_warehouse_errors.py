"""PostgreSQL's errors under either driver: which of them another try can help against."""

import psycopg
import psycopg2
import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.warehouse.errors import database_errors, failure_of


def older_driver(sqlstate):
    return type("Failed", (psycopg2.Error,), {"pgcode": sqlstate})("said so\nDETAIL: more")


@pytest.mark.parametrize(
    ("error", "sqlstate", "is_transient"),
    [
        pytest.param(psycopg2.OperationalError("gone"), None, True, id="no answer, psycopg2"),
        pytest.param(psycopg.OperationalError("gone"), None, True, id="no answer, psycopg"),
        pytest.param(psycopg.InterfaceError("closed"), None, True, id="connection closed"),
        pytest.param(psycopg.ProgrammingError("3 placeholders, 2 parameters"), None, False, id="a mistake of ours"),
        pytest.param(psycopg.errors.DeadlockDetected("x"), "40P01", True, id="deadlock"),
        pytest.param(psycopg.errors.AdminShutdown("x"), "57P01", True, id="shutdown"),
        pytest.param(psycopg.errors.QueryCanceled("x"), "57014", True, id="statement time-out"),
        pytest.param(psycopg.errors.LockNotAvailable("x"), "55P03", True, id="lock time-out"),
        pytest.param(psycopg.errors.DiskFull("x"), "53100", True, id="disk full"),
        pytest.param(older_driver("08006"), "08006", True, id="connection lost"),
        pytest.param(older_driver("42P01"), "42P01", False, id="no table"),
        pytest.param(psycopg.errors.InsufficientPrivilege("x"), "42501", False, id="no right"),
        pytest.param(psycopg.errors.UniqueViolation("x"), "23505", False, id="key exists"),
    ],
)
def test_an_error_says_whether_another_try_can_help(error, sqlstate, is_transient):
    failure = failure_of(error)

    assert (failure.sqlstate, failure.is_transient) == (sqlstate, is_transient)


@pytest.mark.parametrize("error", [KeyError("ours"), TransientError("a connection"), OSError("a file")])
def test_an_error_that_is_no_drivers_stays_as_it_is(error):
    assert failure_of(error) is None
    with pytest.raises(type(error)) as caught, database_errors("Reading"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (older_driver("40001"), TransientError, "^Reading x: said so$"),
        (older_driver("42P01"), PermanentError, r"^Reading x: said so: .*include/sql"),
        (older_driver("42501"), PermanentError, r"^Reading x: said so: grant the role"),
        (older_driver("42601"), PermanentError, r"^Reading x: said so: correct the statement"),
    ],
)
def test_the_message_names_what_was_done_and_the_remedy(error, kind, message):
    with pytest.raises(kind, match=message), database_errors("Reading x"):
        raise error
