"""PutRecords in full requests: how full they are while records fail, and how much faster they are than PutRecord.

Both go to the same Kinesis stand-in, one after the other, in alternating rounds, best of each. The requests are
counted with a tenth of every request's records refused by the fault proxy, which is when a producer that sends its
failures alone, in small requests, leaves them half empty; that is printed for comparison. Goals: >= 95 % of the record
slots of all requests used, and >= 10 x the rows/s of a PutRecord loop. Run with the airflow environment's Python:
``python benchmarks/kinesis_packing.py [rounds]``.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import batched
from urllib.request import Request, urlopen

ROWS = 10_000
ONE_BY_ONE_ROWS = 400
REQUEST_ROWS = 50_000  # the last few requests, of what is left over, are never full: enough rows that they hardly count
POST_BYTES = 700  # as the generator's posts have on average
GOAL_REQUEST = 0.95
GOAL_OVER_LOOP = 10

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="pinterest-bench-"))
os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")

from benchmarks.own_sandbox import PROJECT, PYTHON, start  # noqa: E402 - after Airflow's settings
from pinterest_pipeline.kinesis.hook import KinesisStreamHook  # noqa: E402
from pinterest_pipeline.kinesis.model import MAX_RECORDS_PER_PUT, StreamRecord  # noqa: E402


def main(rounds: int = 3) -> int:
    start("kinesis")
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = "aws://"
    stream = create()
    rates: dict[str, float] = {}
    for _ in range(rounds):
        for name, run in (("put_records", by_hook), ("PutRecord loop", one_by_one)):
            rows, seconds = run(stream)
            rates[name] = max(rates.get(name, 0), rows / seconds)
    for name, rate in rates.items():
        print(f"{name:15} {rate:8,.0f} rows/s")
    with failing() as endpoint:
        ours, alone = envelope_of_hook(stream, endpoint), envelope_of_naive(stream, endpoint)
    KinesisStreamHook().change("delete_stream", stream, StreamName=stream)
    over = rates["put_records"] / rates["PutRecord loop"]
    print(f"record slots used while a tenth of the records fails: {ours:.1%}  (goal >= {GOAL_REQUEST:.0%})")
    print(f"the same, each request's failures sent alone:         {alone:.1%}")
    print(f"put_records over PutRecord loop: {over:5.1f} x  (goal >= {GOAL_OVER_LOOP})")
    return int(over < GOAL_OVER_LOOP or ours < GOAL_REQUEST)


def posts(count: int, size: int = POST_BYTES) -> Iterator[StreamRecord]:
    return (StreamRecord(str(n), json.dumps({"index": n, "title": "x" * size}).encode()) for n in range(count))


def by_hook(stream: str) -> tuple[int, float]:
    started = time.monotonic()
    result = KinesisStreamHook().put_records(stream, posts(ROWS))
    if result.records != ROWS:
        raise SystemExit(f"put_records: only {result.records} of {ROWS} acknowledged")
    return ROWS, time.monotonic() - started


def one_by_one(stream: str) -> tuple[int, float]:
    """Put each record by a request of its own, over a persistent connection."""
    client = KinesisStreamHook().conn
    started = time.monotonic()
    for record in posts(ONE_BY_ONE_ROWS):
        client.put_record(StreamName=stream, Data=record.data, PartitionKey=record.partition_key)
    return ONE_BY_ONE_ROWS, time.monotonic() - started


def envelope_of_hook(stream: str, endpoint: str) -> float:
    with environment("AWS_ENDPOINT_URL_KINESIS", endpoint):
        result = KinesisStreamHook().put_records(stream, posts(REQUEST_ROWS, size=1), max_attempts=100)
    if result.records != REQUEST_ROWS:
        raise SystemExit(f"put_records: only {result.records} of {REQUEST_ROWS} acknowledged")
    return result.sent_records / (result.requests * MAX_RECORDS_PER_PUT)


def envelope_of_naive(stream: str, endpoint: str) -> float:
    """Send batch after batch, and what failed of each alone until all of it is through."""
    requests = sent = 0
    with environment("AWS_ENDPOINT_URL_KINESIS", endpoint):
        client = KinesisStreamHook().conn
        for batch in batched(posts(ROWS, size=1), MAX_RECORDS_PER_PUT):
            left = [{"Data": record.data, "PartitionKey": record.partition_key} for record in batch]
            while left:
                requests, sent = requests + 1, sent + len(left)
                outcomes = client.put_records(StreamName=stream, Records=left)["Records"]
                left = [one for one, outcome in zip(left, outcomes, strict=True) if outcome.get("ErrorCode")]
    return sent / (requests * MAX_RECORDS_PER_PUT)


def create() -> str:
    name, hook = f"bench-{uuid.uuid4().hex[:8]}", KinesisStreamHook()
    hook.change("create_stream", name, StreamName=name, ShardCount=4)
    while hook.describe(name).status != "ACTIVE":
        time.sleep(0.1)
    return name


@contextmanager
def failing() -> Iterator[str]:
    """Yield the endpoint of a proxy that refuses every tenth record of a request."""
    upstream = ["--upstream", os.environ["AWS_ENDPOINT_URL_KINESIS"]]
    command = [PYTHON, "-m", "sandbox.servers.kinesis.faults", *upstream]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            rule = json.dumps([{"kind": "fail_records", "every": 10, "times": None}]).encode()
            urlopen(Request(f"{url}/_faults", data=rule, method="POST"), timeout=10).close()  # noqa: S310 - ours
            yield url
        finally:
            process.kill()


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    before = os.environ[name]
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ[name] = before


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
