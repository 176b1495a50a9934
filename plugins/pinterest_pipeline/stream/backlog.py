"""How far the queries of a stream are behind, and how long until Kinesis drops what they have not read."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pinterest_pipeline.kinesis.backlog import ReadUpTo
from pinterest_pipeline.stream import tables
from pinterest_pipeline.stream.policy import Backlog, LagLimits, Level

if TYPE_CHECKING:
    from pinterest_pipeline.kinesis.hook import KinesisStreamHook

log = logging.getLogger(__name__)


def read_backlogs(kinesis: "KinesisStreamHook", database: tables.Database, streams: Mapping[str, str]) -> list[Backlog]:
    """Measure the backlog of each query; a stream that does not exist has none.

    :param streams: Kinesis stream by query. Each costs two requests, one to CloudWatch, and about two a shard where
        that knows nothing.
    """
    found = []
    for query, stream in streams.items():
        if (description := kinesis.find(stream)) is None:
            log.warning("Stream %s does not exist: DAG pinterest_kinesis_streams creates it", stream)
            continue
        age = kinesis.iterator_age(stream, ReadUpTo(tables.read_positions(database, stream), None))
        found.append(Backlog(query, stream, age.milliseconds, description.retention_hours, age.source))
    return found


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
