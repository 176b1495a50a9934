"""The cleaning contract of silver, one function a table, the same for the batch and for the stream.

A function takes parsed rows (``parsing.parse``: ``_row``, ``_wrong``) with whatever lineage columns the caller's source
has, all named with a leading underscore, and returns those columns (``_row`` and ``_wrong`` excepted), the silver
columns of the contract in order, and ``_defects``: the names of the columns whose value was lost though it was no
sentinel. Native functions only. Nothing here removes a row.
"""

from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import StringType

from pinterest_spark.schemas import WIRE

# The Unicode White_Space characters; zero-width ones are not among them, since U+200D holds emoji together.
BLANKS = r"\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000"
RUN_OF_BLANKS = rf"[{BLANKS}]{{2,}}|[{BLANKS}&&[^ ]]"  # a lone space, the usual case, is no match

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
SUFFIXES = {"": Decimal(1), "k": Decimal(10**3), "m": Decimal(10**6), "b": Decimal(10**9)}
ISO_DATE_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?$"
SAVED_IN = "Local save in "


def text(name: str) -> Column:
    """Return a text column trimmed, its inner blanks collapsed, "no data" as NULL."""
    value = sf.trim(sf.regexp_replace(wire(name), RUN_OF_BLANKS, " "))
    return sf.when(~value.isin("", *SENTINELS.get(name, ())), value)


def wire(name: str) -> Column:
    """Return a wire column; text that was no text on the wire (an object, an array) is NULL."""
    value = sf.col(f"_row.{name}")
    if any(name in schema.names and isinstance(schema[name].dataType, StringType) for schema in WIRE.values()):
        return sf.when(~sf.array_contains("_wrong", name), value)
    return value


def followers(value: Column) -> Column:
    """Return a follower count such as ``985k`` or ``1.2M`` as a whole number, rounded half up, else NULL."""
    short = sf.when(sf.length(value) <= LONGEST_FOLLOWERS, value)
    digits = sf.regexp_replace(sf.regexp_extract(short, FOLLOWERS, 1), ",", "").try_cast(EXACT)
    suffix = sf.lower(sf.regexp_extract(short, FOLLOWERS, 2))
    number = sf.lit(None).cast("bigint")
    for letter, factor in SUFFIXES.items():
        number = sf.when(suffix == letter, sf.round(digits * sf.lit(factor)).try_cast("bigint")).otherwise(number)
    return number


def moment(name: str) -> Column:
    """Return an ISO 8601 date and time without offset as the UTC instant, whatever the session's time zone."""
    value = sf.trim(wire(name))
    return sf.when(value.rlike(ISO_DATE_TIME), sf.concat(value, sf.lit("Z")).try_cast("timestamp"))


def tags() -> Column:
    """Return the comma-joined tags as an array of trimmed, non-empty tags."""
    joined = text("tag_list")
    tidy = sf.when(joined.rlike(" ,|, "), sf.regexp_replace(joined, " *, *", ",")).otherwise(joined)
    split = sf.split(tidy, ",")
    return sf.when(tidy.rlike("^,|,,|,$"), sf.array_remove(split, "")).otherwise(split)


def flag(name: str) -> Column:
    return sf.when(wire(name) == 1, sf.lit(True)).when(wire(name) == 0, sf.lit(False))


def defects(**lost: Column) -> Column:
    """Return the names of the columns that were lost, by type on the wire or by the conditions given."""
    found = sf.array_compact(sf.array(*(sf.when(condition, sf.lit(name)) for name, condition in lost.items())))
    return sf.array_union("_wrong", found).alias("_defects")


def carried(parsed: DataFrame) -> list[str]:
    return [name for name in parsed.columns if name.startswith("_") and name not in ("_row", "_wrong")]


def clean_pin(parsed: DataFrame) -> DataFrame:
    count_text = text("follower_count")
    count = followers(count_text)
    location = text("save_location")
    path = sf.when(location.startswith(SAVED_IN), sf.substr(location, sf.lit(len(SAVED_IN) + 1))).otherwise(location)
    return parsed.select(
        *carried(parsed),
        sf.col("_row.index").alias("ind"),
        text("unique_id").alias("unique_id"),
        text("title").alias("title"),
        text("description").alias("description"),
        count.alias("follower_count"),
        text("poster_name").alias("poster_name"),
        tags().alias("tag_list"),
        text("is_image_or_video").alias("is_image_or_video"),
        text("image_src").alias("image_src"),
        flag("downloaded").alias("downloaded"),
        path.alias("save_location"),
        text("category").alias("category"),
        defects(
            follower_count=count_text.isNotNull() & count.isNull(),
            downloaded=wire("downloaded").isNotNull() & flag("downloaded").isNull(),
        ),
    )


def clean_geo(parsed: DataFrame) -> DataFrame:
    latitude, longitude = sf.col("_row.latitude"), sf.col("_row.longitude")
    both = latitude.isNotNull() & longitude.isNotNull()
    return parsed.select(
        *carried(parsed),
        sf.col("_row.ind").alias("ind"),
        text("country").alias("country"),
        sf.when(both, sf.array(latitude, longitude)).alias("coordinates"),
        moment("timestamp").alias("timestamp"),
        defects(timestamp=text("timestamp").isNotNull() & moment("timestamp").isNull()),
    )


def clean_user(parsed: DataFrame) -> DataFrame:
    name = sf.concat_ws(" ", text("first_name"), text("last_name"))
    return parsed.select(
        *carried(parsed),
        sf.col("_row.ind").alias("ind"),
        sf.when(name != "", name).alias("user_name"),
        sf.col("_row.age").alias("age"),
        moment("date_joined").alias("date_joined"),
        defects(date_joined=text("date_joined").isNotNull() & moment("date_joined").isNull()),
    )


CLEANERS = {"pin": clean_pin, "geo": clean_geo, "user": clean_user}
