"""Fixtures of the sandbox's own tests."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql


@pytest.fixture
def empty_database(stand_ins: Callable[..., dict[str, str]]) -> Iterator[str]:
    """Return the URL of a database of this test's own, dropped after it."""
    server = stand_ins("postgres")["PINTEREST_SOURCE_URL"]
    name = sql.Identifier(f"test_{uuid4().hex}")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield f"{server.rpartition('/')[0]}/{name.as_string(connection).strip('"')}"
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
