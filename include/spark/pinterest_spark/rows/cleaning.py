"""The cleaning contract of silver, one function a table, the same for the batch and for the stream.

``tidy`` finds what a column's value means (blanks, "no data", numbers, dates), ``clean`` puts the contract's columns
together. Native functions only, nothing here removes a row, and whatever lineage columns the
caller's source has, named with a leading underscore, are carried along.

The steps are separate ``select``s on purpose: Spark computes an expression again for each place that names it.
"""

from decimal import Decimal
from functools import cache, reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import StringType

from pinterest_spark.rows.schemas import WIRE, WIRE_DATES

# Blanks are the Unicode White_Space characters, and NUL, which PostgreSQL cannot hold. Zero-width characters are none:
# U+200D holds emoji together. A lone space, the usual case, is looked at once and is no match; the character class
# written out, twice, took three times as long.
RUN_OF_BLANKS = r"(?U)[\s\x00](?<! (?![\s\x00]))[\s\x00]*"

# "No data", written as text: whole value, case-sensitive, in its own column only.
SENTINELS = {
    "title": ("No Title Data Available", "Untitled"),
    "description": ("No description available Story format", "No description available"),
    "poster_name": ("User Info Error",),
    "follower_count": ("User Info Error",),
    "tag_list": ("N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e",),
    "image_src": ("Image src error.",),
}

FOLLOWERS = r"^\s*([0-9,]*\.?[0-9]+)\s*([kKmMbB]?)\s*$"
LONGEST_FOLLOWERS = 64  # characters; the expression's time grows with the square of the length
EXACT = "decimal(29,9)"  # a bigint's digits before the point, a billionth after it: k, M and B stay exact
SUFFIXES = {"k": Decimal(10**3), "m": Decimal(10**6), "b": Decimal(10**9)}
ISO_DATE_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?$"
OFFSET = r"(Z|[+-][0-9]{2}:[0-9]{2})$"
SAVED_IN = "Local save in "
WHILE_COUNTING = ("_count", "_digits", "_suffix")  # followers


def tidy(parsed: DataFrame, table: str) -> DataFrame:
    """Give parsed rows their values: text tidied, "no data" as NULL; add ``_instant_<date>`` and ``_followers`` (pin).

    The wire columns keep their names; a date stays text beside its instant, a follower count beside its number, so that
    what is no value can be told from what was no data.
    """
    tidied = reduce(DataFrame.withColumns, tidying(table), parsed)
    return tidied.drop(*WHILE_COUNTING) if table == "pin" else tidied


@cache  # see parsing.reading
def tidying(table: str) -> tuple[dict[str, Column], ...]:
    """Return the steps of :func:`tidy`."""
    texts = [field.name for field in WIRE[table] if isinstance(field.dataType, StringType)]
    trimmed = {name: sf.trim(sf.regexp_replace(name, RUN_OF_BLANKS, " ")) for name in texts}
    known = {name: without_sentinels(name) for name in texts}
    instants = {f"_instant_{name}": instant(name) for name in WIRE_DATES[table]}
    return (trimmed, known, *([instants] if instants else []), *(counting() if table == "pin" else ()))


def without_sentinels(name: str) -> Column:
    return sf.when(~sf.col(name).isin("", *SENTINELS.get(name, ())), sf.col(name))


def instant(name: str) -> Column:
    """Return an ISO 8601 date and time as an instant, in UTC without an offset, whatever the session's time zone."""
    given = sf.col(name)
    zoned = sf.when(given.rlike(OFFSET), given).otherwise(sf.concat(given, sf.lit("Z")))
    return sf.when(given.rlike(ISO_DATE_TIME), zoned.try_cast("timestamp"))


def counting() -> tuple[dict[str, Column], ...]:
    """Return steps to ``_followers``: a count such as ``985k`` or ``1.2M`` as a whole number, half up, else NULL."""
    count = sf.col("follower_count")
    matching = sf.when((sf.length(count) <= LONGEST_FOLLOWERS) & count.rlike(FOLLOWERS), count)
    parts = {
        "_digits": sf.translate("_count", " ,kKmMbB", "").try_cast(EXACT),
        "_suffix": sf.lower(sf.right(sf.col("_count"), sf.lit(1))),
    }
    number = sf.round(sf.col("_digits")).try_cast("bigint")
    for letter, factor in SUFFIXES.items():
        scaled = sf.round(sf.col("_digits") * sf.lit(factor)).try_cast("bigint")
        number = sf.when(sf.col("_suffix") == letter, scaled).otherwise(number)
    return {"_count": matching}, parts, {"_followers": number}


def tags() -> Column:
    """Return the comma-joined tags as an array of trimmed, non-empty tags."""
    joined = sf.col("tag_list")
    loose = (sf.contains(joined, sf.lit(seam)) for seam in (" ,", ", ", ",,"))
    is_untidy = reduce(or_, loose, joined.startswith(",") | joined.endswith(","))
    tidied = sf.array_remove(sf.split(sf.regexp_replace(joined, " *, *", ","), ","), "")
    return sf.when(is_untidy, tidied).otherwise(sf.split(joined, ","))


def flag(name: str) -> Column:
    return sf.when(sf.col(name) == 1, sf.lit(True)).when(sf.col(name) == 0, sf.lit(False))


def defects(**lost: Column) -> Column:
    """Return the names of the columns that were lost, by type on the wire or by the conditions given."""
    nothing = sf.array().cast("array<string>")
    found = sf.array_compact(sf.array(*(sf.when(condition, sf.lit(name)) for name, condition in lost.items())))
    is_any = reduce(or_, lost.values(), sf.size("_wrong") > 0)
    return sf.when(is_any, sf.array_union("_wrong", found)).otherwise(nothing).alias("_defects")


def clean(tidied: DataFrame, table: str) -> DataFrame:
    """Return the lineage columns, the contract's columns and ``_defects`` of tidied rows."""
    return tidied.select(*carried(tidied), *CLEANERS[table]())


def carried(tidied: DataFrame) -> list[str]:
    used_up = ("_wrong", "_followers")
    return [name for name in tidied.columns if name.startswith("_") and name not in used_up and "_instant_" not in name]


@cache
def clean_pin() -> tuple[Column | str, ...]:
    location, followers = sf.col("save_location"), sf.col("_followers")
    path = sf.when(location.startswith(SAVED_IN), sf.substr(location, sf.lit(len(SAVED_IN) + 1))).otherwise(location)
    return (
        sf.col("index").alias("ind"),
        "unique_id",
        "title",
        "description",
        followers.alias("follower_count"),
        "poster_name",
        tags().alias("tag_list"),
        "is_image_or_video",
        "image_src",
        flag("downloaded").alias("downloaded"),
        path.alias("save_location"),
        "category",
        defects(
            follower_count=sf.col("follower_count").isNotNull() & followers.isNull(),
            downloaded=sf.col("downloaded").isNotNull() & flag("downloaded").isNull(),
        ),
    )


@cache
def clean_geo() -> tuple[Column | str, ...]:
    latitude, longitude = sf.col("latitude"), sf.col("longitude")
    both = latitude.isNotNull() & longitude.isNotNull()
    return (
        "ind",
        "country",
        sf.when(both, sf.array(latitude, longitude)).alias("coordinates"),
        sf.col("_instant_timestamp").alias("timestamp"),
        defects(timestamp=sf.col("timestamp").isNotNull() & sf.col("_instant_timestamp").isNull()),
    )


@cache
def clean_user() -> tuple[Column | str, ...]:
    name = sf.concat_ws(" ", "first_name", "last_name")
    return (
        "ind",
        sf.when(name != "", name).alias("user_name"),
        "age",
        sf.col("_instant_date_joined").alias("date_joined"),
        defects(date_joined=sf.col("date_joined").isNotNull() & sf.col("_instant_date_joined").isNull()),
    )


CLEANERS = {"pin": clean_pin, "geo": clean_geo, "user": clean_user}
