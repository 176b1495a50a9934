"""A stream of a test's own, and an independent reader of it: plain boto3."""

import time
import uuid
from typing import Any

import boto3


class KinesisLab:
    """Streams named for one test; those that it leaves behind are deleted."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.client: Any = boto3.client(
            "kinesis",
            endpoint_url=environment["AWS_ENDPOINT_URL_KINESIS"],
            region_name=environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )
        self.name = f"test-{uuid.uuid4().hex[:12]}"

    def create(self, shards: int = 2) -> str:
        """Create the stream and return its name once it is ACTIVE."""
        self.client.create_stream(StreamName=self.name, ShardCount=shards)
        deadline = time.monotonic() + 60
        while self.summary()["StreamStatus"] != "ACTIVE":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self.name

    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = self.client.describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"]
        return summary

    def records(self) -> list[dict[str, Any]]:
        """Return every record of every shard, open and closed, with its shard."""
        found: list[dict[str, Any]] = []
        for shard in self.client.list_shards(StreamName=self.name)["Shards"]:
            where = {"StreamName": self.name, "ShardId": shard["ShardId"]}
            iterator = self.client.get_shard_iterator(**where, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            while iterator:
                page = self.client.get_records(ShardIterator=iterator, Limit=10_000)
                found.extend({**record, "ShardId": shard["ShardId"]} for record in page["Records"])
                iterator = page.get("NextShardIterator") if page["Records"] or page["MillisBehindLatest"] else None
        return found

    def delete(self) -> None:
        try:
            self.client.delete_stream(StreamName=self.name, EnforceConsumerDeletion=True)
        except self.client.exceptions.ResourceNotFoundException:
            return
