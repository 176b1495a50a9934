"""The answers: the SQL files of ``include/sql/answers``, and the four views that they read.

A file's declaration is read for the columns and the version alone; Airflow validates it. Both sides read the same text,
and a test holds the two readers equal.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import StructType

from pinterest_spark.errors import StageError
from pinterest_spark.rows.schemas import DOUBLE, INT, LONG, TEXT, struct

PACKAGE = Path(__file__).resolve().parents[1]
DECLARATION = re.compile(r"/\*\n(.*?)^\*/\n", re.DOTALL | re.MULTILINE)
SPARK_TYPES = {"text": TEXT, "integer": INT, "bigint": LONG, "double precision": DOUBLE}
USER = ("user_name", "age", "date_joined")  # a user is the poster; NULLs equal each other


@dataclass(frozen=True)
class Answer:
    """One file: its name, its whole text (Spark skips the declaration, a comment), and PostgreSQL's types by column."""

    name: str
    sql: str
    key: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]

    @property
    def version(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def schema(self) -> StructType:
        return struct(**{column: SPARK_TYPES[kind] for column, kind in self.columns})


def answers_folder(package: Path = PACKAGE) -> Path:
    """Return the folder of the answers: ``answers`` beside the package in a workspace, ``include/sql`` in the project.

    :raises StageError: where neither exists.
    """
    candidates = (package.parent / "answers", package.parents[1] / "sql" / "answers")
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise StageError(
        f"The answers are neither in {candidates[0]} nor in {candidates[1]}: copy include/sql/answers to the folder "
        "answers beside pinterest_spark (databricks workspace import-dir)."
    )


def read_answers(folder: Path) -> list[Answer]:
    """Return the answers in the order of their names; line ends are ``\\n``, whatever git made of them.

    :raises StageError: naming the file that cannot be read, or the folder where there is none.
    """
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise StageError(f"There is no SQL file in {folder}: copy include/sql/answers there.")
    return [parse(file.stem, file.read_text(encoding="utf-8")) for file in files]


def parse(name: str, text: str) -> Answer:
    declaration = DECLARATION.match(text)
    try:
        entries = tomllib.loads(declaration[1] if declaration else "")
        columns = tuple((entries["key"] | entries["value"]).items())
        answer = Answer(name, text, tuple(entries["key"]), columns)
        _ = answer.schema
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise StageError(
            f"The declaration of {name}.sql cannot be read ({type(error).__name__}: {error}): see the README beside it."
        ) from error
    return answer


@dataclass(frozen=True)
class Facts:
    """The views that the answers read, by name: three narrow joins, each of exactly the silver tables it names."""

    pin_geo: DataFrame  # country, post_year, category, poster_name, follower_count; one row a post
    pin_user: DataFrame  # category, age_group; one row a post
    users: DataFrame  # join_year; one row a user
    followed_users: DataFrame  # age_group, join_year, follower_count (largest, never NULL); one row a user


def age_group(age: Column) -> Column:
    """Return ``18-24``, ``25-35``, ``36-50`` or ``50+`` (51 and over); NULL below 18 and for an unknown age."""
    return (
        sf.when(age.between(18, 24), sf.lit("18-24"))
        .when(age.between(25, 35), sf.lit("25-35"))
        .when(age.between(36, 50), sf.lit("36-50"))
        .when(age > 50, sf.lit("50+"))
    )


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


@contextmanager
def registered(tables: Facts) -> Iterator[None]:
    """Make the facts temporary views of their session while the block runs.

    Temporary views belong to one session, and a notebook has its own: two runs on one cluster do not see each other's.
    """
    for name, frame in vars(tables).items():
        frame.createOrReplaceTempView(name)
    try:
        yield
    finally:
        for name, frame in vars(tables).items():
            frame.sparkSession.catalog.dropTempView(name)
