"""The warehouse's side door: schema ``gold_staging``, replaced as a whole in one transaction.

Values travel by COPY with ``write_row``, never as escaped text (a hand-escaped COPY corrupted 9 % of the titles). The
lock is the one row of ``gold_staging.load``: it is written first here and read ``FOR UPDATE`` by the publisher, so that
a publication sees all ten answers of one load or of the other.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from pyspark.sql.types import DataType, DoubleType, IntegerType, LongType, StringType

from pinterest_spark.postgres import again, connect
from pinterest_spark.rows.schemas import GOLD

log = logging.getLogger(__name__)

SCHEMA = "gold_staging"
SQL_TYPES: dict[type[DataType], str] = {
    StringType: "text", IntegerType: "int", LongType: "bigint", DoubleType: "double precision",
}  # fmt: skip
LOAD_TABLE = """CREATE TABLE IF NOT EXISTS gold_staging.load (
    id boolean PRIMARY KEY DEFAULT true CHECK (id), loaded_at timestamptz NOT NULL, table_rows jsonb NOT NULL)"""
LOAD_ROW = """INSERT INTO gold_staging.load (loaded_at, table_rows) VALUES (now(), %s)
    ON CONFLICT (id) DO UPDATE SET loaded_at = excluded.loaded_at, table_rows = excluded.table_rows"""


def stage(url: str, answers: Mapping[str, Sequence[Sequence[Any]]]) -> None:
    """Replace the staged answers by these, all or none; repeated when the server is away or another holds the lock.

    :param url: ``postgresql://user:password@host:port/database``; it is never logged.
    :param answers: rows in the contract's columns, by the name of their gold table.
    """

    def attempt() -> None:
        with connect(url) as connection:
            replace(connection, answers)

    started = time.monotonic()
    again(attempt, what=SCHEMA)
    rows = sum(map(len, answers.values()))
    log.info("Staged %s tables, %s rows in %.0f ms", len(answers), rows, (time.monotonic() - started) * 1000)


def replace(connection: psycopg.Connection, answers: Mapping[str, Sequence[Sequence[Any]]]) -> None:
    """Do the work of ``stage`` within the connection's transaction."""
    create_missing(connection)
    connection.execute(LOAD_ROW, [Jsonb({table: len(rows) for table, rows in answers.items()})])
    for table, rows in answers.items():
        name = sql.Identifier(SCHEMA, table)
        connection.execute(sql.SQL("DELETE FROM {}").format(name))
        columns = sql.SQL(", ").join(map(sql.Identifier, GOLD[table].names))
        with connection.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)) as copy:
            for row in rows:
                copy.write_row(row)


def create_missing(connection: psycopg.Connection) -> None:
    """Create what the first load finds missing; ``include/sql`` has the same tables, with their keys."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    connection.execute(LOAD_TABLE)
    for table, schema in GOLD.items():
        columns = [
            sql.SQL("{} {} NOT NULL").format(sql.Identifier(field.name), sql.SQL(SQL_TYPES[type(field.dataType)]))
            for field in schema
        ]
        create = sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})")
        connection.execute(create.format(sql.Identifier(SCHEMA, table), sql.SQL(", ").join(columns)))
