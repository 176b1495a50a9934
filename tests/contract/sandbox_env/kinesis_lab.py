"""Kinesis as a client knows it that we did not write: boto3, and streams of a test's own."""

import time
import uuid
from collections.abc import Iterable
from typing import Any

import boto3
from botocore.config import Config


def client_of(environment: dict[str, str], url: str | None = None) -> Any:
    """Return a boto3 client that tries once, so that a test sees every failure."""
    return boto3.client(
        "kinesis",
        endpoint_url=url or environment["AWS_ENDPOINT_URL_KINESIS"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1}),
    )


def create(client: Any, **arguments: Any) -> str:
    """Create a stream (one shard unless told otherwise), wait until it is ACTIVE, and return its name."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    client.create_stream(StreamName=name, **(arguments or {"ShardCount": 1}))
    active(client, name)
    return name


def active(client: Any, name: str, seconds: float = 30) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while (stream := client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"])[
        "StreamStatus"
    ] != "ACTIVE":
        assert time.monotonic() < deadline, stream
        time.sleep(0.05)
    return stream


def put(client: Any, name: str, texts: Iterable[str]) -> list[dict[str, Any]]:
    """Put each text under itself as the partition key; return the results, all of them successes."""
    records = [{"Data": text.encode(), "PartitionKey": text} for text in texts]
    answer = client.put_records(StreamName=name, Records=records)
    assert answer["FailedRecordCount"] == 0
    return answer["Records"]


def read(client: Any, name: str) -> list[tuple[str, str, str]]:
    """Return shard, sequence number and text of all records, shard by shard, each shard to its end."""
    found = []
    for shard in client.list_shards(StreamName=name)["Shards"]:
        iterator = client.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = client.get_records(ShardIterator=iterator)
            found += [(shard["ShardId"], r["SequenceNumber"], r["Data"].decode()) for r in answer["Records"]]
            iterator = answer.get("NextShardIterator") if answer["Records"] else None
    return found


def texts_in(client: Any, name: str) -> list[str]:
    return sorted(text for _, _, text in read(client, name))
