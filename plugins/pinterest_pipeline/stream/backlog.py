"""How far the queries of a stream are behind, and how long until Kinesis drops what they have not read."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.kinesis.backlog import IteratorAge
from pinterest_pipeline.stream import tables
from pinterest_pipeline.stream.policy import Backlog, LagLimits, Level

if TYPE_CHECKING:
    from pinterest_pipeline.kinesis.hook import KinesisStreamHook

log = logging.getLogger(__name__)


def read_backlogs(kinesis: "KinesisStreamHook", database: tables.Database, streams: Mapping[str, str]) -> list[Backlog]:
    """Measure the backlog of each query; a stream that does not exist has none.

    The shards tell it, after what is committed of each. CloudWatch's iterator age, of all readers together, stands in
    where they cannot be read: readers at the limit of five reads a second throttle this one, too.

    :param streams: Kinesis stream by query. Each costs three requests and about two a shard.
    """
    found = []
    for query, stream in streams.items():
        if (description := kinesis.find(stream)) is None:
            log.warning("Stream %s does not exist: DAG pinterest_kinesis_streams creates it", stream)
            continue
        age = age_of(kinesis, stream, tables.read_positions(database, stream))
        found.append(Backlog(query, stream, age.milliseconds, description.retention_hours, age.source))
    return found


def age_of(kinesis: "KinesisStreamHook", stream: str, positions: Mapping[str, str]) -> IteratorAge:
    try:
        return IteratorAge(kinesis.milliseconds_behind_latest(stream, positions), "shards")
    except TransientError as error:
        log.warning("The shards of %s could not be read, CloudWatch is asked: %s", stream, error)
        return kinesis.iterator_age(stream)


def check_backlogs(
    kinesis: "KinesisStreamHook", database: tables.Database, streams: Mapping[str, str], limits: LagLimits
) -> list[Backlog]:
    """Measure each backlog, record it in ``stream.lag``, log it as the metric ``stream_lag``, and warn."""
    backlogs = read_backlogs(kinesis, database, streams)
    tables.write_lag(database, backlogs, limits)
    for backlog in backlogs:
        level = backlog.level(limits)
        line = "stream_lag query=%s lag_ms=%s hours_left=%s level=%r: %s"
        values = backlog.query, backlog.lag_ms, backlog.hours_left, str(level), backlog
        log.log(logging.INFO if level is Level.KEEPS_UP else logging.WARNING, line, *values)
    return backlogs
