"""The golden SQL answers, on a handful of posts whose answers were worked out by hand."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from sandbox.data.source import load
from sandbox.data.source.schema import TABLES

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
POSTS = [
    # category, poster, followers | time, latitude, longitude, country | first name, last name, age, joined
    ("art", "Ann", "1k", "2018-01-01", 1, 1, "Korea", "Ann", "A", 20, "2016-01-01"),
    (" art\n", "Ann\u00a0", "2k", "2018-12-31T23:59:59", 1, 1, " Korea", "Ann ", "\tA", 20, "2016-01-01"),
    ("beauty", "Bob", "2,000", "2019-05-01", None, 1, "Korea", "Bob", "B", 30, "2017-01-01"),
    ("finance", "Bob", "1.5", "2019-06-01", 1, 1, "Peru", "Bob", "B", 30, "2017-01-01"),
    ("beauty", "User Info Error", "User Info Error", "2017-12-01", 1, 1, "Peru", "", None, 40, "2017-01-01"),
    ("travel", "Cat", "3B", "2020-01-01", 91, 1, "Peru", "Cat", "C", 51, "2020-12-31T23:59:59"),  # geo is rejected
    (None, "Dan", "12 thousand", "2018-01-01", 1, 1, " ", "Dan", "D", 17, "2015-01-01"),
    ("quotes", "Eve", "10", "2999-01-01", 1, 1, "Chad", "Eve", "E", 12, "2016-01-01"),  # geo and user are rejected
    ("quotes", "Fay", "0.5M", "2022-01-01", 90, -180, "Chad", "Fay", "F", None, "2004-12-31"),  # user is rejected
    ("travel", "Gus", None, "2021-01-01", 1, 1, None, "Gus", "G", 24, "2014-12-31"),
    ("travel", "Ivy", "4B", "2999-01-01", 1, 181, "Peru", "Ivy", "I", 121, "2016-01-01"),  # geo and user are rejected
    ("art", "Hal", "500 K", "2023-01-01", 1, 1, "Peru", "Hal", "H", 22, "2016-06-01"),
]
ANSWERS = {
    "popular_category_by_country": [
        ("Chad", "quotes", 1),
        ("Korea", "art", 2),
        ("Peru", "art", 1),
        ("Peru", "beauty", 1),
        ("Peru", "finance", 1),
    ],
    "popular_category_by_year": [
        (2018, "art", 2),
        (2019, "beauty", 1),
        (2019, "finance", 1),
        (2021, "travel", 1),
        (2022, "quotes", 1),
    ],
    "category_count_by_year": [
        (2017, "beauty", 1),
        (2018, "art", 2),
        (2019, "beauty", 1),
        (2019, "finance", 1),
        (2021, "travel", 1),
        (2022, "quotes", 1),
        (2023, "art", 1),
    ],
    "top_user_by_country": [
        ("Chad", "Fay", 500_000),
        ("Korea", "Ann", 2_000),
        ("Korea", "Bob", 2_000),
        ("Peru", "Hal", 500_000),
    ],
    "top_country": [("Chad", 500_000), ("Peru", 500_000)],
    "popular_category_by_age_group": [
        ("18-24", "art", 3),
        ("25-35", "beauty", 1),
        ("25-35", "finance", 1),
        ("36-50", "beauty", 1),
        ("50+", "travel", 1),
    ],
    "median_followers_by_age_group": [("18-24", 251_000.0), ("25-35", 2_000.0), ("50+", 3e9)],
    "users_joined_by_year": [(2015, 1), (2016, 2), (2017, 2), (2020, 1)],
    "median_followers_by_join_year": [(2016, 251_000.0), (2017, 2_000.0), (2020, 3e9)],
    "median_followers_by_join_year_and_age_group": [
        ("18-24", 2016, 251_000.0),
        ("25-35", 2017, 2_000.0),
        ("50+", 2020, 3e9),
    ],
}


@pytest.fixture
def connection(empty_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(empty_database) as connection:
        for table in TABLES.values():
            load.create(connection, table)
        yield connection


def insert(connection: psycopg.Connection, post: int, row: tuple) -> None:
    category, poster, followers, time, latitude, longitude, country, first, last, age, joined = row
    pin = dict.fromkeys(TABLES["pin"].columns) | {
        "index": post,
        "category": category,
        "poster_name": poster,
        "follower_count": followers,
    }
    geo = (post, datetime.fromisoformat(time), latitude, longitude, country)
    user = (post, first, last, age, datetime.fromisoformat(joined))
    for table, values in (("pin", tuple(pin.values())), ("geo", geo), ("user", user)):
        places = ", ".join(["%s"] * len(values))
        connection.execute(f"INSERT INTO {TABLES[table].name} VALUES ({places})", values)


def answer(connection: psycopg.Connection, table: str) -> list[tuple]:
    return connection.execute((GOLDEN / f"{table}.sql").read_text()).fetchall()


def test_there_is_one_file_for_each_answer() -> None:
    declared = {file.stem for file in (GOLDEN.parents[1] / "include" / "sql" / "answers").glob("*.sql")}

    assert {file.stem for file in GOLDEN.glob("*.sql")} == declared
    assert set(ANSWERS) <= declared


def test_the_answers_are_those_worked_out_by_hand(connection: psycopg.Connection) -> None:
    for post, row in enumerate(POSTS):
        insert(connection, post, row)

    for table, expected in ANSWERS.items():
        assert answer(connection, table) == expected, table


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("985k", 985_000),
        ("15M", 15_000_000),
        ("3b", 3_000_000_000),
        ("\u00a0 .5 m ", 500_000),
        ("1,234.5", 1_235),
        ("2.5", 3),
        ("1.2345K", 1_235),
        ("0.0004k", 0),
        *(
            (text, None)
            for text in ("", "k", "12.", "-5", "1e3", "1.2.3k", "5kk", "١٢k", "12k\u200b", "user info error")
        ),
    ],
)
def test_a_follower_count_is_read_exactly_or_not_at_all(
    connection: psycopg.Connection, text: str, number: int | None
) -> None:
    insert(connection, 0, ("art", "Ann", text, "2018-01-01", 1, 1, "Korea", "Ann", "A", 20, "2016-01-01"))

    assert answer(connection, "top_country") == ([] if number is None else [("Korea", number)])
