"""Kinesis Data Streams as typed values, and what the service allows: nothing here talks to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

# Limits of the service: docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
MAX_RECORDS_PER_PUT = 500
MAX_PUT_BYTES = 10 * 1024 * 1024  # since October 2025
OLD_MAX_PUT_BYTES = 5 * 1024 * 1024  # before, and still in some regions
DEFAULT_MAX_RECORD_BYTES = 1024 * 1024  # data and partition key, unless the stream is set to take more
MAX_RECORD_BYTES = 10 * 1024 * 1024  # what a stream can be set to take, since October 2025
MAX_HASH_KEY = 2**128 - 1
MAX_PARTITION_KEY_CHARACTERS = 256
RETENTION_HOURS = range(24, 8760 + 1)
MAX_SHARDS_BY_UPDATE = 10_000
MAX_SHARD_UPDATES_PER_DAY = 10  # per stream, in a rolling 24 h
MAX_TAGS = 50


class Mode(StrEnum):
    """Who decides on the number of shards."""

    ON_DEMAND = "ON_DEMAND"
    PROVISIONED = "PROVISIONED"


class StreamStatus(StrEnum):
    """What the service says of a stream; its settings can be changed only while it is ACTIVE."""

    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    UPDATING = "UPDATING"
    DELETING = "DELETING"


@dataclass(frozen=True)
class StreamDescription:
    """A stream as DescribeStreamSummary and ListTagsForStream report it.

    :param status: A :class:`StreamStatus`; a text, since the service may add to them.
    :param encryption: ``NONE`` or ``KMS``; ``key_id`` names the key as it was given to the service.
    :param consumer_count: Registered consumers (enhanced fan-out); readers that poll are not among them.
    """

    name: str
    arn: str
    status: str
    mode: str
    open_shard_count: int
    retention_hours: int
    encryption: str
    key_id: str | None = None
    consumer_count: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES


@dataclass(frozen=True)
class Shard:
    """One shard, open or closed."""

    shard_id: str
    starting_sequence_number: str


class StreamRecord(NamedTuple):
    """A record to put.

    :param partition_key: 1 to 256 characters; records of one key share a shard.
    :param explicit_hash_key: 0 to 2**128 - 1, which chooses the shard in place of the partition key's hash.
    """

    partition_key: str
    data: bytes
    explicit_hash_key: int | None = None

    @property
    def size_bytes(self) -> int:
        """What counts against the limits of the service."""
        return len(self.partition_key.encode()) + len(self.data)


class FailedRecord(NamedTuple):
    """A record that was not delivered, and why.

    :param error_code: The service's; None where we refused the record ourselves.
    """

    record: StreamRecord
    reason: str
    error_code: str | None = None


class SequenceRange(NamedTuple):
    """First and last sequence number acknowledged in one shard; between them may be other producers' records."""

    shard_id: str
    first_sequence_number: str
    last_sequence_number: str


@dataclass(frozen=True)
class PutResult:
    """What became of the records of one ``put_records`` call; ``records`` + ``failed_count`` = records given.

    :param records: Records that the stream has, by the service's word, each counted once.
    :param requests: PutRecords requests made.
    :param retried: Records sent again after a failure, counted each time.
    :param failed: The first 10,000 records given up; none where ``on_failed`` took them.
    :param sent_records: Records in all requests, repetitions included: over ``500 * requests`` it tells how full the
        requests were.
    :param sent_bytes: Their data and partition keys.
    """

    records: int
    requests: int
    retried: int
    failed: tuple[FailedRecord, ...]
    failed_count: int
    sent_records: int
    sent_bytes: int
    milliseconds: float
    shards: tuple[SequenceRange, ...]


class UnreadShard(NamedTuple):
    """The oldest record of a shard that comes after what has been read."""

    shard_id: str
    sequence_number: str
    arrived_at: datetime


def named(stream: str) -> dict[str, str]:
    """Return how a request names a stream: by its ARN, which streams of other accounts need, or by its name."""
    return {"StreamARN": stream} if stream.startswith("arn:") else {"StreamName": stream}


def short_name(stream: str) -> str:
    """Return the name of a stream that was given by name or ARN."""
    return stream.rpartition("/")[2]


def stream_from(summary: Mapping[str, Any], tags: Mapping[str, str]) -> StreamDescription:
    """Read ``StreamDescriptionSummary``; a service without capacity modes has provisioned streams only."""
    return StreamDescription(
        name=summary["StreamName"],
        arn=summary["StreamARN"],
        status=summary["StreamStatus"],
        mode=summary.get("StreamModeDetails", {}).get("StreamMode", Mode.PROVISIONED.value),
        open_shard_count=summary["OpenShardCount"],
        retention_hours=summary["RetentionPeriodHours"],
        encryption=summary.get("EncryptionType", "NONE"),
        key_id=summary.get("KeyId"),
        consumer_count=summary.get("ConsumerCount", 0),
        tags=dict(tags),
        max_record_bytes=summary.get("MaxRecordSizeInKiB", DEFAULT_MAX_RECORD_BYTES // 1024) * 1024,
    )


def shard_from(shard: Mapping[str, Any]) -> Shard:
    return Shard(shard["ShardId"], shard["SequenceNumberRange"]["StartingSequenceNumber"])


def age_milliseconds(unread: tuple[UnreadShard, ...], now: datetime) -> int:
    """Return the age of the oldest unread record, 0 where all is read."""
    if not unread:
        return 0
    oldest = min(shard.arrived_at for shard in unread)
    return max(0, (now - oldest) // timedelta(milliseconds=1))
