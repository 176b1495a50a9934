"""How far readers are behind: what comes after the place up to which they have read, shard by shard.

Reading from a shard takes part of its 5 GetRecords a second and 2 MiB/s, which it shares with the readers that are
watched; a check of a shard is mostly two requests.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.kinesis.model import Shard, UnreadShard, named

MOST_PAGES = 100  # GetRecords may answer with nothing several times on the way to the next record
RECORDS_PER_PAGE = 1000
METRIC_MAX_AGE = timedelta(minutes=5)  # older values say nothing about now
KNOWN_SINCE = timedelta(days=14)
METRIC_PERIOD_SECONDS = 60  # Kinesis publishes once a minute


class IteratorAge(NamedTuple):
    """How far behind the readers of a stream are.

    :param milliseconds: 0 where they have read all; None where nothing knows how far they are.
    :param source: ``cloudwatch``, ``shards`` or ``nothing``.
    """

    milliseconds: int | None
    source: str


class ReadUpTo(NamedTuple):
    """How far readers are: by shard where their positions are known, else by the arrival of the last record read.

    :param positions: Sequence number of the last record read, by shard id. One of before the shard began (of an
        earlier stream of the same name) does not count.
    :param last_arrival: For shards without a position; None = nothing of them was read. It tells less than a
        position: where readers are further in one shard than in another, or two records arrive in the same
        millisecond, what comes before it may still be unread.
    """

    positions: Mapping[str, str]
    last_arrival: datetime | None


def iterator_arguments(shard: Shard, read: ReadUpTo) -> dict[str, Any]:
    """Return the arguments of GetShardIterator that begin at or before the oldest unread record."""
    position = read.positions.get(shard.shard_id)
    if position and int(position) >= int(shard.starting_sequence_number):
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position}
    if read.last_arrival is not None:
        return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": read.last_arrival}
    return {"ShardIteratorType": "TRIM_HORIZON"}


def first_unread(client: Any, stream: str, shard: Shard, read: ReadUpTo) -> UnreadShard | None:
    """Return the oldest unread record of a shard, None where all is read.

    :param client: boto3's client of ``kinesis``.
    """
    arguments = iterator_arguments(shard, read)
    seen_until = milliseconds(read.last_arrival) if "Timestamp" in arguments else None
    for record in _records(client, stream, shard.shard_id, arguments):
        arrived = record["ApproximateArrivalTimestamp"]
        if seen_until is None or milliseconds(arrived) > seen_until:
            return UnreadShard(shard.shard_id, record["SequenceNumber"], arrived)
    return None


def _records(client: Any, stream: str, shard_id: str, arguments: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the records from an iterator to the tip of the shard, or to its end where it is closed."""
    limit = RECORDS_PER_PAGE if "Timestamp" in arguments else 1
    iterator = client.get_shard_iterator(**named(stream), ShardId=shard_id, **arguments)["ShardIterator"]
    by_arn = named(stream) if "StreamARN" in named(stream) else {}
    for _ in range(MOST_PAGES):
        page = client.get_records(ShardIterator=iterator, Limit=limit, **by_arn)
        yield from page["Records"]
        iterator = page.get("NextShardIterator")
        if not iterator or (not page["Records"] and not page.get("MillisBehindLatest")):
            return
    raise TransientError(
        f"stream {stream}, shard {shard_id}: its tip was not reached within {MOST_PAGES} requests: check again later"
    )


def milliseconds(moment: datetime | None) -> int:
    """Return epoch milliseconds, rounded: clients turn the service's number into a moment each in its own way."""
    return 0 if moment is None else round(moment.timestamp() * 1000)


def iterator_age_query(stream: str, now: datetime) -> dict[str, Any]:
    """Return the arguments of GetMetricData for the age of the last record that any reader was given."""
    metric = {
        "Namespace": "AWS/Kinesis",
        "MetricName": "GetRecords.IteratorAgeMilliseconds",
        "Dimensions": [{"Name": "StreamName", "Value": stream}],
    }
    statistic = {"Metric": metric, "Period": METRIC_PERIOD_SECONDS, "Stat": "Maximum"}
    return {
        "StartTime": now - METRIC_MAX_AGE,
        "EndTime": now + timedelta(seconds=METRIC_PERIOD_SECONDS),
        "MetricDataQueries": [{"Id": "age", "MetricStat": statistic}],
    }


def incoming_query(stream: str, since: datetime, until: datetime) -> dict[str, Any]:
    """Return the arguments of GetMetricData for the records that arrived by hours, from days before ``since`` on."""
    metric = {
        "Namespace": "AWS/Kinesis",
        "MetricName": "IncomingRecords",
        "Dimensions": [{"Name": "StreamName", "Value": stream}],
    }
    statistic = {"Metric": metric, "Period": 3600, "Stat": "Sum"}
    return {
        "StartTime": since.replace(minute=0, second=0, microsecond=0) - KNOWN_SINCE,
        "EndTime": until + timedelta(hours=1),
        "MetricDataQueries": [{"Id": "records", "MetricStat": statistic}],
    }


def incoming_records(response: Mapping[str, Any], since: datetime, until: datetime) -> int | None:
    """Return how many records arrived in the hours of a time; None where CloudWatch did not count the stream before it.

    CloudWatch has no value for an hour without records, so that only earlier values tell nothing from not counted.
    """
    hours = [
        (hour, value)
        for result in response.get("MetricDataResults", [])
        for hour, value in zip(result["Timestamps"], result["Values"], strict=True)
    ]
    if not any(hour <= since for hour, _ in hours):
        return None
    return int(sum(value for hour, value in hours if since - timedelta(hours=1) < hour < until))


def newest_value(response: Mapping[str, Any]) -> int | None:
    """Return the newest value of the first query, None where it has none."""
    for result in response.get("MetricDataResults", []):
        if result["Values"]:
            return int(max(zip(result["Timestamps"], result["Values"], strict=True))[1])
    return None


def utc_now() -> datetime:
    return datetime.now(UTC)
