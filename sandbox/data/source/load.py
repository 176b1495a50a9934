"""Load a generated data set into the source database with COPY, once: the tables say what they hold."""

from collections.abc import Iterator
from itertools import batched
from typing import NamedTuple

import psycopg
from psycopg import sql

from sandbox.data.source.generator import GENERATOR_VERSION, generate
from sandbox.data.source.schema import TABLES, Post, Table
from sandbox.run.settings import CALL_SECONDS, SandboxError

POSTS_PER_COPY = 5_000  # bounds the memory: one COPY serves one table at a time
LOCK = 0x70696E73  # any fixed number: two seeds at once take turns
SIGNATURE = "pinterest sandbox source:"


class Seeded(NamedTuple):
    """What ``seed`` found or made."""

    rows: int
    was_loaded: bool


def seed(connection_url: str, mode: str, rows: int, seed: int) -> Seeded:
    """Make the three source tables hold exactly this data set, in one transaction.

    The same arguments again change nothing; others replace the tables. Tables of these names that were not made
    here are left alone.

    :raises SandboxError: where such tables stand in the way.
    :raises ValueError: for arguments that :func:`generate` refuses.
    :raises psycopg.Error: where the database is out of reach or refuses.
    """
    posts = generate(mode, rows, seed)
    signature = f"{SIGNATURE} mode={mode} rows={rows} seed={seed} version={GENERATOR_VERSION}"
    with psycopg.connect(connection_url, connect_timeout=CALL_SECONDS) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        found = {table.name: comment(connection, table) for table in TABLES.values()}
        refuse_strangers(found)
        if all(text == signature for text in found.values()) and counts(connection) == {rows}:
            return Seeded(rows, was_loaded=False)
        for table in TABLES.values():
            create(connection, table)
        for batch in batched(posts, POSTS_PER_COPY):
            copy(connection, batch)
        finish(connection, signature)
    return Seeded(rows, was_loaded=True)


def comment(connection: psycopg.Connection, table: Table) -> str | None:
    """Return the table's comment, an empty one where it has none, or None where there is no such table."""
    found = connection.execute(
        "SELECT coalesce(obj_description(to_regclass(%s), 'pg_class'), '') WHERE to_regclass(%s) IS NOT NULL",
        [table.name, table.name],
    ).fetchone()
    return found[0] if found else None


def refuse_strangers(found: dict[str, str | None]) -> None:
    strangers = [name for name, text in found.items() if text is not None and not text.startswith(SIGNATURE)]
    if strangers:
        raise SandboxError(
            f"Not seeding: {', '.join(strangers)} exist in this database and were not made by `sandbox seed`. "
            "Move or drop them, or seed another database."
        )


def counts(connection: psycopg.Connection) -> set[int]:
    query = sql.SQL(" UNION ").join(
        sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.name)) for table in TABLES.values()
    )
    return {count for (count,) in connection.execute(query)}


def create(connection: psycopg.Connection, table: Table) -> None:
    name = sql.Identifier(table.name)
    columns = (sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in table.types.items())
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(", ").join(columns)))


def copy(connection: psycopg.Connection, posts: tuple[Post, ...]) -> None:
    for place, table in enumerate(TABLES.values()):
        statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table.name))
        with connection.cursor() as cursor, cursor.copy(statement) as rows:
            for row in column_of(posts, place):
                rows.write_row(row)


def column_of(posts: tuple[Post, ...], place: int) -> Iterator[tuple[object, ...]]:
    return (post[place] for post in posts)


def finish(connection: psycopg.Connection, signature: str) -> None:
    """Add the keys, the index that the pipeline's windows use, statistics, and the signature."""
    connection.execute("CREATE INDEX ON geolocation_data (timestamp)")
    for table in TABLES.values():
        name, key = sql.Identifier(table.name), sql.Identifier(table.key)
        connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(name, key))
        connection.execute(sql.SQL("ANALYZE {}").format(name))
        connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal(signature)))
