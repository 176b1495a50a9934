"""Which rows cannot be used, and why: rules as data, in the order in which they are named.

``refine`` is the one door of the batch and of the stream: raw records in, validated and cleaned rows out.
"""

from dataclasses import dataclass
from functools import cache, reduce
from operator import and_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

from pinterest_spark.rows.cleaning import clean, tidy
from pinterest_spark.rows.parsing import NOT_JSON, parse
from pinterest_spark.rows.schemas import WIRE, WIRE_DATES, WIRE_KEY

EARLIEST = "2005-01-01T00:00:00Z"
AGES = (13, 120)  # years, both included
OTHER_TABLE = "record of another table"


@dataclass(frozen=True)
class Rule:
    """A reason to reject a row; a condition that is NULL does not reject."""

    reason: str
    condition: Column


def rules(table: str) -> list[Rule]:
    """Return the rules of a table over tidied rows, ``_wrong``, ``_payload`` and ``_arrived_at``."""
    key = WIRE_KEY[table]
    found = [
        Rule("empty record", sf.col("_payload").isNull() | (sf.trim("_payload") == "")),
        Rule("unparsable JSON", sf.array_contains("_wrong", NOT_JSON)),
        Rule(OTHER_TABLE, is_of_another_table(table)),
        Rule(f"wrong type in {key}", sf.array_contains("_wrong", key)),
        Rule(f"no {key}", sf.col(key).isNull()),
        Rule(f"{key} below 0", sf.col(key) < 0),
    ]
    if table == "geo":
        found += [
            Rule("latitude outside -90..90", ~sf.col("latitude").between(-90, 90)),
            Rule("longitude outside -180..180", ~sf.col("longitude").between(-180, 180)),
        ]
    if table == "user":
        found.append(Rule("age outside 13..120", ~sf.col("age").between(*AGES)))
    found += [
        Rule(f"{name} outside 2005..tomorrow", is_out_of_time(sf.col(f"_instant_{name}"))) for name in WIRE_DATES[table]
    ]
    return found


def is_of_another_table(table: str) -> Column:
    """Say whether a record has no column of the table but the key, and has some of another table.

    ``geo`` and ``user`` share the name of their key: a record in the wrong topic or stream would be a row of NULLs.
    The names in the payload decide, so that a row whose values are all unknown is one; they are only looked for where
    the row has no value at all, since that reads the payload once more.
    """
    key = WIRE_KEY[table]
    own = [name for name in WIRE[table].names if name != key]
    foreign = [name for other in WIRE for name in WIRE[other].names if name not in WIRE[table].names]
    has_nothing = reduce(and_, (sf.col(name).isNull() for name in own))
    given = sf.json_object_keys("_payload")
    has_names = [sf.arrays_overlap(given, sf.array(*map(sf.lit, names))) for names in (foreign, own)]
    return sf.when(has_nothing, has_names[0] & ~has_names[1]).otherwise(sf.lit(False))


def is_out_of_time(value: Column) -> Column:
    """Say whether a date lies before 2005 or after the day that follows the record's arrival.

    "Tomorrow" is taken from the record, never from the clock: the same record is validated the same in every rerun.
    """
    end_of_tomorrow = sf.timestamp_seconds(sf.floor(sf.unix_seconds("_arrived_at") / 86400) * 86400 + 2 * 86400)
    return (value < sf.lit(EARLIEST).cast("timestamp")) | (value >= end_of_tomorrow)


@cache  # see parsing.reading
def reject_reason(table: str) -> Column:
    """Return the first reason that applies, NULL for a row that can be used."""
    reason = sf.lit(None).cast("string")
    for rule in reversed(rules(table)):
        reason = sf.when(rule.condition, sf.lit(rule.reason)).otherwise(reason)
    return reason


def refine(records: DataFrame, table: str) -> DataFrame:
    """Parse, validate and clean raw records, one row out for each row in.

    In: ``_payload`` string, ``_arrived_at`` timestamp (Kafka's timestamp, Kinesis' arrival), other columns with a
    leading underscore. Out: all of those, ``_reject_reason`` string, the table's silver columns, ``_defects`` array of
    names (empty for a rejected row: its reason says it all).
    """
    validated = tidy(parse(records, table), table).withColumn("_reject_reason", reject_reason(table))
    return clean(validated, table).withColumn("_defects", defects_of_accepted())


@cache
def defects_of_accepted() -> Column:
    return sf.when(sf.col("_reject_reason").isNull(), sf.col("_defects")).otherwise(sf.array().cast("array<string>"))
