"""A database of a test's own on the sandbox's server, the product's migrations and its SQL files."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    import psycopg

PROJECT = Path(__file__).resolve().parents[2]
SQL = PROJECT / "include" / "sql"


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """Yield the URL of a new, empty database; it is dropped afterwards, open connections included."""
    import psycopg
    from psycopg import sql

    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield f"{server_url.rpartition('/')[0]}/{name}"
    finally:
        # A connection of its own: a test may have killed the server in between
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def statements(kind: str) -> list[str]:
    return [file.read_text() for file in sorted((SQL / kind).glob("*.sql"))]


def create_tables(url: str) -> None:
    """Bring a database to what task migrate_warehouse makes of it."""
    import psycopg

    sys.path.append(str(PROJECT / "plugins"))  # the runner of migrations needs no Airflow
    from pinterest_pipeline.warehouse.migrations import migrate, read_migrations

    with psycopg.connect(url) as connection:
        migrate(connection, read_migrations(SQL / "migrations"), applied_by="test")
        run_all(connection, "ddl")


def run_all(connection: "psycopg.Connection", kind: str) -> None:
    """Run every statement of a folder in one transaction, as the DAG's operator does."""
    with connection.transaction():
        for statement in statements(kind):
            connection.execute(statement)
