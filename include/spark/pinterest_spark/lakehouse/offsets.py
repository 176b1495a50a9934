"""Ranges of Kafka offsets, as Airflow hands them over and as Delta can skip files by them."""

import json
from dataclasses import dataclass
from functools import reduce
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as sf

from pinterest_spark.rows.schemas import TABLES


@dataclass(frozen=True)
class OffsetRange:
    """The records of one partition from the first to the last offset, both included."""

    partition: int
    first_offset: int
    last_offset: int

    def __post_init__(self) -> None:
        if self.partition < 0 or not 0 <= self.first_offset <= self.last_offset:
            raise ValueError(f"{self} is no range: expected partition >= 0 and 0 <= first_offset <= last_offset.")


def is_within(topic: str, ranges: list[OffsetRange], of: str = "") -> Column:
    """Say whether a bronze row (of the alias ``of``) lies in one of the ranges.

    The bounds are literals, so that Delta reads only the files that can hold such rows.
    """
    partition, offset = sf.col(f"{of}partition"), sf.col(f"{of}offset")
    within = ((partition == one.partition) & offset.between(one.first_offset, one.last_offset) for one in ranges)
    return (sf.col(f"{of}topic") == topic) & reduce(or_, within, sf.lit(False))


def read_acknowledged(text: str) -> dict[str, list[OffsetRange]]:
    """Read ``{"pin": [{"partition": 0, "first_offset": 0, "last_offset": 99}, …], …}``; a table may be missing."""
    try:
        given = json.loads(text or "{}")
        ranges = {table: [OffsetRange(**one) for one in given.pop(table, None) or []] for table in TABLES}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"The widget 'acknowledged' is not what the ingestion reports: {error}") from error
    if given:
        raise ValueError(f"The widget 'acknowledged' names {sorted(given)}; the tables are {list(TABLES)}.")
    return ranges
