"""The yardstick of ``ingestion.py``: the same rows by confluent-kafka, straight to the broker.

Run by the sandbox's Python, because Airflow's has no Kafka client: ``native_producer.py create|produce <prefix>``.
Prints ``{"rows", "seconds"}``, from opening the queries to the last acknowledgement.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime

import psycopg
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.ingestion_tables import PARTITIONS, QUERIES
from tests.support.kafka import client_of

ROWS_PER_FETCH = 2000


def create(prefix: str) -> None:
    admin = AdminClient(client_of(os.environ))
    topics = [NewTopic(f"{prefix}.{table}", num_partitions=PARTITIONS) for table in QUERIES]
    for created in admin.create_topics(topics).values():
        created.result(30)


def produce(prefix: str) -> None:
    settings = {**client_of(os.environ), "acks": "all", "enable.idempotence": True}
    producer = Producer({**settings, "queue.buffering.max.messages": 100_000})
    started = time.monotonic()
    acknowledged = 0

    def delivered(error: KafkaError | None, _message: Message) -> None:
        nonlocal acknowledged
        acknowledged += error is None

    rows = sum(send(producer, f"{prefix}.{table}", query, delivered) for table, query in QUERIES.items())
    producer.flush()
    if acknowledged != rows:
        raise SystemExit(f"native producer: {acknowledged} of {rows} rows acknowledged")
    print(json.dumps({"rows": rows, "seconds": time.monotonic() - started}))


def send(producer: Producer, topic: str, query: str, delivered: Callable[[KafkaError | None, Message], None]) -> int:
    rows = 0
    with psycopg.connect(os.environ["PINTEREST_SOURCE_URL"]) as connection, connection.cursor(name="bench") as cursor:
        cursor.execute(query)
        columns = [column[0] for column in cursor.description or ()]
        while batch := cursor.fetchmany(ROWS_PER_FETCH):
            for row in batch:
                value = json.dumps(dict(zip(columns, row, strict=True)), default=datetime.isoformat).encode()
                while True:
                    try:
                        producer.produce(topic, value, str(row[0]).encode(), on_delivery=delivered)
                        break
                    except BufferError:
                        producer.poll(0.01)
            producer.poll(0)
            rows += len(batch)
    return rows


if __name__ == "__main__":
    {"create": create, "produce": produce}[sys.argv[1]](sys.argv[2])
