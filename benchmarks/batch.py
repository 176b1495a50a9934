"""Seconds of bronze + silver + gold, against the naive way and against 100 times the rows.

Each way runs in a driver of its own: the first round is cold (the JVM compiles, Spark generates), the best of the next
ones is warm. Goals: <= 25 s warm for 11,154 posts (33,462 rows) on 2 cores, >= 6 x the naive way, 100 x the rows in
<= 4 x the time. The lake is a local folder; the answers stay there unless ``PINTEREST_WAREHOUSE_URL`` says where to.

Run with the spark environment's Python: ``python benchmarks/batch.py [--scale 100] [--rounds 3] [--skip-naive]``.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "include" / "spark")]

from benchmarks import batch_naive, lake_data  # noqa: E402 - after the path to them
from pinterest_spark.lakehouse import (  # noqa: E402
    bronze,
    gold,
    silver,
    staging,
)
from pinterest_spark.lakehouse.offsets import OffsetRange  # noqa: E402
from pinterest_spark.lakehouse.tables import Lake  # noqa: E402
from pinterest_spark.session import Size, build_session, settings_of  # noqa: E402

POSTS = 11_154
JARS = os.environ.get("PINTEREST_SPARK_JARS", str(PROJECT / ".jars" / "spark"))
GOAL_WARM_SECONDS, GOAL_OVER_NAIVE, GOAL_OF_SCALE = 25, 6, 4


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--scale", type=int, default=1, help="also measure so many times the rows")
    options.add_argument("--rounds", type=int, default=3, help="rounds of each way, the first of which is cold")
    options.add_argument("--skip-naive", action="store_true")
    options.add_argument("--in-driver", choices=("pipeline", "naive"), help=argparse.SUPPRESS)
    options.add_argument("--posts", type=int, default=POSTS, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.in_driver:
        print(json.dumps(in_driver(given.in_driver, given.posts, given.rounds)))
        return 0
    pipeline = measure("pipeline", POSTS, given.rounds)
    cold, warm = pipeline["rounds"][0], min(pipeline["rounds"][1:], default=pipeline["rounds"][0])
    print(f"warm driver: {warm:.1f} s for {POSTS * 3:,} rows (goal: <= {GOAL_WARM_SECONDS} s)")
    if not given.skip_naive:
        naive = measure("naive", POSTS, 2)["rounds"]
        print(
            f"over the naive way: {naive[0] / cold:.1f} x cold, {naive[-1] / warm:.1f} x warm "
            f"(goal: >= {GOAL_OVER_NAIVE} x)"
        )
    if given.scale > 1:
        rounds = measure("pipeline", POSTS * given.scale, 2)["rounds"]
        print(
            f"{given.scale} x the rows: {rounds[0] / cold:.1f} x the time cold, {rounds[-1] / warm:.1f} x warm "
            f"(goal: <= {GOAL_OF_SCALE} x)"
        )
    return 0


def measure(way: str, posts: int, rounds: int) -> dict[str, Any]:
    """Run the rounds of one way in a driver of its own and print them."""
    command = [sys.executable, __file__, "--in-driver", way, "--posts", str(posts), "--rounds", str(rounds)]
    # The naive way sets nothing of its own: still its workers must be this Python, and its ports loopback's.
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    print(
        f"{way:8} {posts * 3:>9,} rows: {', '.join(f'{seconds:.1f}' for seconds in found['rounds'])} s, "
        f"session {found['session']:.1f} s, JVM peak {found['peak_mib']:,} MiB  {found['stages'] or ''}",
        flush=True,
    )
    return found


def in_driver(way: str, posts: int, rounds: int) -> dict[str, Any]:
    """Start a driver, make the data, run the rounds; return seconds and the JVM's peak of resident memory."""
    started = time.monotonic()
    spark = plain_session() if way == "naive" else build_session("benchmark", jars=JARS)
    session_seconds = time.monotonic() - started
    stages: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="pinterest-batch-") as name:
        folder = Path(name)
        work = prepare(spark, way, folder, posts, stages)
        seconds = [timed(lambda number=number: work(folder / f"round-{number}")) for number in range(rounds)]  # type: ignore[misc]
    return {"rounds": seconds, "session": session_seconds, "peak_mib": peak_mib(spark), "stages": stages[-1:]}


def prepare(spark: Any, way: str, folder: Path, posts: int, stages: list[dict[str, float]]) -> Callable[[Path], None]:
    """Make the data and return the round that works on a copy of it: of no round is anything left for the next."""
    if way == "naive":
        lake_data.write_one_row_objects(spark, folder, posts)
        return lambda target: batch_naive.run(spark, folder / "rows", target)
    lake_data.write_topics(spark, folder, posts)
    if not os.environ.get("PINTEREST_WAREHOUSE_URL"):
        staging.stage = staging.forget = staging.confirm = lambda *_: None
        staging.last_load = lambda _: staging.Load()

    def work(target: Path) -> None:
        target.mkdir()
        (target / "topics").symlink_to(folder / "topics")
        lake = Lake(f"file://{target}")
        acknowledged = {table: [OffsetRange(0, 0, posts - 1)] for table in lake_data.TABLES}
        results = (
            bronze.run(spark, lake, "pinterest"),
            silver.run(spark, lake, "pinterest", acknowledged),
            gold.run(spark, lake, os.environ.get("PINTEREST_WAREHOUSE_URL", "")),
        )
        stages.append({result["stage"]: result["seconds"] for result in results})
        shutil.rmtree(target / "delta")

    return work


def plain_session() -> Any:
    """Return a session with the defaults of Spark and Delta, loopback and memory excepted."""
    from pyspark.sql import SparkSession

    keep = ("spark.driver.", "spark.ui.", "spark.sql.extensions", "spark.sql.catalog.", "spark.sql.session.")
    builder = SparkSession.builder.master("local[2]").appName("benchmark")
    for name, value in settings_of(Size(2, "3g", 0, 0), JARS).items():
        if name.startswith(keep):
            builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def timed(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def peak_mib(spark: Any) -> int:
    pid = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


if __name__ == "__main__":
    sys.exit(main())
