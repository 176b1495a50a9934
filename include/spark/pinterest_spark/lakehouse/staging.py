"""Schema ``gold_staging`` of the warehouse: the answers as last computed, replaced as a whole in one transaction.

Values travel by COPY with ``write_row``, never as escaped text (a hand-escaped COPY corrupted 9 % of the titles). The
lock is the one row of ``gold_staging.load``: it is written first here and read ``FOR UPDATE`` by the publisher, so that
a publication sees all answers of one load or of the other.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse.answers import Answer
from pinterest_spark.postgres import connect, retry

log = logging.getLogger(__name__)

SCHEMA = "gold_staging"
LOAD_ROW = """INSERT INTO gold_staging.load (loaded_at, table_rows, versions) VALUES (now(), %s, %s)
    ON CONFLICT (id) DO UPDATE SET loaded_at = excluded.loaded_at, table_rows = excluded.table_rows,
        versions = excluded.versions"""
STAGED_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'gold_staging' AND tablename <> 'load'"

type Rows = Sequence[Sequence[Any]]


def stage(url: str, computed: Mapping[Answer, Rows]) -> None:
    """Replace the staged answers by these, all or none; retried when the server is away or another holds the lock.

    :param url: ``postgresql://user:password@host:port/database``; it is never logged.
    :param computed: The rows of each answer, in its columns.
    :raises StageError: The warehouse was not migrated.
    """

    def attempt() -> None:
        with connect(url) as connection:
            replace(connection, computed)

    started = time.monotonic()
    retry(attempt, what=SCHEMA)
    rows = sum(map(len, computed.values()))
    log.info("Staged %s tables, %s rows in %.0f ms", len(computed), rows, (time.monotonic() - started) * 1000)


def replace(connection: psycopg.Connection, computed: Mapping[Answer, Rows]) -> None:
    """Do the work of ``stage`` within the connection's transaction; the tables are created as they are declared now."""
    counts = {answer.name: len(rows) for answer, rows in computed.items()}
    versions = {answer.name: answer.version for answer in computed}
    try:
        connection.execute(LOAD_ROW, [Jsonb(counts), Jsonb(versions)])
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InvalidSchemaName) as error:
        raise StageError(
            "gold_staging.load is missing or older than this package: apply include/sql/migrations "
            f"(task migrate_warehouse of the DAGs), then run gold again. PostgreSQL says: {error}"
        ) from error
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
