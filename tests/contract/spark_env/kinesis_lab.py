"""A Kinesis stream of a test's own: made, written to, resharded and read back by boto3 alone."""

import time
import uuid
from contextlib import suppress
from typing import Any

import boto3


class KinesisLab:
    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self.client = boto3.client("kinesis", endpoint_url=endpoint_url)
        self.name = f"source-test-{uuid.uuid4().hex[:8]}"

    def create(self, shard_count: int) -> None:
        self.client.create_stream(StreamName=self.name, ShardCount=shard_count)
        self.settle()

    def delete(self) -> None:
        with suppress(self.client.exceptions.ResourceNotFoundException):
            self.client.delete_stream(StreamName=self.name)
            while True:
                self.client.describe_stream_summary(StreamName=self.name)
                time.sleep(0.05)

    def settle(self) -> None:
        """Wait until the stream is ACTIVE."""
        deadline = time.monotonic() + 30
        while self.summary()["StreamStatus"] != "ACTIVE":
            assert time.monotonic() < deadline, self.summary()
            time.sleep(0.05)

    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = self.client.describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"]
        return summary

    def scale(self, shard_count: int) -> None:
        self.client.update_shard_count(
            StreamName=self.name, TargetShardCount=shard_count, ScalingType="UNIFORM_SCALING"
        )
        self.settle()

    def put(self, *values: str | bytes, key: str | None = None) -> list[dict[str, Any]]:
        """Put records, keyed by their own text unless a key is given, until each is taken; return where each went."""
        data = [value.encode() if isinstance(value, str) else value for value in values]
        taken: dict[int, dict[str, Any]] = {}
        deadline = time.monotonic() + 60
        while left := [at for at in range(len(data)) if at not in taken][:500]:
            records = [{"Data": data[at], "PartitionKey": key or data[at].decode()} for at in left]
            answers = self.client.put_records(StreamName=self.name, Records=records)["Records"]
            taken |= {at: answer for at, answer in zip(left, answers, strict=True) if "SequenceNumber" in answer}
            assert time.monotonic() < deadline, answers
        return [taken[at] for at in range(len(data))]

    def shards(self) -> list[dict[str, Any]]:
        shards: list[dict[str, Any]] = self.client.list_shards(StreamName=self.name)["Shards"]
        return shards
