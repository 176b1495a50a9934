"""Kinesis as a client knows it that we did not write: boto3, streams of a test's own, and the fault proxy."""

import json
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.request import Request, urlopen

from tests.support.waiting import wait_until


def client_of(environment: Mapping[str, str], url: str | None = None, tries: int = 1) -> Any:
    """Return a boto3 client that by default tries once, so that a test sees every failure."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "kinesis",
        endpoint_url=url or environment["AWS_ENDPOINT_URL_KINESIS"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": tries}),
    )


def create(client: Any, **arguments: Any) -> str:
    """Create a stream (one shard unless the arguments say otherwise), wait until it is ACTIVE, and return its name."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    client.create_stream(StreamName=name, **(arguments or {"ShardCount": 1}))
    active(client, name)
    return name


def summary_of(client: Any, name: str) -> dict[str, Any]:
    summary: dict[str, Any] = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    return summary


def active(client: Any, name: str, seconds: float = 60) -> dict[str, Any]:
    """Return the summary of a stream once it is ACTIVE."""

    def found() -> dict[str, Any] | None:
        summary = summary_of(client, name)
        return summary if summary["StreamStatus"] == "ACTIVE" else None

    summary: dict[str, Any] = wait_until(found, seconds, lambda: f"{name} is ACTIVE: {summary_of(client, name)}")
    return summary


def put(client: Any, name: str, texts: Iterable[str]) -> list[dict[str, Any]]:
    """Put each text under itself as the partition key; return the results, all of them successes."""
    records = [{"Data": text.encode(), "PartitionKey": text} for text in texts]
    answer = client.put_records(StreamName=name, Records=records)
    assert answer["FailedRecordCount"] == 0
    results: list[dict[str, Any]] = answer["Records"]
    return results


def records_of(client: Any, name: str) -> list[dict[str, Any]]:
    """Return every record of every shard, open and closed, shard by shard, with its ``ShardId``."""
    found: list[dict[str, Any]] = []
    for shard in client.list_shards(StreamName=name)["Shards"]:
        where = {"StreamName": name, "ShardId": shard["ShardId"]}
        iterator = client.get_shard_iterator(**where, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        while iterator:
            page = client.get_records(ShardIterator=iterator, Limit=10_000)
            found.extend({**record, "ShardId": shard["ShardId"]} for record in page["Records"])
            iterator = page.get("NextShardIterator") if page["Records"] or page["MillisBehindLatest"] else None
    return found


def read(client: Any, name: str) -> list[tuple[str, str, str]]:
    """Return shard, sequence number and text of all records, shard by shard, each shard to its end."""
    return [(r["ShardId"], r["SequenceNumber"], r["Data"].decode()) for r in records_of(client, name)]


def texts_in(client: Any, name: str) -> list[str]:
    return sorted(text for _, _, text in read(client, name))


class KinesisLab:
    """A stream of one test's own, which ``create`` makes and ``delete`` takes away."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.endpoint_url = environment["AWS_ENDPOINT_URL_KINESIS"]
        self.client = client_of(environment, tries=5)
        self.name = f"test-{uuid.uuid4().hex[:12]}"

    def create(self, shards: int = 2) -> str:
        """Create the stream and return its name once it is ACTIVE."""
        self.client.create_stream(StreamName=self.name, ShardCount=shards)
        active(self.client, self.name)
        return self.name

    def summary(self) -> dict[str, Any]:
        return summary_of(self.client, self.name)

    def shards(self) -> list[dict[str, Any]]:
        shards: list[dict[str, Any]] = self.client.list_shards(StreamName=self.name)["Shards"]
        return shards

    def scale(self, shards: int) -> None:
        self.client.update_shard_count(StreamName=self.name, TargetShardCount=shards, ScalingType="UNIFORM_SCALING")
        active(self.client, self.name)

    def put(self, *values: str | bytes, keys: list[str] | None = None) -> list[dict[str, Any]]:
        """Put records, keyed by their own text unless keys are given, until each is taken; return where each went."""
        data = [value.encode() if isinstance(value, str) else value for value in values]
        taken: dict[int, dict[str, Any]] = {}

        def is_taken() -> bool:
            while left := [at for at in range(len(data)) if at not in taken][:500]:
                records = [{"Data": data[at], "PartitionKey": keys[at] if keys else data[at].decode()} for at in left]
                answers = self.client.put_records(StreamName=self.name, Records=records)["Records"]
                accepted = {at: a for at, a in zip(left, answers, strict=True) if "SequenceNumber" in a}
                taken.update(accepted)
                if not accepted:
                    return False
            return True

        wait_until(is_taken, 60, lambda: f"{len(taken)} of {len(data)} records are taken")
        return [taken[at] for at in range(len(data))]

    def records(self) -> list[dict[str, Any]]:
        return records_of(self.client, self.name)

    def exists(self) -> bool:
        try:
            self.summary()
        except self.client.exceptions.ResourceNotFoundException:
            return False
        return True

    def delete(self) -> None:
        """Delete the stream where there is one, and return once it is gone."""
        with suppress(self.client.exceptions.ResourceNotFoundException):
            self.client.delete_stream(StreamName=self.name, EnforceConsumerDeletion=True)
        wait_until(lambda: not self.exists(), 30, f"{self.name} is deleted")


class KinesisFaults:
    """The fault proxy of sandbox/servers/kinesis/faults.py, in which the rules are documented."""

    def __init__(self, url: str) -> None:
        self.url = url

    def set(self, *rules: dict[str, Any]) -> None:
        """Put these rules in force, in place of the earlier ones."""
        self.request("POST", json.dumps(rules).encode())

    def clear(self) -> None:
        self.request("DELETE")

    def fired(self) -> list[dict[str, str]]:
        """Return ``operation`` and ``kind`` of each call that a rule applied to, since the rules were set."""
        calls: list[dict[str, str]] = self.request("GET")["fired"]
        return calls

    def request(self, method: str, body: bytes | None = None) -> Any:
        with urlopen(Request(f"{self.url}/_faults", data=body, method=method), timeout=10) as answer:  # noqa: S310
            return json.load(answer)
