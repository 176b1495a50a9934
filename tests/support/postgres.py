"""A database of a test's own on the sandbox's server, the product's migrations and its SQL files."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    import psycopg

from tests.support.groups import PROJECT, TEST_HOME

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


def as_superuser(url: str) -> str:
    """Return the URL of the same database for the role that makes roles, which no client of the sandbox uses."""
    from sandbox.run.settings import Settings

    settings = Settings.load(TEST_HOME)
    assert settings is not None
    return f"{settings.postgres_admin_url.rpartition('/')[0]}/{url.rpartition('/')[2]}"


def create_tables(url: str) -> None:
    """Bring a database to what task migrate_warehouse makes of it."""
    import psycopg

    sys.path.append(str(PROJECT / "plugins"))  # the runner of migrations needs no Airflow
    from pinterest_pipeline.warehouse.migrations import migrate, read_migrations

    with psycopg.connect(url) as connection:
        migrate(connection, read_migrations(SQL / "migrations"), applied_by="test")


def create_answers(connection: "psycopg.Connection") -> None:
    """Create the tables of the answers, staged and published, and record the answers as published with no row."""
    sys.path.append(str(PROJECT / "plugins"))  # whose readers of SQL files need no Airflow
    from pinterest_pipeline.warehouse.answers import read_answers
    from pinterest_pipeline.warehouse.publish import RECORD, create_table

    for answer in read_answers(SQL / "answers"):
        for schema in ("gold_staging", "gold"):
            connection.execute(create_table(f"{schema}.{answer.name}", answer))
        connection.execute(RECORD, (answer.name, answer.version, answer.text, 0))
