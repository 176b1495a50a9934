"""Kinesis Data Streams: typed descriptions, changes to streams, PutRecords in full requests, and how far readers are.

Limits, beside those in ``kinesis_api.py``: 20 DescribeStreamSummary, 10 UpdateShardCount and 5 of each other change a
second and account; 1,000 records/s or 1 MiB/s into a shard; 5 GetRecords a second and shard, shared by all readers.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from botocore.config import Config

from pinterest_pipeline.common.aws_hook import BoundedAwsHook
from pinterest_pipeline.common.concurrency import MAX_IN_FLIGHT, require_between
from pinterest_pipeline.common.errors import PermanentError, PipelineError
from pinterest_pipeline.kinesis.backlog import (
    IteratorAge,
    ReadUpTo,
    first_unread,
    incoming_query,
    incoming_records,
    iterator_age_query,
    newest_value,
    utc_now,
)
from pinterest_pipeline.kinesis.batches import Bounds
from pinterest_pipeline.kinesis.errors import calling, is_too_large
from pinterest_pipeline.kinesis.model import (
    OLD_MAX_PUT_BYTES,
    FailedRecord,
    PutResult,
    Shard,
    StreamDescription,
    StreamRecord,
    UnreadShard,
    age_milliseconds,
    named,
    shard_from,
    short_name,
    stream_from,
)
from pinterest_pipeline.kinesis.producer import Putting, RequestTooLargeError

SHARDS_AT_ONCE = 8
PUTTING = Config(retries={"total_max_attempts": 1}, max_pool_connections=MAX_IN_FLIGHT)  # we count our own attempts


class KinesisStreamHook(BoundedAwsHook):
    """Describe, change, fill and watch data streams.

    A stream is given by its name, or, one of another account, by its ARN. Every method raises
    :class:`TransientError` when the same call may succeed later, :class:`PermanentError` when not.
    Constructor arguments are those of ``AwsBaseHook``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "kinesis"
        super().__init__(*args, **kwargs)
        self._stopped = threading.Event()

    def test_connection(self) -> tuple[bool, str]:
        """Ask Kinesis for its streams; the provider's own test asks STS, which proves less."""
        try:
            with calling("testing the connection"):
                count = len(self.conn.list_streams()["StreamNames"])
        except PipelineError as error:
            return False, str(error)
        return True, f"Kinesis in {self.conn.meta.region_name} answers: {count} streams"

    def find(self, name: str) -> StreamDescription | None:
        """Return the stream with its tags, or None where there is none; two requests."""
        with calling(f"describing stream {name}"):
            try:
                summary = self.conn.describe_stream_summary(**named(name))["StreamDescriptionSummary"]
                tags = dict(self._tags(name))
            except self.conn.exceptions.ResourceNotFoundException:
                return None
        return stream_from(summary, tags)

    def _tags(self, name: str) -> Iterator[tuple[str, str]]:
        start: dict[str, str] = {}
        while True:
            page = self.conn.list_tags_for_stream(**named(name), **start)
            yield from ((tag["Key"], tag.get("Value", "")) for tag in page["Tags"])
            if not page["HasMoreTags"]:
                return
            start = {"ExclusiveStartTagKey": page["Tags"][-1]["Key"]}

    def list_shards(self, name: str) -> tuple[Shard, ...]:
        """Return every shard that still holds records, open and closed; one request per 1,000."""
        shards: list[Shard] = []
        request: dict[str, Any] = named(name)
        while request:
            with calling(f"listing the shards of stream {name}"):
                page = self.conn.list_shards(**request)
            shards.extend(map(shard_from, page["Shards"]))
            request = {"NextToken": page["NextToken"]} if page.get("NextToken") else {}
        return tuple(shards)

    def change(self, operation: str, stream: str, **arguments: Any) -> None:
        """Begin one change of a stream, by boto3's name for it; the service carries it out in the background.

        :param stream: Name or ARN of the stream; ``arguments`` hold what the operation wants beside it.
        """
        if "StreamName" in arguments:
            del arguments["StreamName"]
            arguments |= named(stream)
        with calling(f"{operation.replace('_', ' ')}, stream {stream}", operation):
            getattr(self.conn, operation)(**arguments)
        self.log.info("Stream %s: began %s", stream, operation.replace("_", " "))

    def unread(
        self,
        name: str,
        positions: Mapping[str, str] | None = None,
        *,
        arrived_after: datetime | None = None,
    ) -> tuple[UnreadShard, ...]:
        """Return the oldest unread record of every shard that has one, by shard id.

        :param positions: Sequence number of the last record read, by shard; with none at all, and no
            ``arrived_after``, every record counts as unread.
        :param arrived_after: For shards without a position: arrival of the last record read, to the millisecond.
        """
        read = ReadUpTo(positions or {}, arrived_after)
        shards = self.list_shards(name)
        with (
            calling(f"looking for unread records in stream {name}"),
            ThreadPoolExecutor(SHARDS_AT_ONCE, thread_name_prefix="kinesis-read") as pool,
        ):
            found = list(pool.map(lambda shard: first_unread(self.conn, name, shard, read), shards))
        return tuple(sorted(shard for shard in found if shard))

    def milliseconds_behind_latest(
        self,
        name: str,
        positions: Mapping[str, str] | None = None,
        *,
        arrived_after: datetime | None = None,
    ) -> int:
        """Return the age of the oldest unread record, 0 where all is read; parameters as of :meth:`unread`."""
        return age_milliseconds(self.unread(name, positions, arrived_after=arrived_after), utc_now())

    def iterator_age(self, name: str, read: ReadUpTo | None = None) -> IteratorAge:
        """Return how far readers are behind: from CloudWatch, or from the shards where that has no value.

        :param read: How far they are, for the shards; None = not known.
        """
        with calling(f"asking CloudWatch for the iterator age of stream {name}"):
            age = newest_value(self._cloudwatch.conn.get_metric_data(**iterator_age_query(short_name(name), utc_now())))
        if age is not None:
            return IteratorAge(age, "cloudwatch")
        if read is None:
            return IteratorAge(None, "nothing")
        behind = self.milliseconds_behind_latest(name, read.positions, arrived_after=read.last_arrival)
        return IteratorAge(behind, "shards")

    def incoming_records(self, name: str, since: datetime, until: datetime) -> int | None:
        """Return how many records arrived in a time, in whole hours, by CloudWatch; None where it does not know."""
        with calling(f"asking CloudWatch for the records that arrived at stream {name}"):
            response = self._cloudwatch.conn.get_metric_data(**incoming_query(name, since, until))
        return incoming_records(response, since, until)

    def put_records(
        self,
        name: str,
        records: Iterable[StreamRecord],
        *,
        max_in_flight: int = 4,
        max_attempts: int = 40,
        bounds: Bounds | None = None,
        on_failed: Callable[[FailedRecord], None] | None = None,
        log_level: int = logging.INFO,
    ) -> PutResult:
        """Put records, in requests as full as the service allows, and send again those that fail in passing.

        Records are read by the calling thread, as they can be sent: at most two requests and what is in flight are
        held. A request goes when it is full or ``records`` ends. **PutRecords keeps no order**, and neither does
        sending again: readers take the latest of a key by what the record says, not by its place. A request without an
        answer may have been carried out and is sent again, so readers must also bear a record twice.

        :param max_in_flight: 1 to 16 requests at a time.
        :param max_attempts: Per record, the first included. With the default the last starts after about two minutes.
        :param bounds: What a request may carry, in place of the service's limits. One that the service finds too large
            or does not answer is sent again in smaller ones, down to 1 MiB.
        :param on_failed: Told of each record that is not delivered (too large, or refused in all attempts while others
            of its requests were taken) as it happens, instead of ``PutResult.failed``.
        :param log_level: Of the one line that a call logs; ``logging.DEBUG`` for a caller with many small ones.
        :raises PermanentError: missing stream, refused access, an unusable KMS key.
        :raises TransientError: no answer, a throttled shard, or many records refused, in all attempts; or :meth:`stop`.
        """
        require_between("max_in_flight", max_in_flight, MAX_IN_FLIGHT)
        with calling(f"connecting to put into stream {name}"):
            client = self._putting
        putting = Putting(
            partial(self._put_request, client, name),
            name,
            bounds=bounds or Bounds(),
            max_in_flight=max_in_flight,
            max_attempts=max_attempts,
            on_failed=on_failed,
            stopped=self._stopped,
        )
        result = putting.run(records)
        self.log.log(
            log_level,
            "Stream %s: %d records, %d failed, %d requests, %d records sent again, %d bytes in %d ms",
            name,
            result.records,
            result.failed_count,
            result.requests,
            result.retried,
            result.sent_bytes,
            result.milliseconds,
        )
        return result

    @cached_property
    def _putting(self) -> Any:
        """One client for all calls: making one costs 50 ms of CPU and a check of the connection."""
        return self.get_client_type(region_name=self.region_name, config=self.config.merge(PUTTING))

    def stop(self) -> None:
        """Let requests in flight end, and end a running :meth:`put_records` with an error."""
        self._stopped.set()

    @staticmethod
    def _put_request(client: Any, name: str, records: Sequence[StreamRecord]) -> Mapping[str, Any]:
        """Make one PutRecords request, once."""
        entries = [entry(record) for record in records]
        try:
            with calling(f"putting {len(records)} records into stream {name}"):
                answer: Mapping[str, Any] = client.put_records(**named(name), Records=entries)
        except PermanentError as error:
            if is_too_large(error) and sum(record.size_bytes for record in records) > OLD_MAX_PUT_BYTES:
                raise RequestTooLargeError(str(error)) from error
            raise
        return answer


def entry(record: StreamRecord) -> dict[str, Any]:
    """Return a record as PutRecords takes it."""
    where = {} if record.explicit_hash_key is None else {"ExplicitHashKey": str(record.explicit_hash_key)}
    return {"Data": record.data, "PartitionKey": record.partition_key, **where}
