"""The ten questions of the data contract, section 3, as functions over silver, read as in ``tests/golden/README.md``.

A question joins, by post id, exactly the tables it reads. Ties are kept: every row whose number equals the greatest.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as sf

YEARS_POSTED = (2018, 2022)
YEARS_JOINED = (2015, 2020)
USER = ("user_name", "age", "date_joined")  # a user is the poster; NULLs equal each other


def age_group(age: Column) -> Column:
    """Return ``18-24``, ``25-35``, ``36-50`` or ``50+`` (51 and over); NULL below 18 and for an unknown age."""
    return (
        sf.when(age.between(18, 24), sf.lit("18-24"))
        .when(age.between(25, 35), sf.lit("25-35"))
        .when(age.between(36, 50), sf.lit("36-50"))
        .when(age > 50, sf.lit("50+"))
    )


@dataclass(frozen=True)
class Facts:
    """What the questions are asked of: three narrow tables, each made of exactly the silver tables it names."""

    pin_geo: DataFrame  # country, post_year, category, poster_name, follower_count; one row a post
    pin_user: DataFrame  # category, age_group; one row a post
    users: DataFrame  # join_year; one row a user
    followed_users: DataFrame  # age_group, join_year, follower_count (largest, never NULL); one row a user


def facts(pin: DataFrame, geo: DataFrame, user: DataFrame) -> Facts:
    """Build the facts from the silver tables, not computed yet."""
    posts = pin.select("ind", "category", "poster_name", "follower_count")
    places = geo.select("ind", "country", sf.year("timestamp").alias("post_year"))
    people = user.select("ind", *USER)
    of_users = posts.join(people, "ind")
    known = of_users.where("follower_count IS NOT NULL").groupBy(*USER)
    return Facts(
        pin_geo=posts.join(places, "ind").drop("ind"),
        pin_user=of_users.select("category", age_group(sf.col("age")).alias("age_group")),
        users=people.select(*USER).distinct().select(sf.year("date_joined").alias("join_year")),
        followed_users=known.agg(sf.max("follower_count").alias("follower_count")).select(
            age_group(sf.col("age")).alias("age_group"), sf.year("date_joined").alias("join_year"), "follower_count"
        ),
    )


def with_all(rows: DataFrame, *columns: str) -> DataFrame:
    """Leave out the rows that do not know what the question needs."""
    return rows.dropna(subset=list(columns))


def greatest(rows: DataFrame, number: str, *group: str) -> DataFrame:
    """Keep, of each group, every row whose number is the group's greatest."""
    rank = sf.rank().over(Window.partitionBy(*group).orderBy(sf.desc(number)))
    return rows.withColumn("_rank", rank).where("_rank = 1").drop("_rank")


def popular_category(rows: DataFrame, group: str) -> DataFrame:
    counted = with_all(rows, group, "category").groupBy(group, "category").agg(sf.count("*").alias("category_count"))
    return greatest(counted, "category_count", group)


def median(rows: DataFrame, *group: str) -> DataFrame:
    exact = sf.median("follower_count").alias("median_follower_count")
    return with_all(rows, *group).groupBy(*group).agg(exact).select(*group, "median_follower_count")


def joined(rows: DataFrame) -> DataFrame:
    return rows.where(sf.col("join_year").between(*YEARS_JOINED))


def popular_category_by_country(of: Facts) -> DataFrame:
    return popular_category(of.pin_geo, "country")


def popular_category_by_year(of: Facts) -> DataFrame:
    return popular_category(of.pin_geo.where(sf.col("post_year").between(*YEARS_POSTED)), "post_year")


def category_count_by_year(of: Facts) -> DataFrame:
    posts = with_all(of.pin_geo, "post_year", "category")
    return posts.groupBy("post_year", "category").agg(sf.count("*").alias("category_count"))


def top_user_by_country(of: Facts) -> DataFrame:
    posts = with_all(of.pin_geo, "country", "poster_name", "follower_count")
    largest = posts.groupBy("country", "poster_name").agg(sf.max("follower_count").alias("follower_count"))
    return greatest(largest, "follower_count", "country")


def top_country(of: Facts) -> DataFrame:
    lines = top_user_by_country(of).select("country", "follower_count").distinct()
    return greatest(lines, "follower_count")


def popular_category_by_age_group(of: Facts) -> DataFrame:
    return popular_category(of.pin_user, "age_group")


def median_followers_by_age_group(of: Facts) -> DataFrame:
    return median(of.followed_users, "age_group")


def users_joined_by_year(of: Facts) -> DataFrame:
    return joined(of.users).groupBy("join_year").agg(sf.count("*").alias("number_users_joined"))


def median_followers_by_join_year(of: Facts) -> DataFrame:
    return median(joined(of.followed_users), "join_year")


def median_followers_by_join_year_and_age_group(of: Facts) -> DataFrame:
    return median(joined(of.followed_users), "age_group", "join_year")


QUESTIONS: dict[str, Callable[[Facts], DataFrame]] = {
    question.__name__: question
    for question in (
        popular_category_by_country,
        popular_category_by_year,
        category_count_by_year,
        top_user_by_country,
        top_country,
        popular_category_by_age_group,
        median_followers_by_age_group,
        users_joined_by_year,
        median_followers_by_join_year,
        median_followers_by_join_year_and_age_group,
    )
}
