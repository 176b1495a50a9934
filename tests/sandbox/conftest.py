"""Fixtures of the sandbox's own tests."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql


@pytest.fixture(scope="session")
def source_url(stand_ins: Callable[..., dict[str, str]]) -> str:
    return stand_ins("postgres")["PINTEREST_SOURCE_URL"]


@pytest.fixture
def empty_database(source_url: str) -> Iterator[str]:
    """Return a URL that leads to a schema of this test's own, dropped after it."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(source_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        yield f"{source_url}?options=-csearch_path%3D{name}"
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
