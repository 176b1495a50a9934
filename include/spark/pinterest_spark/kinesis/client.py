"""The four Kinesis calls the source needs, with time limits, and bounded retries with jitter.

Permissions: ``kinesis:DescribeStreamSummary``, ``ListShards``, ``GetShardIterator``, ``GetRecords``. Credentials,
region and endpoint come from the options, else from where boto3 looks for them.
"""

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, ResponseStreamingError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from pinterest_spark.errors import StageError, TransientSourceError
from pinterest_spark.kinesis.options import KinesisOptions
from pinterest_spark.kinesis.shards import Shard

CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS = 5, 20
RETRY_SECONDS = 30.0  # of trying one call, before the query is let fail and its supervisor starts it again
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.2, 5.0
THROTTLED = frozenset({
    "ProvisionedThroughputExceededException", "LimitExceededException", "KMSThrottlingException",
    "ThrottlingException", "Throttling", "RequestLimitExceeded", "TooManyRequestsException",
})  # fmt: skip
SERVER_ERRORS = frozenset({"InternalFailure", "InternalFailureException", "InternalServerError", "ServiceUnavailable"})
HTTP_SERVER_ERROR = 500
UNREACHABLE = (BotocoreConnectionError, HTTPClientError, ResponseStreamingError)
MAX_SHARDS_PER_LIST = 1000  # ListShards' default; it goes on by token

log = logging.getLogger(__name__)


class ExpiredIteratorError(Exception):
    """A shard iterator was older than five minutes: take a new one from the last sequence number."""


class UnknownPositionError(Exception):
    """The service knows the stream but not the shard, or not the sequence number in it."""


@dataclass(frozen=True)
class StreamDescription:
    name: str
    created_ms: int
    retention_ms: int


@dataclass(frozen=True)
class Fetch:
    """One GetRecords answer. ``iterator`` is empty at the end of a closed shard; ``behind_ms`` is to the tip."""

    records: list[dict[str, Any]]
    iterator: str
    behind_ms: int


class KinesisClient:
    """The calls for one stream. ``counts`` says what was done: calls, retries, throttled, unreachable."""

    def __init__(self, options: KinesisOptions) -> None:
        self.options = options
        import boto3  # noqa: PLC0415 - most tasks make no calls, and it takes them 0.1 s to load

        self.counts = {"calls": 0, "retries": 0, "throttled": 0, "unreachable": 0}
        self.client = boto3.client(
            "kinesis",
            region_name=options.region or None,
            endpoint_url=options.endpoint_url or None,
            aws_access_key_id=options.aws_access_key or None,
            aws_secret_access_key=options.aws_secret_key or None,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                read_timeout=READ_TIMEOUT_SECONDS,
                retries={"total_max_attempts": 1},  # retried here, where it is counted and bounded by time
                tcp_keepalive=True,
                max_pool_connections=16,
            ),
        )

    def describe(self) -> StreamDescription:
        summary = self.call("describe_stream_summary", **self.options.stream)["StreamDescriptionSummary"]
        return StreamDescription(
            name=summary["StreamName"],
            created_ms=to_ms(summary["StreamCreationTimestamp"]),
            retention_ms=summary["RetentionPeriodHours"] * 3_600_000,
        )

    def list_shards(self) -> list[Shard]:
        """Return every shard that is open or not expired, over all pages."""
        found: list[Shard] = []
        request: dict[str, Any] = {**self.options.stream, "MaxResults": MAX_SHARDS_PER_LIST}
        while True:
            page = self.call("list_shards", **request)
            for one in page["Shards"]:
                parents = (one.get("ParentShardId"), one.get("AdjacentParentShardId"))
                found.append(Shard(one["ShardId"], tuple(parent for parent in parents if parent)))
            if not page.get("NextToken"):
                return found
            request = {"NextToken": page["NextToken"], "MaxResults": MAX_SHARDS_PER_LIST}

    def iterator(self, shard_id: str, where: Mapping[str, Any]) -> str:
        """Return an iterator; ``where`` is the ShardIteratorType and what belongs to it.

        :raises UnknownPositionError: no such shard, or no such sequence number in it.
        """
        answer = self.call("get_shard_iterator", **self.options.stream, ShardId=shard_id, **where)
        return str(answer["ShardIterator"])

    def get_records(self, iterator: str, limit: int) -> Fetch:
        """Read at most ``limit`` records (10,000, and the service sends at most 10 MB).

        :raises ExpiredIteratorError: the iterator is too old.
        """
        answer = self.call("get_records", ShardIterator=iterator, Limit=limit)
        return Fetch(answer["Records"], answer.get("NextShardIterator") or "", answer.get("MillisBehindLatest") or 0)

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Make one call, again after throttling, server errors and lost connections, for ``RETRY_SECONDS``.

        :raises TransientSourceError: it still fails then.
        :raises StageError: the service says that the request can never succeed.
        """
        deadline = time.monotonic() + RETRY_SECONDS
        attempt = 0
        while True:
            self.counts["calls"] += 1
            try:
                answer: dict[str, Any] = getattr(self.client, operation)(**request)
            except (ClientError, *UNREACHABLE) as error:
                self.count_or_raise(operation, request, error)
                delay = backoff_seconds(attempt)
                if time.monotonic() + delay > deadline:
                    raise TransientSourceError(
                        f"Kinesis {operation} on {self.options.stream_name} at {self.client.meta.endpoint_url} failed "
                        f"{attempt + 1} times in {RETRY_SECONDS:g} s, last with: {error}. The query goes on from its "
                        "checkpoint when it is started again."
                    ) from error
                attempt += 1
                self.counts["retries"] += 1
                log.warning("Kinesis %s on %s, attempt %s: %s", operation, self.options.stream_name, attempt, error)
                time.sleep(delay)
            else:
                return answer

    def count_or_raise(self, operation: str, request: Mapping[str, Any], error: Exception) -> None:
        """Count an error that trying again may help; raise what it means when not."""
        if not isinstance(error, ClientError):
            self.counts["unreachable"] += 1
            return
        code = error.response["Error"]["Code"]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in THROTTLED:
            self.counts["throttled"] += 1
        elif code in SERVER_ERRORS or status >= HTTP_SERVER_ERROR:
            pass
        elif code == "ExpiredIteratorException":
            raise ExpiredIteratorError from error
        elif code in ("ResourceNotFoundException", "InvalidArgumentException") and operation == "get_shard_iterator":
            raise UnknownPositionError(f"{request['ShardId']} of {self.options.stream_name}: {error}") from error
        else:
            raise StageError(
                f"Kinesis refused {operation} on {self.options.stream_name} at {self.client.meta.endpoint_url}: "
                f"{error}. Check streamName, region, endpointUrl and what the role may do."
            ) from error


def backoff_seconds(attempt: int) -> float:
    """Return how long to wait before the next attempt: exponential, with full jitter, never under 50 ms."""
    longest = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**attempt)
    return max(0.05, random.uniform(0, longest))  # noqa: S311 - jitter


def to_ms(moment: datetime) -> int:
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
