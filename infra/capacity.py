"""What a number of posts a day needs, which limit comes first in a size, how late answers are, and what a month costs.

``python -m infra.capacity [ROWS_A_DAY ...]`` prints the worked examples. The model has one formula for each part, with
the constants below; ``infra/simulation.py`` plays a day post by post, and tests hold both to each other within 20 %.
"""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import declared
from infra.errors import InfraError
from infra.sizes import Size, read_sizes, size_named

TABLES = 3  # rows of a post
PEAK = 5.0  # times the mean, at the busiest minute of a day
ROW_BYTES = 600  # estimate: JSON of a row on the wire, mean of the three tables
HOURS, DAYS, SECONDS_A_DAY = 730, 30, 86_400  # of a month; of a month; of a day
SHARE = 0.7  # of a limit that is planned with: the rest is for what the mean does not show

# Measured with benchmarks/ on two cores; what was not measured on the service says so.
ROWS_PER_REQUEST = 2_000  # kafka_rest/send.py, BATCH_RECORDS
PROXY_ROWS_PER_VCPU = 13_600  # benchmarks/ingestion.py: 27.2k rows/s through a stand-in on two cores
BATCH_ROWS_PER_CORE = 16_200  # benchmarks/batch.py: 3.3 million rows in 102 s on two cores
BATCH_FIXED_SECONDS = 25  # benchmarks/batch.py: a run's fixed work; a cluster's start comes on top
STREAM_FIXED_SECONDS = 0.35  # benchmarks/stream_latency.py: a micro-batch without rows to speak of
STREAM_ROWS_PER_CORE = 20_000  # benchmarks/stream_sink.py: 59k rows/s into PostgreSQL, of which a third by one core
TRIGGER_SECONDS = 0.5
CONNECT_BYTES_PER_MCU = 5_000_000  # estimate: gzip of JSON by one vCPU
RETENTION_DAYS = max(topic["retention_ms"] for topic in declared.topics().values()) / 1_000 / SECONDS_A_DAY
PARTITION_BYTES = 5_000_000  # estimate: a consumer's share that keeps one task below half of a core
BROKER_BYTES = {"kafka.m7g.large": 62_000_000, "kafka.m7g.xlarge": 125_000_000}  # estimate: MSK's guide, with replicas

# Service limits
SHARD_RECORDS, SHARD_BYTES = 1_000, 1_048_576  # into one shard, a second
SHARDS_OF_AN_ACCOUNT = 500  # on-demand raise; 20,000 in large regions
API_REQUESTS = 500  # a second, the usage plan's rate
OBJECT_RECORDS, ROTATION_SECONDS = 5_000, 60  # flush.size, and rotate.schedule.interval.ms
BATCH_WINDOW_SECONDS = 2 * 3_600  # in which a day's batch is to be done
NODE_CORES = {"m5.large": 2, "m5.xlarge": 4, "m5.2xlarge": 8, "i3.xlarge": 4, "i3.2xlarge": 8}


@dataclass(frozen=True)
class Load:
    """Posts that arrive.

    :param rows_a_day: Over the three tables, so three for a post.
    """

    rows_a_day: float

    @property
    def mean(self) -> float:
        """Rows a second."""
        return self.rows_a_day / SECONDS_A_DAY

    @property
    def peak(self) -> float:
        """Rows a second at the busiest minute."""
        return PEAK * self.mean


@dataclass(frozen=True)
class Part:
    """One part of an environment under a load.

    :param needs: What the load needs at its peak, in ``unit``.
    :param has: What the size gives.
    :param way_past: What to do when it is the limit.
    """

    name: str
    unit: str
    needs: float
    has: float
    way_past: str

    @property
    def used(self) -> float:
        """Share that the peak uses; above 1 the part cannot carry it."""
        return self.needs / self.has


def needed(load: Load) -> dict[str, int]:
    """Return what a load needs, whatever the size: whole numbers, at their declared minimum where that is more."""
    table = load.peak / TABLES
    topics = declared.topics()
    return {
        "partitions": max(topics["pin"]["partitions"], math.ceil(table * ROW_BYTES / (PARTITION_BYTES * SHARE))),
        "shards": max(2, math.ceil(max(table / SHARD_RECORDS, table * ROW_BYTES / SHARD_BYTES) / SHARE)),
        "proxy_vcpus": math.ceil(load.peak / (PROXY_ROWS_PER_VCPU * SHARE)),
        "connector_mcus": max(1, math.ceil(load.peak * ROW_BYTES / (CONNECT_BYTES_PER_MCU * SHARE))),
        "batch_cores": max(2, math.ceil(load.rows_a_day / (BATCH_ROWS_PER_CORE * BATCH_WINDOW_SECONDS * SHARE))),
        "stream_cores": max(2, math.ceil(load.peak / (STREAM_ROWS_PER_CORE * SHARE))),
    }


def parts(load: Load, size: Size) -> list[Part]:
    """Return each part with what it needs and has, the one that is the first limit first."""
    need = needed(load)
    connector = declared.connector()["capacity"]["provisionedCapacity"]
    shards = 2
    found = [
        Part("proxy", "vCPU", load.peak / PROXY_ROWS_PER_VCPU, size["proxy_tasks_max"] * size["proxy_cpu"] / 1_024,
             "raise proxy_tasks_max or proxy_cpu in sizes.json"),
        Part("API Gateway", "requests/s", load.peak / ROWS_PER_REQUEST, API_REQUESTS, "raise the usage plan's rate"),
        Part("brokers", "MB/s", load.peak * ROW_BYTES / 1e6,
             size["brokers"] * BROKER_BYTES[size["broker_type"]] / size["zones"] / 1e6, "more or larger brokers"),
        Part("disks of the brokers", "GB", load.rows_a_day * ROW_BYTES * RETENTION_DAYS * size["zones"] / 1e9,
             size["brokers"] * size["broker_storage_gb"], "broker_storage_gb, or a lower retention_hours"),
        Part("connector", "MCU", load.peak * ROW_BYTES / CONNECT_BYTES_PER_MCU,
             connector["mcuCount"] * connector["workerCount"],
             f"capacity of the connector file: {need['connector_mcus']} MCU; tasks.max and partitions with it"),
        Part("Kinesis", "shards of a stream", max(load.peak / TABLES / SHARD_RECORDS,
             load.peak / TABLES * ROW_BYTES / SHARD_BYTES), shards,
             f"pinterest_kinesis_streams with scale_to {need['shards']}, or mode ON_DEMAND"),
        Part("stream", "cores", load.peak / STREAM_ROWS_PER_CORE,
             NODE_CORES[size["stream_node_type"]] * size["stream_workers"], "stream_workers in sizes.json"),
        Part("batch", "cores", load.rows_a_day / (BATCH_ROWS_PER_CORE * BATCH_WINDOW_SECONDS),
             NODE_CORES[size["batch_node_type"]] * size["batch_workers"], "batch_workers in sizes.json"),
    ]  # fmt: skip
    return sorted(found, key=lambda part: -part.used)


def objects_an_hour(load: Load, rate: float | None = None) -> float:
    """Return the objects that the connector writes in an hour: one a minute and partition, and one for each 5,000 rows.

    :param rate: Rows a second, the mean of the load if not given.
    """
    partitions = TABLES * needed(load)["partitions"]
    rows = (load.mean if rate is None else rate) * ROTATION_SECONDS / partitions  # of a partition in a rotation
    if rows <= 0:
        return 0.0
    some = 1 - math.exp(-rows)  # a minute in which nothing arrives writes nothing
    full = math.floor(rows / OBJECT_RECORDS)
    return 3_600 / ROTATION_SECONDS * partitions * (some + full)


def request_seconds(rate: float, vcpus: float) -> float:
    """Return how long a request takes at the proxy, waiting included: M/D/c by Erlang's C, half of M/M/c's wait.

    :param rate: Rows a second.
    :raises InfraError: the proxy cannot carry the rate.
    """
    service = ROWS_PER_REQUEST / PROXY_ROWS_PER_VCPU
    servers, offered = max(1, int(vcpus)), rate / ROWS_PER_REQUEST * service
    if offered >= servers:
        raise InfraError(f"{rate:,.0f} rows/s need more than {servers} vCPU of the proxy: raise proxy_tasks_max.")
    last = offered**servers / math.factorial(servers) * servers / (servers - offered)
    waits = last / (sum(offered**k / math.factorial(k) for k in range(servers)) + last)
    return service + waits * service / (servers - offered) / 2


def stream_seconds(rate: float, cores: int) -> float:
    """Return the mean time from a row's arrival to its commit, at a rate of rows a second.

    A micro-batch of *n* rows takes a fixed time and *n* / throughput. It takes what came during the one before, or in
    a trigger interval where that is longer: a row waits half of a cycle for its batch, and then for the batch.

    :raises InfraError: the cores cannot carry the rate.
    """
    throughput = cores * STREAM_ROWS_PER_CORE
    if rate >= throughput:
        raise InfraError(f"{rate:,.0f} rows/s need more than {cores} cores of the stream: raise stream_workers.")
    back_to_back = STREAM_FIXED_SECONDS / (1 - rate / throughput)
    cycle = max(TRIGGER_SECONDS, back_to_back)
    return cycle / 2 + STREAM_FIXED_SECONDS + rate * cycle / throughput


def batch_seconds(load: Load, cores: int) -> float:
    """Return how long a day's batch takes on a warm cluster."""
    return BATCH_FIXED_SECONDS + load.rows_a_day / (BATCH_ROWS_PER_CORE * cores)


def monthly_costs(size: Size, load: Load) -> dict[str, float]:
    """Return dollars a month by part, by the prices of ``prices.json``; their sum is the environment's."""
    listed = json.loads(Path(__file__).with_name("prices.json").read_text())
    price, dbus = listed["usd"], listed["dbus_per_hour"]
    need, rows = needed(load), load.rows_a_day * DAYS
    connector = declared.connector()["capacity"]["provisionedCapacity"]
    mcus = max(connector["mcuCount"] * connector["workerCount"], need["connector_mcus"])
    shards = TABLES * need["shards"]
    batch_nodes, stream_nodes = size["batch_workers"] + 1, size["stream_workers"] + 1  # and a driver
    batch_hours = DAYS * (
        batch_seconds(load, NODE_CORES[size["batch_node_type"]] * size["batch_workers"]) / 3_600 + 0.1
    )

    def node(kind: str) -> float:
        return float(price[f"{kind} hour"] + dbus[kind] * price["dbu"])

    return {
        "nat": HOURS * price["nat hour"],
        "msk": size["brokers"] * (HOURS * price[f"{size['broker_type']} hour"]
               + size["broker_storage_gb"] * price["msk storage gb month"]),
        "connector": HOURS * mcus * price["mcu hour"],
        "proxy": HOURS * size["proxy_tasks_min"] * (size["proxy_cpu"] / 1_024 * price["fargate vcpu hour"]
                 + size["proxy_memory_mb"] / 1_024 * price["fargate gb hour"]),
        "load_balancer": HOURS * price["load balancer hour"],
        "api": rows / ROWS_PER_REQUEST / 1e6 * price["api million requests"],
        "kinesis": HOURS * shards * (price["kinesis shard hour"] + price["kinesis extended shard hour"])
                   + rows / 1e6 * price["kinesis million put units"],
        "database": 2 * HOURS * price[f"{size['database_class']} hour"]
                    + 2 * size["database_storage_gb"] * price["rds storage gb month"],
        "mwaa": HOURS * price[f"{size['mwaa_class']} hour"],
        "lake": rows * ROW_BYTES / 1e9 * price["s3 gb month"]
                + objects_an_hour(load) * HOURS / 1_000 * price["s3 thousand puts"],
        "batch": batch_hours * batch_nodes * node(size["batch_node_type"]),
        "stream": HOURS * stream_nodes * node(size["stream_node_type"]),
        "alarms": 16 * price["alarm month"],
    }  # fmt: skip


EXAMPLES: Mapping[str, float] = {"small": 33_462, "medium": 10_000_000, "large": 1_000_000_000}  # rows a day


def example(name: str, rows_a_day: float) -> list[str]:
    """Return the lines of a worked example: a table of numbers."""
    size, load = size_named(name), Load(rows_a_day)
    need, found = needed(load), parts(load, size)
    stream_cores = NODE_CORES[size["stream_node_type"]] * size["stream_workers"]
    batch_cores = NODE_CORES[size["batch_node_type"]] * size["batch_workers"]
    costs = monthly_costs(size, load)
    first, dearest = found[0], sorted(costs, key=lambda part: -costs[part])[:3]
    return [
        f"| rows a day, mean and peak a second | {rows_a_day:,.0f}, {load.mean:,.1f}, {load.peak:,.1f} |",
        f"| partitions a topic, shards a stream | {need['partitions']}, {need['shards']} |",
        f"| vCPU of the proxy, MCU of the connector | {need['proxy_vcpus']}, {need['connector_mcus']} |",
        f"| cores of batch and stream | {need['batch_cores']}, {need['stream_cores']} |",
        f"| objects an hour, mean and peak | {objects_an_hour(load):,.0f}, {objects_an_hour(load, load.peak):,.0f} |",
        f"| stream, arrival to commit at the mean and at the peak | {stream_seconds(load.mean, stream_cores):.2f} s, "
        f"{stream_seconds(load.peak, stream_cores):.2f} s |",
        f"| a day's batch, warm | {batch_seconds(load, batch_cores):,.0f} s |",
        f"| first limit | {first.name}: {first.used:.0%} of {first.has:g} {first.unit} at the peak |",
        f"| the way past it | {first.way_past} |",
        f"| a month | ${sum(costs.values()):,.0f}, most of it {', '.join(dearest)} |",
    ]


def report(rows: Mapping[str, float] = EXAMPLES) -> str:
    """Return the worked examples as the docs have them."""
    blocks = [
        "\n".join([f"### `{name}`, {count:,.0f} rows a day", "| what | number |", "|---|---|", *example(name, count)])
        for name, count in rows.items()
    ]
    return "\n\n".join(blocks) + "\n"


def main(arguments: list[str]) -> int:
    given: dict[str, Any] = {}
    try:
        for name, count in zip(read_sizes(), arguments, strict=False):
            given[name] = float(count)
        print(report(given or EXAMPLES), end="")
    except (InfraError, ValueError) as error:
        print(f"capacity: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
