"""Schema ``gold_staging`` of the warehouse: the answers as last computed, replaced as a whole in one transaction.

Values travel by COPY with ``write_row``, never as escaped text (a hand-escaped COPY corrupted 9 % of the titles). The
lock is the one row of ``gold_staging.load``: it is written first here and read ``FOR UPDATE`` by the publisher, so that
a publication sees all answers of one load or of the other.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse.answers import Answer
from pinterest_spark.postgres import connect, retry

log = logging.getLogger(__name__)

SCHEMA = "gold_staging"
LOAD_ROW = """INSERT INTO gold_staging.load (loaded_at, table_rows, versions, source, notes, lake_tables)
    VALUES (now(), %s, %s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET loaded_at = excluded.loaded_at, table_rows = excluded.table_rows,
        versions = excluded.versions, source = excluded.source, notes = excluded.notes,
        lake_tables = excluded.lake_tables"""
READ_LOAD = "SELECT source, notes, lake_tables, table_rows, versions FROM gold_staging.load FOR UPDATE"
CONFIRM = "UPDATE gold_staging.load SET loaded_at = now()"
FORGET = "UPDATE gold_staging.load SET source = NULL, lake_tables = lake_tables - %s::text[]"
STAGED_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'gold_staging' AND tablename <> 'load'"

type Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Load:
    """From what the staged answers were computed; as JSON has it.

    :param source: The lake, and the state of its silver tables; None where the lake's answers may be newer.
    :param notes: Posts that no answer could use, by the column that they lack.
    :param tables: Of each answer's table in the lake the digest of its rows, and the state that it was left in.
    :param rows: Of each staged answer; ``versions`` those of their files.
    """

    source: Mapping[str, Any] | None = None
    notes: Mapping[str, int] = field(default_factory=dict)
    tables: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def last_load(url: str) -> Load:
    """Return the last load, if all of its tables are there; an empty one where there was none.

    :raises StageError: The warehouse was not migrated.
    """

    def read(connection: psycopg.Connection) -> Load:
        found = execute(connection, READ_LOAD).fetchone()
        load = Load(*found) if found else Load()
        names = {name for (name,) in connection.execute(STAGED_TABLES)}
        return load if names == load.rows.keys() else Load()

    return within(url, read)


def confirm(url: str) -> None:
    """Note that the staged answers are those of now."""
    within(url, lambda connection: connection.execute(CONFIRM))


def forget(url: str, names: Sequence[str]) -> None:
    """Note, before answers of these names are written to the lake, that the last load no longer tells what is there."""
    within(url, lambda connection: execute(connection, FORGET, [list(names)]))


def stage(url: str, computed: Mapping[Answer, Rows], made_from: Load | None = None) -> None:
    """Replace the staged answers by these, all or none.

    :param url: ``postgresql://user:password@host:port/database``; it is never logged.
    :param computed: The rows of each answer, in its columns.
    :raises StageError: The warehouse was not migrated.
    """
    started = time.monotonic()
    within(url, lambda connection: replace(connection, computed, made_from or Load()))
    rows = sum(map(len, computed.values()))
    log.info("Staged %s tables, %s rows in %.0f ms", len(computed), rows, (time.monotonic() - started) * 1000)


def within[Result](url: str, work: Callable[[psycopg.Connection], Result]) -> Result:
    """Do the work in a transaction; again when the server is away or another holds the lock."""

    def attempt() -> Result:
        with connect(url) as connection:
            return work(connection)

    return retry(attempt, what=SCHEMA)


def execute(connection: psycopg.Connection, statement: LiteralString, values: Sequence[Any] = ()) -> psycopg.Cursor:
    """Execute a statement on the row of the load."""
    try:
        return connection.execute(statement, values)
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InvalidSchemaName) as error:
        raise StageError(
            "gold_staging.load is missing or older than this package: apply include/sql/migrations "
            f"(task migrate_warehouse of the DAGs), then run gold again. PostgreSQL says: {error}"
        ) from error


def replace(connection: psycopg.Connection, computed: Mapping[Answer, Rows], made_from: Load) -> None:
    """Do the work of ``stage`` within the connection's transaction; the tables are created as they are declared now."""
    counts = {answer.name: len(rows) for answer, rows in computed.items()}
    versions = {answer.name: answer.version for answer in computed}
    source = None if made_from.source is None else Jsonb(made_from.source)
    values = [Jsonb(counts), Jsonb(versions), source, Jsonb(made_from.notes), Jsonb(made_from.tables)]
    execute(connection, LOAD_ROW, values)
    for (name,) in connection.execute(STAGED_TABLES).fetchall():
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(SCHEMA, name)))
    for answer, rows in computed.items():
        create(connection, answer)
        columns = names(column for column, _ in answer.columns)
        copy_rows = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(SCHEMA, answer.name), columns)
        with connection.cursor().copy(copy_rows) as copy:
            for row in rows:
                copy.write_row(row)


def create(connection: psycopg.Connection, answer: Answer) -> None:
    """Create a staged table with its key, so that a doubled row fails the load and not the readers."""
    columns = [sql.SQL("{} {} NOT NULL").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in answer.columns]
    statement = sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({}))")
    table = sql.Identifier(SCHEMA, answer.name)
    connection.execute(statement.format(table, sql.SQL(", ").join(columns), names(answer.key)))


def names(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
