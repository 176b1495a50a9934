"""Migrations of the warehouse: SQL files, applied in the order of their numbers, once each, in one transaction each.

Needs the standard library and a DB-API connection (psycopg 2 or 3) only. Why it is not a library: docs/adr/0006.
"""

import hashlib
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
TRANSACTION_CONTROL = re.compile(
    r"^\s*(BEGIN|START\s+TRANSACTION|COMMIT|ROLLBACK)(\s+(WORK|TRANSACTION))?\s*;", re.IGNORECASE | re.MULTILINE
)
FOLDER = "include/sql/migrations"

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('audit.migrations', 0))"
IS_TABLE_THERE = "SELECT to_regclass('audit.migrations') IS NOT NULL"
CREATE_SCHEMA = "CREATE SCHEMA IF NOT EXISTS audit"
CREATE_TABLE = """CREATE TABLE audit.migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL
)"""
READ = "SELECT name, checksum FROM audit.migrations"
RECORD = "INSERT INTO audit.migrations (name, checksum, applied_by) VALUES (%s, %s, %s)"
# An ALTER TABLE that waits for a long query makes every later query of that table wait behind it.
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '30s'"

log = logging.getLogger(__name__)


class MigrationError(Exception):
    """The warehouse cannot be brought up to date; the cause is the driver's error, where there was one."""


@dataclass(frozen=True)
class Migration:
    """A file: its name, ``NNNN_<what>.sql``, and its statements."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path) -> list[Migration]:
    """Return the SQL files of a folder in the order of their names; line ends are ``\\n``, whatever git made of them.

    :raises FileNotFoundError: when there is none.
    """
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise FileNotFoundError(f"There is no SQL file in {folder}: deploy {FOLDER}.")
    return [Migration(file.name, file.read_text(encoding="utf-8")) for file in files]


def plan(applied: Mapping[str, str], migrations: Sequence[Migration]) -> list[Migration]:
    """Return the migrations to apply, in order.

    :param applied: Checksum by name of what was applied to the warehouse.
    :param migrations: All files of the deployed version, in the order of their names.
    :raises MigrationError: naming every file that is wrong, before anything is applied.
    """
    problems = [*problems_of_files(migrations), *problems_of_history(applied, migrations)]
    if problems:
        raise MigrationError(f"The warehouse was not migrated: {'; '.join(problems)}.")
    return [migration for migration in migrations if migration.name not in applied]


def problems_of_files(migrations: Sequence[Migration]) -> Iterator[str]:
    expected = 1
    for migration in migrations:
        match = FILE_NAME.fullmatch(migration.name)
        if match is None:
            yield f"{migration.name} is not named NNNN_<what>.sql (lower case, digits, _)"
            continue
        if (number := int(match[1])) != expected:
            problem = (
                "has the number of the file before it"
                if number < expected
                else f"follows a gap: {expected:04} is missing"
            )
            yield f"{migration.name} {problem}"
        expected = number + 1
        if control := TRANSACTION_CONTROL.search(migration.sql):
            yield f"{migration.name} contains {control[1].upper()}, but each file is one transaction: take it out"


def problems_of_history(applied: Mapping[str, str], migrations: Sequence[Migration]) -> Iterator[str]:
    names = [migration.name for migration in migrations]
    for name in sorted(applied.keys() - set(names)):
        yield f"{name} was applied and is missing from {FOLDER}: deploy the version that has it"
    for migration in migrations:
        if migration.name in applied:
            if applied[migration.name] != migration.checksum:
                yield (
                    f"{migration.name} was changed after it was applied: restore it, and put the change into a new file"
                )
        elif applied and migration.name[:4] <= (newest := max(applied))[:4]:
            yield f"{migration.name} was not applied, but {newest} was: give it the next free number"


def migrate(connection: Any, migrations: Sequence[Migration], *, applied_by: str) -> list[str]:
    """Apply what is pending and return its names; several callers at once take turns, migration by migration.

    :param connection: DB-API connection of psycopg 2 or 3, not in autocommit.
    :param applied_by: Recorded beside each migration: the DAG run.
    :raises MigrationError: see :func:`plan`; or naming the file that failed, with PostgreSQL's message. What was
        applied before that file stays; of the file itself nothing does.
    """
    applied = []
    while name := apply_next(connection, migrations, applied_by):
        applied.append(name)
    return applied


def apply_next(connection: Any, migrations: Sequence[Migration], applied_by: str) -> str | None:
    """Apply the first pending migration and record it, in one transaction; None where nothing is pending."""
    started = time.monotonic()
    with transaction(connection) as cursor:
        with failing_as(connection, "The table audit.migrations could not be read"):
            pending = plan(read_applied(cursor), migrations)
        if not pending:
            return None
        migration = pending[0]
        with failing_as(connection, f"Migration {migration.name} failed and changed nothing"):
            cursor.execute(LOCK_TIMEOUT)
            cursor.execute(migration.sql)
            cursor.execute(RECORD, (migration.name, migration.checksum, applied_by))
    log.info("Applied %s in %.0f ms", migration.name, (time.monotonic() - started) * 1000)
    return migration.name


def read_applied(cursor: Any) -> dict[str, str]:
    """Return the recorded checksums, under a lock that others wait for until the transaction ends."""
    cursor.execute(LOCK)
    cursor.execute(IS_TABLE_THERE)
    if not cursor.fetchone()[0]:
        cursor.execute(CREATE_SCHEMA)
        cursor.execute(CREATE_TABLE)
    cursor.execute(READ)
    return dict(cursor.fetchall())


@contextmanager
def transaction(connection: Any) -> Iterator[Any]:
    """Yield a cursor; commit at the end of the block, roll back when it fails."""
    try:
        with closing(connection.cursor()) as cursor:
            yield cursor
        connection.commit()
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise


@contextmanager
def failing_as(connection: Any, what: str) -> Iterator[None]:
    """Put what was done before the message of the driver's errors, which a DB-API connection has as attributes."""
    try:
        yield
    except connection.Error as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise MigrationError(f"{what}: {said}") from error
