"""Rows/s from the source database to acknowledged: the operator, one record a request, and the native producer.

The first two go through the same proxy behind the same API Gateway; all three read the same three tables, one after
the other, from a server-side cursor. Best of several alternating rounds. Goals: operator >= 20 x one by one, and
>= 0.3 x native. Run with the airflow environment's Python: ``python benchmarks/ingestion.py [rounds]``.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from itertools import islice
from types import SimpleNamespace

SERVERS = "postgres,ministack,kafka,kafka_rest"
ONE_BY_ONE_ROWS = 300  # of each table: enough for a rate that takes half a minute for all
GOAL_OVER_ONE_BY_ONE = 20
GOAL_OF_NATIVE = 0.3

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="pinterest-bench-"))
os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")

from airflow.providers.postgres.hooks.postgres import PostgresHook  # noqa: E402 - after its settings

from benchmarks.ingestion_tables import QUERIES  # noqa: E402
from benchmarks.own_sandbox import PROJECT, PYTHON, sandbox, start  # noqa: E402
from pinterest_pipeline.common.records import row_encoder  # noqa: E402
from pinterest_pipeline.common.tables import KEYS  # noqa: E402
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook  # noqa: E402
from pinterest_pipeline.kafka_rest.operators import KafkaRestProduceOperator  # noqa: E402
from pinterest_pipeline.source.queries import open_query  # noqa: E402


def main(rounds: int = 3) -> int:
    start(SERVERS)
    sandbox("seed")
    connect()
    prefix = f"bench-{uuid.uuid4().hex[:8]}"
    native("create", prefix)
    by_operator(prefix)
    rates: dict[str, float] = {}
    for _ in range(rounds):
        for name, run in (("operator", by_operator), ("one by one", one_by_one), ("native", by_native)):
            rows, seconds = run(prefix)
            rates[name] = max(rates.get(name, 0), rows / seconds)
    for name, rate in rates.items():
        print(f"{name:12} {rate:8,.0f} rows/s")
    over, of_native = rates["operator"] / rates["one by one"], rates["operator"] / rates["native"]
    print(f"operator over one by one: {over:5.1f} x  (goal >= {GOAL_OVER_ONE_BY_ONE})")
    print(f"operator over native:     {of_native:5.2f} x  (goal >= {GOAL_OF_NATIVE})")
    return int(over < GOAL_OVER_ONE_BY_ONE or of_native < GOAL_OF_NATIVE)


def by_operator(prefix: str) -> tuple[int, float]:
    """Send all rows as the DAG's tasks do, one task after the other."""
    started = time.monotonic()
    results = [execute(prefix, table) for table in QUERIES]
    rows = sum(result["rows"] for result in results)
    if sum(result["acknowledged"] for result in results) != rows:
        raise SystemExit(f"operator: not all of {rows} rows acknowledged: {results}")
    return rows, time.monotonic() - started


def execute(prefix: str, table: str) -> dict[str, int]:
    task = KafkaRestProduceOperator(
        task_id=f"send_{table}",
        sql=QUERIES[table],
        topic=f"{prefix}.{table}",
        key_column=KEYS[table],
        dead_letter_bucket=os.environ["PINTEREST_BUCKET"],
    )
    ti = SimpleNamespace(dag_id="bench", run_id="bench", task_id=task.task_id, try_number=1, map_index=-1)
    return task.execute({"ti": ti, "ds": "2026-11-24"})


def one_by_one(prefix: str) -> tuple[int, float]:
    """Send the first rows of each table by one request each, over a persistent connection."""
    started = time.monotonic()
    hook = KafkaRestHook()
    sent = 0
    for table, query in QUERIES.items():
        with open_query(PostgresHook("pinterest_source"), query) as (columns, rows):
            for record in map(row_encoder(columns, KEYS[table]), islice(rows, ONE_BY_ONE_ROWS)):
                sent += hook.produce(f"{prefix}.{table}", [record]).acknowledged
    return sent, time.monotonic() - started


def by_native(prefix: str) -> tuple[int, float]:
    result = json.loads(native("produce", prefix))
    return result["rows"], result["seconds"]


def native(verb: str, prefix: str) -> str:
    command = [PYTHON, "-m", "benchmarks.native_producer", verb, prefix]
    return subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True).stdout


def connect() -> None:
    """Point the connections of the pipeline at the sandbox."""
    rest = {"conn_type": "http", "host": os.environ["KAFKA_REST_URL"], "password": os.environ["KAFKA_REST_API_KEY"]}
    os.environ["AIRFLOW_CONN_PINTEREST_KAFKA_REST"] = json.dumps(rest)
    os.environ["AIRFLOW_CONN_PINTEREST_SOURCE"] = os.environ["PINTEREST_SOURCE_URL"]
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = "aws://"


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
