"""Milliseconds from the put of a record to its committed row, at a steady rate with all three queries running.

A producer puts the rows evenly into the three streams, a driver of the size ``stream`` streams them; the latency of a
row is its ``committed_at`` (PostgreSQL's clock at the write, some milliseconds before the COMMIT is done) less the
moment at which its PutRecords was called. Memory is all of the driver's processes: Python, JVM, Python workers.

Goals: p95 <= 1.5 s at 500 rows/s for ten minutes on 2 cores, every row there, memory flat. Run with the
sandbox's Python: ``python benchmarks/stream_latency.py [--minutes 1] [--rate 500] [--checkpoint-uri URI]``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
if "--in-driver" not in sys.argv:  # the driver runs in Spark's environment, which measures nothing
    import boto3
    import psutil
    import psycopg

    from benchmarks.own_sandbox import start
    from benchmarks.stream_warehouse import fresh_warehouse

SPARK_PYTHON = str(PROJECT / ".venv" / "spark" / "bin" / "python")
TABLES = ("pin", "geo", "user")
TICK_SECONDS = 0.1
WARM_SECONDS = 20  # the JVM compiles; not counted
GOAL_P95_MS, GOAL_GROWTH = 1500, 1.1


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=1)
    options.add_argument("--rate", type=int, default=500, help="rows a second, over the three streams")
    options.add_argument("--checkpoint-uri", default="", help="a local folder where left out")
    options.add_argument("--in-driver", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.in_driver:
        return in_driver(json.loads(given.in_driver))
    environment = start("postgres,kinesis")
    os.environ.setdefault("PINTEREST_SPARK_JARS", str(PROJECT / ".jars" / "spark"))
    os.environ["PYTHONPATH"] = str(PROJECT / "include" / "spark")  # of the driver and of its Python workers
    with tempfile.TemporaryDirectory(prefix="pinterest-stream-") as folder:
        return measure(given, environment, Path(folder))


def measure(given: argparse.Namespace, environment: dict[str, str], folder: Path) -> int:
    url = fresh_warehouse(environment["PINTEREST_WAREHOUSE_URL"])
    kinesis = boto3.client("kinesis", endpoint_url=environment["AWS_ENDPOINT_URL_KINESIS"])
    prefix = f"streaming-bench-{uuid.uuid4().hex[:6]}"
    for table in TABLES:
        kinesis.create_stream(StreamName=f"{prefix}-{table}", ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName=f"{prefix}-{table}", WaiterConfig={"Delay": 1})
    widgets = {
        "stream_prefix": prefix,
        "region": environment["AWS_REGION"],
        "checkpoint_uri": given.checkpoint_uri or f"file://{folder}/checkpoints",
    }
    argument = json.dumps({"widgets": widgets, "url": url})
    with (folder / "driver.log").open("wb") as log:
        driver = subprocess.Popen([SPARK_PYTHON, __file__, "--in-driver", argument], stderr=log)
    try:
        wake(kinesis, prefix, url)
        put_at, memory = produce(kinesis, prefix, given, psutil.Process(driver.pid))
        late = wait_for(url, "sum(row_count)", len(put_at) * len(TABLES))
        ask_to_stop(url)
        driver.wait(60)
    finally:
        driver.kill()
        for table in TABLES:
            kinesis.delete_stream(StreamName=f"{prefix}-{table}")
    return report(url, put_at, memory, late)


def wake(kinesis: Any, prefix: str, url: str) -> None:
    """Wait until each query has committed a record that no table takes: the session is there, the plan compiled."""
    for table in TABLES:
        kinesis.put_record(StreamName=f"{prefix}-{table}", Data=b"{}", PartitionKey="0")
    wait_for(url, "sum(quarantined_count)", len(TABLES))


def produce(
    kinesis: Any, prefix: str, given: argparse.Namespace, driver: "psutil.Process"
) -> tuple[dict[int, float], list[float]]:
    """Put posts at the rate; return when each was put, and the driver's MiB every ten seconds."""
    put_at: dict[int, float] = {}
    memory: list[float] = []
    posts_per_tick = given.rate * TICK_SECONDS / len(TABLES)
    began = time.time()
    ticks = round((given.minutes * 60 + WARM_SECONDS) / TICK_SECONDS)
    for tick in range(ticks):
        time.sleep(max(0.0, began + tick * TICK_SECONDS - time.time()))
        first, last = round(tick * posts_per_tick), round((tick + 1) * posts_per_tick)
        for table in TABLES:
            now = time.time()
            if table == "pin":
                put_at.update(dict.fromkeys(range(first, last), now))
            records = [{"Data": wire(table, ind), "PartitionKey": str(ind)} for ind in range(first, last)]
            answer = kinesis.put_records(StreamName=f"{prefix}-{table}", Records=records)
            if answer["FailedRecordCount"]:
                raise SystemExit(f"{answer['FailedRecordCount']} records were not taken")
        if tick * TICK_SECONDS >= WARM_SECONDS and not tick % 100:
            memory.append(resident_mib(driver))
    return put_at, memory


def wire(table: str, ind: int) -> bytes:
    text = "easy summer ideas für Zuhause “vintage” DIY 🎨 recipe | guide to modern living "
    rows = {
        "pin": {"index": ind, "unique_id": str(uuid.uuid4()), "title": text, "description": text * 2,
                "poster_name": "a poster", "follower_count": "12k", "tag_list": "a,b,c,d,e,f,g,h,i",
                "is_image_or_video": "image", "image_src": "https://i.pinimg.com/originals/x.jpg", "downloaded": 1,
                "save_location": "Local save in /data/art", "category": "art"},
        "geo": {"ind": ind, "timestamp": "2020-05-06T07:08:09", "latitude": 1.5, "longitude": -2.5, "country": "Chad"},
        "user": {"ind": ind, "first_name": "Ada", "last_name": "Byron", "age": 30,
                 "date_joined": "2016-01-02T03:04:05"},
    }  # fmt: skip
    return json.dumps(rows[table], ensure_ascii=False).encode()


def report(url: str, put_at: dict[int, float], memory: list[float], late: float) -> int:
    """Print the percentiles of the rows after the warm-up; the exit code says whether the goals were met."""
    first = min(put_at.values()) + WARM_SECONDS
    everything: list[float] = []
    with psycopg.connect(url) as connection:
        for table in TABLES:
            rows = connection.execute(f'SELECT ind, extract(epoch FROM committed_at) FROM stream."{table}"').fetchall()  # noqa: S608
            found = [(float(at) - put_at[ind]) * 1000 for ind, at in rows if put_at[ind] >= first]
            print(f"{table:5} {shown(found)}, {len(found):,} rows after the warm-up", flush=True)
            everything += found
        sums = "SELECT sum(record_count), sum(row_count), count(*), avg(record_count) FROM stream.progress"
        records, rows, batches, size = connection.execute(sums).fetchone() or (0, 0, 0, 0)
        posts = (connection.execute("SELECT count(*) FROM stream.post").fetchone() or (0,))[0]
    growth = max(memory[len(memory) // 2 :]) / max(memory[: len(memory) // 2])
    p95 = percentile(everything, 95)
    print(f"all   {shown(everything)} (goal: p95 <= {GOAL_P95_MS} ms); {batches:,} batches of {size:.0f} records")
    print(
        f"put {len(put_at) * 3:,}, records {records:,}, rows {rows:,}, posts {posts:,} of {len(put_at):,}; "
        f"drained in {late:.1f} s"
    )
    print(f"driver's memory: {memory[0]:,.0f} MiB after the warm-up, {memory[-1]:,.0f} MiB at the end, peak of the "
          f"second half {growth:.2f} x that of the first (goal: <= {GOAL_GROWTH})")  # fmt: skip
    return int(p95 > GOAL_P95_MS or rows != len(put_at) * 3 or posts != len(put_at) or growth > GOAL_GROWTH)


def shown(values: list[float]) -> str:
    return ", ".join(f"p{level} {percentile(values, level):6,.0f} ms" for level in (50, 95, 99))


def percentile(values: list[float], level: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * level // 100)]


def resident_mib(driver: "psutil.Process") -> float:
    family = [driver, *driver.children(recursive=True)]
    return sum(one.memory_info().rss for one in family if one.is_running()) / 2**20


def wait_for(url: str, what: str, count: int) -> float:
    began = time.monotonic()
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() - began < 180:
            if (connection.execute(f"SELECT {what} FROM stream.progress").fetchone() or (0,))[0] == count:  # noqa: S608
                break
            time.sleep(0.1)
    return time.monotonic() - began


def ask_to_stop(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO stream.control (query, stop_requested_at) VALUES ('all', now())")


def in_driver(given: dict[str, Any]) -> int:
    from pinterest_spark.session import build_session
    from pinterest_spark.stream import queries as stream
    from pinterest_spark.stream.settings import StreamSettings

    spark = build_session("stream-benchmark", size="stream")
    stream.run(spark, StreamSettings.read(given["widgets"]), given["url"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
