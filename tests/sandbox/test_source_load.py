"""``sandbox seed`` loads a data set once, replaces it whole, and touches nothing that is not its own."""

import argparse

import psycopg
import pytest

from sandbox.data.source import command
from sandbox.data.source.generator import generate
from sandbox.data.source.load import POSTS_PER_COPY, seed
from sandbox.data.source.schema import TABLES
from sandbox.run.settings import SandboxError, Settings


def rows_of(url: str, table: str) -> list[tuple]:
    key = TABLES[table].key
    with psycopg.connect(url) as connection:
        return connection.execute(f'SELECT * FROM {TABLES[table].name} ORDER BY "{key}"').fetchall()


@pytest.mark.parametrize("mode", ["faithful", "hard"])
def test_the_tables_hold_exactly_what_was_generated(empty_database: str, mode: str) -> None:
    rows = POSTS_PER_COPY + 1

    assert seed(empty_database, mode, rows, 7) == (rows, True)

    posts = list(generate(mode, rows, 7))
    for place, table in enumerate(TABLES):
        assert rows_of(empty_database, table) == [post[place] for post in posts]


def test_columns_keys_and_index_are_those_of_the_contract(empty_database: str) -> None:
    seed(empty_database, "sane", 10, 7)

    with psycopg.connect(empty_database) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
        ).fetchall()
        indexes = {
            definition.partition(" USING ")[2]
            for (definition,) in connection.execute(
                "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()"
            )
        }
    assert [(name, kind) for table, name, kind in columns if table == "geolocation_data"] == [
        ("ind", "bigint"),
        ("timestamp", "timestamp without time zone"),
        ("latitude", "double precision"),
        ("longitude", "double precision"),
        ("country", "text"),
    ]
    assert [kind for table, _, kind in columns if table == "pinterest_data"] == [
        "integer",
        *["text"] * 8,
        "integer",
        "text",
        "text",
    ]
    assert indexes == {"btree (index)", "btree (ind)", 'btree ("timestamp")'}


def test_seeding_the_same_again_changes_nothing(empty_database: str) -> None:
    seed(empty_database, "sane", 50, 7)
    with psycopg.connect(empty_database) as connection:
        before = connection.execute("SELECT 'pinterest_data'::regclass::oid").fetchone()

    assert seed(empty_database, "sane", 50, 7) == (50, False)

    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT 'pinterest_data'::regclass::oid").fetchone() == before


@pytest.mark.parametrize("other", [("sane", 50, 8), ("sane", 51, 7), ("hard", 50, 7)])
def test_other_arguments_replace_the_whole_data_set(empty_database: str, other: tuple[str, int, int]) -> None:
    seed(empty_database, "sane", 50, 7)

    assert seed(empty_database, *other).was_loaded

    assert rows_of(empty_database, "pin") == [post.pin for post in generate(*other)]


def test_rows_that_went_missing_are_loaded_again(empty_database: str) -> None:
    seed(empty_database, "sane", 50, 7)
    with psycopg.connect(empty_database) as connection:
        connection.execute("DELETE FROM user_data WHERE ind = 3")

    assert seed(empty_database, "sane", 50, 7).was_loaded

    assert len(rows_of(empty_database, "user")) == 50


def test_tables_of_someone_else_are_left_alone(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE TABLE user_data AS SELECT 1 AS mine")

    with pytest.raises(SandboxError, match="user_data exist"):
        seed(empty_database, "sane", 50, 7)

    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT mine FROM user_data").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(["--rows", "0"], "'0' is not between 1 and 2147483647", id="no rows"),
        pytest.param(["--rows", "many"], "'many' is not a whole number", id="rows in words"),
        pytest.param(["--rows", "2147483648"], "'2147483648' is not between", id="more than an id holds"),
        pytest.param(["--seed", "-1"], "--seed", id="negative seed"),
        pytest.param(["--mode", "easy"], "'easy'", id="unknown mode"),
    ],
)
def test_bad_arguments_end_with_one_line_that_names_them(capsys, arguments: list[str], complaint: str) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)

    with pytest.raises(SystemExit):
        parser.parse_args(arguments)

    assert complaint in capsys.readouterr().err.strip().splitlines()[-1]


def test_a_database_out_of_reach_is_reported_with_the_remedy(tmp_path) -> None:
    nowhere = Settings(home=tmp_path, ports={"postgres": 1}, secrets={"pinterest_source_password": "x"})

    with pytest.raises(SandboxError, match="sandbox up --only postgres"):
        command.run(argparse.Namespace(mode="sane", rows=1, seed=1), nowhere)
