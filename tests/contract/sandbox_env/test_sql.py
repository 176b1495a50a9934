"""The warehouse's SQL on a real PostgreSQL: created twice, published twice, read meanwhile, checked."""

import sys
import threading
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.support.postgres import SQL, create_answers, create_tables, fresh_database

sys.path.append(str(Path(__file__).resolve().parents[3] / "plugins"))  # whose readers of SQL files need no Airflow
from pinterest_pipeline.warehouse.answers import AnswerError, read_answers
from pinterest_pipeline.warehouse.publish import LOCK, all_checks, publish

DECLARED = read_answers(SQL / "answers")
TABLES = [answer.name for answer in DECLARED]
VERSIONS = {answer.name: answer.version for answer in DECLARED}
ANSWERS = {
    "popular_category_by_country": [("Chad", "art", 3), ("Chad", "quotes", 3), ("Peru", "art", 1)],
    "popular_category_by_year": [(2018, "art", 3)],
    "category_count_by_year": [(2017, "art", 9), (2018, "art", 3), (2018, "quotes", 2)],
    "top_user_by_country": [("Chad", "Ann", 900), ("Chad", "Bob", 900), ("Peru", "Cy", 5)],
    "top_country": [("Chad", 900)],
    "popular_category_by_age_group": [("18-24", "art", 2)],
    "median_followers_by_age_group": [("18-24", 10.5), ("50+", 0.0)],
    "users_joined_by_year": [(2015, 1)],
    "median_followers_by_join_year": [(2015, 7.0)],
    "median_followers_by_join_year_and_age_group": [("18-24", 2015, 7.0)],
}
CHANGED = {
    "popular_category_by_country": [("Chad", "art", 4), ("Togo", "art", 1)],
    "category_count_by_year": [(2018, "art", 4)],
    "popular_category_by_year": [(2018, "art", 4)],
}


@pytest.fixture(scope="module")
def url(stand_ins):
    with fresh_database(stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]) as database_url:
        yield database_url


@pytest.fixture(scope="module")
def connected(url):
    create_tables(url)
    with psycopg.connect(url, autocommit=True) as connection:
        create_answers(connection)
        yield connection


@pytest.fixture
def warehouse(connected):
    """The warehouse with all its tables, empty."""
    names = [sql.Identifier(schema, table) for schema in ("gold", "gold_staging") for table in TABLES]
    connected.execute(sql.SQL("TRUNCATE gold_staging.load, {}").format(sql.SQL(", ").join(names)))
    return connected


def publish_all(connection, answers=DECLARED):
    with connection.transaction(), connection.cursor() as cursor:
        return publish(cursor, answers)


def stage(connection, answers, versions=None):
    with connection.transaction():
        connection.execute(
            "INSERT INTO gold_staging.load (loaded_at, table_rows, versions) VALUES (now(), '{}', %s)"
            " ON CONFLICT (id) DO UPDATE SET loaded_at = excluded.loaded_at, versions = excluded.versions",
            [Jsonb(VERSIONS if versions is None else versions)],
        )
        for table, rows in answers.items():
            name = sql.Identifier("gold_staging", table)
            connection.execute(sql.SQL("DELETE FROM {}").format(name))
            for row in rows:
                connection.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(name, sql.SQL(", ").join(row)))


def gold(connection):
    query = sql.SQL("SELECT * FROM {} ORDER BY 1, 2")
    names = {table: sql.Identifier("gold", table) for table in TABLES}
    return {table: connection.execute(query.format(name)).fetchall() for table, name in names.items()}


def failed_checks(connection):
    checks = all_checks(SQL / "answers", SQL / "checks")
    return {name for name, statement in checks.items() if connection.execute(statement).fetchall()}


def test_the_tables_are_created_once_and_again_without_harm(warehouse, url):
    stage(warehouse, ANSWERS)

    create_tables(url)

    found = warehouse.execute(
        "SELECT table_schema, count(*) FROM information_schema.tables"
        " WHERE table_schema IN ('gold', 'gold_staging', 'stream', 'audit') GROUP BY 1"
    ).fetchall()
    assert dict(found) == {"gold": len(TABLES), "gold_staging": len(TABLES) + 1, "stream": 13, "audit": 7}
    assert warehouse.execute("SELECT count(*) FROM gold_staging.top_user_by_country").fetchone() == (3,)


def test_gold_has_the_ten_tables_of_the_contract():
    assert set(ANSWERS) <= set(TABLES)


def test_publishing_makes_gold_equal_to_the_staged_answers_and_again_changes_nothing(warehouse):
    stage(warehouse, ANSWERS)

    publish_all(warehouse)
    first = gold(warehouse)
    versions = warehouse.execute("SELECT xmin::text FROM gold.category_count_by_year ORDER BY 1").fetchall()
    publish_all(warehouse)

    assert first == gold(warehouse) == {table: sorted(rows) for table, rows in ANSWERS.items()}
    assert versions == warehouse.execute("SELECT xmin::text FROM gold.category_count_by_year ORDER BY 1").fetchall()


def test_a_later_answer_updates_inserts_and_deletes(warehouse):
    stage(warehouse, ANSWERS)
    publish_all(warehouse)

    stage(warehouse, CHANGED)
    publish_all(warehouse)

    assert gold(warehouse) == {table: sorted(rows) for table, rows in {**ANSWERS, **CHANGED}.items()}


def test_what_was_never_staged_is_not_published_as_empty(warehouse):
    with pytest.raises(AnswerError, match="never loaded"):
        publish_all(warehouse)


def test_an_answer_computed_from_another_version_is_refused_and_nothing_is_published(warehouse):
    stage(warehouse, ANSWERS, {**VERSIONS, "top_country": "other", "gone": "old"})

    with pytest.raises(AnswerError, match=r"gone \(staged old, declared not at all\); top_country \(staged other"):
        publish_all(warehouse)
    assert gold(warehouse)["top_country"] == []


def test_a_table_with_other_columns_is_created_again_and_its_rows_are_the_staged_ones(warehouse):
    stage(warehouse, ANSWERS)
    warehouse.execute("ALTER TABLE gold.top_country ADD COLUMN obsolete int")
    warehouse.execute("DROP TABLE gold.users_joined_by_year")

    publish_all(warehouse)

    assert gold(warehouse) == {table: sorted(rows) for table, rows in ANSWERS.items()}


def test_a_doubled_answer_fails_the_load_and_not_the_readers(warehouse):
    with pytest.raises(psycopg.errors.UniqueViolation):
        stage(warehouse, {"top_country": [("Chad", 900), ("Chad", 901)]})


def test_a_publish_that_fails_half_way_leaves_gold_as_it_was(warehouse):
    stage(warehouse, ANSWERS)
    publish_all(warehouse)
    before = gold(warehouse)
    stage(warehouse, CHANGED)
    warehouse.execute("ALTER TABLE gold.popular_category_by_year ADD CONSTRAINT planted CHECK (category_count < 4)")

    with pytest.raises(psycopg.errors.CheckViolation):
        publish_all(warehouse)
    warehouse.execute("ALTER TABLE gold.popular_category_by_year DROP CONSTRAINT planted")

    assert gold(warehouse) == before


def test_a_reader_never_sees_half_a_publish(warehouse, url):
    """Two tables carry the number of the publish; a reader who takes both in one statement must find one number."""
    done, seen = threading.Event(), set()

    def read():
        query = (
            "SELECT (SELECT max(category_count) FROM gold.popular_category_by_country),"
            " (SELECT max(number_users_joined) FROM gold.users_joined_by_year)"
        )
        with psycopg.connect(url, autocommit=True) as connection:
            while not done.is_set():
                seen.add(connection.execute(query).fetchone())

    number = lambda n: {"popular_category_by_country": [("Chad", "art", n)], "users_joined_by_year": [(2015, n)]}  # noqa: E731 - two tables, one number
    stage(warehouse, number(1))
    publish_all(warehouse)
    reader = threading.Thread(target=read)
    reader.start()
    for n in range(2, 30):
        stage(warehouse, number(n))
        publish_all(warehouse)
    done.set()
    reader.join()

    assert len(seen) > 3
    assert all(one == other for one, other in seen)


def test_a_loader_waits_while_a_publish_is_under_way(warehouse, url):
    stage(warehouse, ANSWERS)
    with psycopg.connect(url, autocommit=True, options="-c lock_timeout=200ms") as loader, warehouse.transaction():
        warehouse.execute(LOCK)

        with pytest.raises(psycopg.errors.LockNotAvailable):
            stage(loader, CHANGED)


def test_good_answers_pass_every_check(warehouse):
    stage(warehouse, ANSWERS)
    publish_all(warehouse)

    assert failed_checks(warehouse) == set()


@pytest.mark.parametrize(
    ("defect", "check"),
    [
        ("INSERT INTO gold.popular_category_by_country VALUES ('Chad', 'tattoos', 2)",
         "popular_category_by_country_ties_share_one_category_count"),
        ("INSERT INTO gold.popular_category_by_year VALUES (2018, 'quotes', 2)",
         "popular_category_by_year_ties_share_one_category_count"),
        ("INSERT INTO gold.popular_category_by_age_group VALUES ('18-24', 'quotes', 1)",
         "popular_category_by_age_group_ties_share_one_category_count"),
        ("UPDATE gold.top_user_by_country SET follower_count = 899 WHERE poster_name = 'Bob'",
         "top_user_by_country_ties_share_one_follower_count"),
        ("UPDATE gold.top_country SET country = 'Peru'", "top_country_agrees_with_top_user_by_country"),
        ("DELETE FROM gold.top_country", "top_country_agrees_with_top_user_by_country"),
        ("UPDATE gold.popular_category_by_year SET category_count = 4",
         "popular_category_by_year_agrees_with_category_count_by_year"),
        ("INSERT INTO gold.category_count_by_year VALUES (2019, 'art', 1)",
         "popular_category_by_year_agrees_with_category_count_by_year"),
        ("UPDATE gold.category_count_by_year SET post_year = 2004 WHERE post_year = 2017",
         "category_count_by_year_post_year_is_possible"),
        ("UPDATE gold.category_count_by_year SET post_year = 2999 WHERE post_year = 2017",
         "category_count_by_year_post_year_is_possible"),
        ("UPDATE gold.users_joined_by_year SET join_year = 2021", "users_joined_by_year_join_year_is_possible"),
        ("UPDATE gold.median_followers_by_age_group SET age_group = '<18' WHERE age_group = '50+'",
         "median_followers_by_age_group_age_group_is_possible"),
        ("UPDATE gold.users_joined_by_year SET number_users_joined = 0",
         "users_joined_by_year_number_users_joined_is_possible"),
        ("UPDATE gold.median_followers_by_join_year SET median_follower_count = 'NaN'",
         "median_followers_by_join_year_median_follower_count_is_possible"),
        ("UPDATE gold.median_followers_by_join_year SET median_follower_count = -0.5",
         "median_followers_by_join_year_median_follower_count_is_possible"),
        ("DELETE FROM gold.users_joined_by_year", "users_joined_by_year_has_the_staged_rows"),
    ],
)  # fmt: skip
def test_each_defect_is_found_by_its_check(warehouse, defect, check):
    stage(warehouse, ANSWERS)
    publish_all(warehouse)

    warehouse.execute(defect)

    assert check in failed_checks(warehouse)
