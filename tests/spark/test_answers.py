"""The ten answers on hand-made rows: ties, medians, age groups, what is unknown, and which tables an answer reads."""

import datetime as dt

import pytest

from pinterest_pipeline.warehouse import answers as declarations
from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse.answers import answers_folder, facts, parse, read_answers, registered
from pinterest_spark.lakehouse.gold import compute
from pinterest_spark.lakehouse.tables import local_rows
from pinterest_spark.rows.schemas import silver_table

ANSWERS = {answer.name: answer for answer in read_answers(answers_folder())}

PIN = {"category": "art", "poster_name": None, "follower_count": None}
GEO = {"country": None, "timestamp": None}
USER = {"user_name": None, "age": None, "date_joined": None}


def year(number: int) -> dt.datetime:
    return dt.datetime(number, 6, 1)  # noqa: DTZ001 - Spark takes a naive datetime as UTC


@pytest.fixture(scope="module")
def ask(spark):
    """Return a function that computes an answer from rows given as ``{id: {column: value}}`` a table."""

    def run(answer, pin=None, geo=None, user=None):
        frames = []
        for table, rows, usual in (("pin", pin, PIN), ("geo", geo, GEO), ("user", user, USER)):
            schema = silver_table(table)
            records = [{**dict.fromkeys(schema.names), **usual, "ind": ind, **row} for ind, row in (rows or {}).items()]
            values = [tuple(record[name] for name in schema.names) for record in records]
            frames.append(local_rows(spark, values, schema))
        with registered(facts(*frames)):
            return sorted(tuple(row) for row in compute(spark, ANSWERS[answer]))

    return run


def test_both_sides_read_the_same_declarations():
    """Airflow's reader and Spark's are two modules, since neither machine has the other's package."""
    declared = declarations.read_answers(answers_folder())

    assert len(declared) >= 10
    assert [(answer.name, answer.sql, answer.key, answer.columns, answer.version) for answer in ANSWERS.values()] == [
        (each.name, each.text, tuple(each.key), tuple(each.columns.items()), each.version) for each in declared
    ]
    assert [answer.schema.names for answer in ANSWERS.values()] == [list(each.columns) for each in declared]


DECLARED = '/*\n[key]\ncountry = "text"\n[value]\nposts = "bigint"\n*/\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("SELECT 1", "declaration of mine.sql.*KeyError: 'key'", id="no declaration"),
        pytest.param(DECLARED.replace('"text"', "text"), "declaration of mine.sql.*TOMLDecodeError", id="no TOML"),
        pytest.param(DECLARED.replace("bigint", "money"), "declaration of mine.sql.*'money'", id="unknown type"),
        pytest.param(DECLARED.replace("[key]", "key = 1"), "declaration of mine.sql.*", id="no table"),
    ],
)
def test_an_unreadable_declaration_is_refused_by_name(text, message):
    with pytest.raises(StageError, match=message):
        parse("mine", text)


@pytest.mark.parametrize("select", ["SELECT country FROM pin_geo", "SELECT * FROM pins", "SELECT"])
def test_a_select_that_does_not_fit_is_refused_by_file(spark, select):
    nothing = (local_rows(spark, [], silver_table(table)) for table in ("pin", "geo", "user"))

    with registered(facts(*nothing)), pytest.raises(StageError, match=r"include/sql/answers/mine\.sql does not fit"):
        compute(spark, parse("mine", DECLARED + select))


def test_the_views_end_with_the_block(spark):
    nothing = (local_rows(spark, [], silver_table(table)) for table in ("pin", "geo", "user"))

    with registered(facts(*nothing)):
        during = {view.viewName for view in spark.sql("SHOW VIEWS").collect()}

    assert during == {"pin_geo", "pin_user", "users", "followed_users"}
    assert spark.sql("SHOW VIEWS").isEmpty()


def test_the_folder_lies_beside_the_package_or_in_the_project_and_else_both_places_are_named(tmp_path):
    package = tmp_path / "root" / "spark" / "pinterest_spark"
    with pytest.raises(StageError, match=r"root/spark/answers nor in .*root/sql/answers: copy include/sql/answers"):
        answers_folder(package)

    (tmp_path / "root" / "sql" / "answers").mkdir(parents=True)
    assert answers_folder(package) == tmp_path / "root" / "sql" / "answers"
    (tmp_path / "root" / "spark" / "answers").mkdir(parents=True)
    assert answers_folder(package) == tmp_path / "root" / "spark" / "answers"


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(StageError, match="no SQL file"):
        read_answers(tmp_path)


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


@pytest.fixture(scope="module")
def grouped(ask):
    """The answer for one post of each age, its category named after the age; asked once, for a query costs a second."""
    ages = dict(enumerate([*AGES, None, 13]))
    pin = {ind: {"category": str(age)} for ind, age in ages.items()}
    return ask("popular_category_by_age_group", pin=pin, user={ind: {"age": age} for ind, age in ages.items()})


@pytest.mark.parametrize(("age", "group"), [*AGES.items(), (None, None), (13, None)])
def test_an_age_has_its_group_or_none(grouped, age, group):
    found = [row for row in grouped if row[1] == str(age)]

    assert found == ([(group, str(age), 1)] if group else [])


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


def test_without_rows_there_are_no_answers(spark):
    nothing = (local_rows(spark, [], silver_table(table)) for table in ("pin", "geo", "user"))

    with registered(facts(*nothing)):
        found = {name: compute(spark, answer) for name, answer in ANSWERS.items()}

    assert found == {name: [] for name in ANSWERS}
