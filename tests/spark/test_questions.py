"""The ten answers on hand-made rows: ties, medians, age groups, what is unknown, and which tables a question reads."""

import datetime as dt

import pytest

from pinterest_spark.lakehouse import answers as questions
from pinterest_spark.lakehouse.gold import answer
from pinterest_spark.rows.schemas import GOLD, silver_table

PIN = {"category": "art", "poster_name": None, "follower_count": None}
GEO = {"country": None, "timestamp": None}
USER = {"user_name": None, "age": None, "date_joined": None}


def year(number: int) -> dt.datetime:
    return dt.datetime(number, 6, 1)  # noqa: DTZ001 - Spark takes a naive datetime as UTC


@pytest.fixture(scope="module")
def ask(spark):
    """Return a function that answers a question from rows given as ``{id: {column: value}}`` a table."""

    def run(question, pin=None, geo=None, user=None):
        frames = []
        for table, rows, usual in (("pin", pin, PIN), ("geo", geo, GEO), ("user", user, USER)):
            schema = silver_table(table)
            records = [{**dict.fromkeys(schema.names), **usual, "ind": ind, **row} for ind, row in (rows or {}).items()]
            values = [tuple(record[name] for name in schema.names) for record in records]
            frames.append(spark.createDataFrame(values, schema))
        return sorted(tuple(row) for row in answer(questions.facts(*frames), question))

    return run


def test_there_are_ten_questions_and_each_has_its_schema():
    assert list(questions.QUESTIONS) == list(GOLD)
    assert len(GOLD) == 10


def test_popular_category_by_country_keeps_ties_and_leaves_out_what_is_unknown(ask):
    pin = {
        1: {},
        2: {},
        3: {"category": "quotes"},
        4: {},
        5: {"category": "quotes"},
        6: {"category": None},
        7: {},
        8: {},
    }
    geo = {ind: {"country": "Chad"} for ind in (1, 2, 3)} | {ind: {"country": "Mali"} for ind in (4, 5, 6)}
    geo |= {7: {"country": None}, 99: {"country": "Peru"}}

    assert ask("popular_category_by_country", pin, geo) == [
        ("Chad", "art", 2), ("Mali", "art", 1), ("Mali", "quotes", 1),
    ]  # fmt: skip


def test_years_are_those_of_posting_2018_to_2022_for_the_popular_and_all_for_the_counts(ask):
    pin = {ind: {} for ind in range(6)} | {6: {"category": "quotes"}}
    years = dict(enumerate([2017, 2018, 2022, 2023, 2018, None, 2018]))
    geo = {ind: {"timestamp": number and year(number)} for ind, number in years.items()}

    assert ask("popular_category_by_year", pin, geo) == [(2018, "art", 2), (2022, "art", 1)]
    assert ask("category_count_by_year", pin, geo) == [
        (2017, "art", 1), (2018, "art", 2), (2018, "quotes", 1), (2022, "art", 1), (2023, "art", 1),
    ]  # fmt: skip


def test_top_user_by_country_is_the_largest_count_of_the_posts_in_that_country(ask):
    def post(name, followers):
        return {"poster_name": name, "follower_count": followers}

    pin = {
        1: post("ada", 10), 2: post("ada", 12), 3: post("bob", 12), 4: post("ada", 500), 5: post(None, 999),
        6: post("cy", None), 7: post("di", 12), 8: post("di", 12), 9: post("eve", 500),
    }  # fmt: skip
    geo = {ind: {"country": "Chad"} for ind in (1, 2, 3, 5, 6, 7, 8)} | {ind: {"country": "Mali"} for ind in (4,)}
    geo |= {9: {"country": "Peru"}}

    assert ask("top_user_by_country", pin, geo) == [
        ("Chad", "ada", 12), ("Chad", "bob", 12), ("Chad", "di", 12), ("Mali", "ada", 500), ("Peru", "eve", 500),
    ]  # fmt: skip
    assert ask("top_country", pin, geo) == [("Mali", 500), ("Peru", 500)]


AGES = {17: None, 18: "18-24", 24: "18-24", 25: "25-35", 35: "25-35", 36: "36-50", 50: "36-50", 51: "50+", 120: "50+"}


@pytest.mark.parametrize(("age", "group"), [*AGES.items(), (None, None), (13, None)])
def test_an_age_has_its_group_or_none(ask, age, group):
    found = ask("popular_category_by_age_group", pin={1: {}}, user={1: {"age": age}})

    assert found == ([(group, "art", 1)] if group else [])


def test_popular_category_by_age_group_reads_no_place(ask):
    pin = {1: {}, 2: {"category": "quotes"}, 3: {}}
    user = {1: {"age": 20}, 2: {"age": 24}, 3: {"age": 25}}

    assert ask("popular_category_by_age_group", pin, {}, user) == [
        ("18-24", "art", 1), ("18-24", "quotes", 1), ("25-35", "art", 1),
    ]  # fmt: skip


@pytest.fixture
def people():
    """Ada with two posts (5, 100), Bob 10, Cy 20, Di of another age without followers, Eve under age."""

    def person(name, age, joined):
        return {"user_name": name, "age": age, "date_joined": joined and year(joined)}

    pin = {1: 5, 2: 100, 3: 10, 4: 20, 5: None, 6: 7}
    user = {
        1: person("ada", 20, 2015), 2: person("ada", 20, 2015), 3: person("bob", 21, 2015), 4: person("cy", 22, 2020),
        5: person("di", 30, 2014), 6: person("eve", 17, 2021),
    }  # fmt: skip
    return {"pin": {ind: {"follower_count": count} for ind, count in pin.items()}, "user": user}


def test_medians_are_over_users_with_their_largest_count(ask, people):
    assert ask("median_followers_by_age_group", **people) == [("18-24", 20.0)]
    assert ask("median_followers_by_join_year", **people) == [(2015, 55.0), (2020, 20.0)]
    assert ask("median_followers_by_join_year_and_age_group", **people) == [
        ("18-24", 2015, 55.0),
        ("18-24", 2020, 20.0),
    ]


def test_users_joined_are_distinct_and_need_no_pin(ask, people):
    people["user"] |= {90: {"user_name": None, "age": None, "date_joined": year(2016)}}
    people["user"] |= {91: {"user_name": None, "age": None, "date_joined": year(2016)}}

    assert ask("users_joined_by_year", **people) == [(2015, 2), (2016, 1), (2020, 1)]


def test_an_unknown_user_is_one_user_for_the_medians_too(ask):
    unknown = {ind: {"age": 20, "date_joined": year(2016)} for ind in (1, 2)}
    pin = {1: {"follower_count": 1}, 2: {"follower_count": 3}}

    assert ask("median_followers_by_join_year", pin=pin, user=unknown) == [(2016, 3.0)]


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two(ask):
    followers = [1, 2, 5, 1_000_000]
    pin = {ind: {"follower_count": count} for ind, count in enumerate(followers)}
    user = {ind: {"user_name": f"u{ind}", "age": 40} for ind in range(4)}

    assert ask("median_followers_by_age_group", pin=pin, user=user) == [("36-50", 3.5)]


def test_without_rows_there_are_no_answers(ask):
    assert {question: ask(question) for question in GOLD} == {question: [] for question in GOLD}
