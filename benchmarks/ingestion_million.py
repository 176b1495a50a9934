"""A first load of a million rows: memory and rate from its first tenth to its last, and a proxy that is away meanwhile.

Rows are made by PostgreSQL and read from a server-side cursor. The second load has the proxy stopped half-way for two
minutes, as a redeployment does; it must end within the same try of the task. Goals: the last tenth is sent at >= 0.9 of
the first tenth's rate, memory does not grow by more than 10 %, and each key is in the topic once, save for requests
whose answer got lost. Run with the airflow environment's Python: ``python benchmarks/ingestion_million.py [rows]
[seconds away]``.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="pinterest-bench-"))
os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")

from benchmarks.ingestion import SERVERS, connect
from benchmarks.own_sandbox import PROJECT, PYTHON, start
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from pinterest_pipeline.kafka_rest.operators import KafkaRestProduceOperator

QUERY = """
SELECT n AS ind, '2018-03-09T' || lpad((n % 24)::text, 2, '0') || ':00:00' AS timestamp, n / 1e6::float8 AS latitude,
    -n / 1e6::float8 AS longitude, 'Country ' || n % 200 AS country
FROM generate_series(1, {rows}) AS n
"""
GOAL_LAST_OVER_FIRST = 0.9
GOAL_MEMORY_GROWTH = 1.1
PROXY = """
import sys
from sandbox.run.settings import existing_settings
from sandbox.run.supervision import Supervision
getattr(Supervision(existing_settings()).rpc.supervisor, sys.argv[1])("kafka_rest")
"""
COUNT = """
import json, sys
from confluent_kafka import Consumer, TopicPartition
from sandbox.run.settings import existing_settings
consumer = Consumer({**existing_settings().kafka_client, "group.id": "counts", "enable.auto.commit": False})
topic, records, keys = sys.argv[1], 0, set()
for partition in consumer.list_topics(topic, timeout=30).topics[topic].partitions:
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
    consumer.assign([TopicPartition(topic, partition, low)])
    left = high - low
    while left:
        found = consumer.consume(min(left, 10_000), 30)
        left -= len(found)
        records += len(found)
        keys.update(message.key() for message in found)
print(records, len(keys))
"""


def main(rows: int = 1_000_000, away_seconds: float = 120) -> int:
    start(SERVERS)
    connect()
    undisturbed = Load(rows)
    undisturbed.run()
    rates, memory = undisturbed.rates(), undisturbed.memory
    print(f"{rows:,} rows in {undisturbed.seconds:.0f} s; by tenth, rows/s: {', '.join(f'{r:,.0f}' for r in rates)}")
    print(f"resident memory at each tenth, MiB: {', '.join(f'{m:.0f}' for m in memory)}")
    ratio, growth = rates[-1] / rates[0], memory[-1] / memory[0]
    print(f"last tenth over first: {ratio:.2f} x (goal >= {GOAL_LAST_OVER_FIRST})")
    print(f"memory, last over first: {growth:.2f} x (goal <= {GOAL_MEMORY_GROWTH})")
    interrupted = Load(rows, lambda: proxy_away(away_seconds))
    result = interrupted.run()
    records, keys = (int(number) for number in in_sandbox(COUNT, interrupted.topic).split())
    print(
        f"proxy away for {away_seconds:.0f} s: {interrupted.seconds:.0f} s, one try, {result['retries']} requests "
        f"repeated, {result['acknowledged']:,} acknowledged, {result['dead_letters']} dead letters"
    )
    print(f"in the topic: {records:,} records of {keys:,} keys, {records - keys} of them twice")
    complete = keys == rows == result["acknowledged"]
    return int(ratio < GOAL_LAST_OVER_FIRST or growth > GOAL_MEMORY_GROWTH or not complete)


class Load:
    """One task that sends the rows, observed at each tenth.

    :param half_way: Called in a thread of its own at the fifth.
    """

    def __init__(self, rows: int, half_way: Callable[[], None] | None = None) -> None:
        self.rows = rows
        self.topic = f"million-{uuid.uuid4().hex[:8]}"
        self.memory: list[float] = []
        self.times: list[float] = []
        self.seconds = 0.0
        self._half_way = half_way

    def run(self) -> dict[str, int]:
        create_topic(self.topic)
        task = KafkaRestProduceOperator(
            task_id="send",
            sql=QUERY.format(rows=self.rows),
            topic=self.topic,
            key_column="ind",
            dead_letter_bucket=os.environ["PINTEREST_BUCKET"],
        )
        ti = SimpleNamespace(dag_id="bench", run_id=self.topic, task_id="send", try_number=1, map_index=-1)
        self._observe()
        began = time.monotonic()
        self.times.append(began)
        result = task.execute({"ti": ti, "ds": "2026-11-24"})
        self.seconds = time.monotonic() - began
        return result

    def rates(self) -> list[float]:
        tenth = self.rows / 10
        return [tenth / (after - before) for before, after in zip(self.times, self.times[1:], strict=False)]

    def _observe(self) -> None:
        """Note time and memory whenever another tenth has been acknowledged."""
        load, acknowledged, lock = self, 0, threading.Lock()

        def observed(hook: KafkaRestHook, *arguments: object, **named: object) -> object:
            nonlocal acknowledged
            result = ORIGINAL(hook, *arguments, **named)
            with lock:
                acknowledged += result.acknowledged
                while len(load.times) <= 10 and acknowledged >= len(load.times) * load.rows / 10:
                    load.times.append(time.monotonic())
                    load.memory.append(resident_mib())
                    if len(load.times) == 6 and load._half_way:
                        threading.Thread(target=load._half_way).start()
            return result

        KafkaRestHook.produce = observed  # type: ignore[method-assign, assignment]


ORIGINAL = KafkaRestHook.produce


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def proxy_away(seconds: float) -> None:
    in_sandbox(PROXY, "stopProcess")
    time.sleep(seconds)
    in_sandbox(PROXY, "startProcess")


def create_topic(topic: str) -> None:
    script = """
import sys
from confluent_kafka.admin import AdminClient, NewTopic
from sandbox.run.settings import existing_settings
admin = AdminClient(existing_settings().kafka_client)
admin.create_topics([NewTopic(sys.argv[1], num_partitions=3)])[sys.argv[1]].result(30)
"""
    in_sandbox(script, topic)


def in_sandbox(script: str, *arguments: str) -> str:
    """Run a script in the sandbox's own environment, which has Kafka's client and the supervisor."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [PYTHON, "-c", script, *arguments]
    return subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True, env=environment).stdout


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
