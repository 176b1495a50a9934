"""Ranges of Kafka offsets, as Airflow hands them over and as Delta can skip files by them."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as sf

from pinterest_spark.rows.schemas import TABLES


@dataclass(frozen=True)
class OffsetRange:
    """The records of one partition from the first to the last offset, both included.

    A topic that was created again has other records at the same offsets; the bounds of their Kafka timestamp, both
    included and with a time zone, tell them apart. None is no bound.
    """

    partition: int
    first_offset: int
    last_offset: int
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.partition < 0 or not 0 <= self.first_offset <= self.last_offset:
            raise ValueError(f"{self} is no range: expected partition >= 0 and 0 <= first_offset <= last_offset.")

    def holds(self, of: str) -> Column:
        offset, timestamp = sf.col(f"{of}offset"), sf.col(f"{of}kafka_timestamp")
        inside = (sf.col(f"{of}partition") == self.partition) & offset.between(self.first_offset, self.last_offset)
        inside = inside & (timestamp >= sf.lit(self.since)) if self.since else inside
        return inside & (timestamp <= sf.lit(self.until)) if self.until else inside


def is_within(topic: str, ranges: list[OffsetRange], of: str = "") -> Column:
    """Say whether a bronze row (of the alias ``of``) lies in one of the ranges.

    The bounds are literals, so that Delta reads only the files that can hold such rows.
    """
    within = (one.holds(of) for one in ranges)
    return (sf.col(f"{of}topic") == topic) & reduce(or_, within, sf.lit(False))


def read_acknowledged(text: str) -> dict[str, list[OffsetRange]]:
    """Read what Kafka acknowledged to a run, by table; a table may be missing.

    ``{"pin": {"sent_from": "2026-11-24T02:00:00+00:00", "sent_until": …, "offsets": [[partition, first, last], …]}}``
    """
    try:
        given = json.loads(text or "{}")
        ranges = {table: read_ranges(given.pop(table, None)) for table in TABLES}
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"The object of acknowledged_uri is not what the ingestion reports: {error!r}") from error
    if given:
        raise ValueError(f"The object of acknowledged_uri names {sorted(given)}; the tables are {list(TABLES)}.")
    return ranges


def read_ranges(sent: dict[str, Any] | None) -> list[OffsetRange]:
    if not sent:
        return []
    since, until = (datetime.fromisoformat(sent[name]) for name in ("sent_from", "sent_until"))
    return [OffsetRange(partition, first, last, since=since, until=until) for partition, first, last in sent["offsets"]]
