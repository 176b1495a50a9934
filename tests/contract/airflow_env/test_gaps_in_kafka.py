"""Offsets without a record in real Kafka, and offsets with one, as the real proxy's consumers tell them apart."""

import json
import os
import subprocess
import uuid

import pytest

from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from tests.support.kafka import SANDBOX_PYTHON, KafkaLab

# Three transactions of two records, of which the second is aborted: records at 0, 1, 3, 4, 6, 7, markers at 2, 5, 8
TRANSACTIONS = """
import json, os, sys
from confluent_kafka import Producer
producer = Producer({**json.loads(os.environ["KAFKA_CLIENT"]), "transactional.id": sys.argv[1]})
producer.init_transactions(60)
for number in range(3):
    producer.begin_transaction()
    for value in ("a", "b"):
        producer.produce(sys.argv[1], value, partition=2)
    producer.flush(60)
    producer.abort_transaction(60) if number == 1 else producer.commit_transaction(60)
"""


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("kafka", "kafka_rest")


def test_a_transactions_marker_is_a_gap_without_a_record_and_a_record_is_none(environment, use_kafka_rest):
    use_kafka_rest(environment)
    lab = KafkaLab(environment, f"gaps-test-{uuid.uuid4().hex[:8]}")
    client = {**os.environ, "KAFKA_CLIENT": json.dumps(lab.client)}
    subprocess.run([str(SANDBOX_PYTHON), "-c", TRANSACTIONS, lab.topic], check=True, timeout=240, env=client)
    hook = KafkaRestHook()

    assert hook.bounds(lab.topic)[2] == (0, 9)
    assert hook.empty_ranges(lab.topic, 2, [(2, 2), (5, 5), (8, 8)]) == [(2, 2), (5, 5), (8, 8)]
    assert hook.empty_ranges(lab.topic, 2, [(0, 0), (2, 3), (4, 4), (5, 5)]) == [(5, 5)]
    lab.delete()
