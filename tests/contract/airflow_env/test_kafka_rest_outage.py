"""One of three partitions without a leader, on a real broker: no row is lost, doubled, or taken for a dead letter."""

import threading
import uuid
from types import SimpleNamespace

import pytest

from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.kafka_rest.operators import KafkaRestProduceOperator
from pinterest_pipeline.lake.hook import LakeHook
from tests.conftest import TEST_HOME
from tests.support.kafka import KafkaLab, SecondBroker

ROWS = 500
AWAY_SECONDS = 20  # as long as a broker of MSK is while it is patched

pytestmark = pytest.mark.usefixtures("connections")


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("postgres", "ministack", "kafka", "kafka_rest")


@pytest.fixture
def broker(environment, tmp_path):
    second = SecondBroker(environment, TEST_HOME, tmp_path)
    try:
        second.start()
        yield second
    finally:
        second.forget()


@pytest.fixture
def topic(environment, broker):
    """A topic whose third partition is the second broker's alone."""
    name = f"outage-{uuid.uuid4().hex[:8]}"
    lab = KafkaLab(environment, name, replica_assignment=[[1], [1], [broker.node_id]])
    yield lab
    lab.delete()


def test_a_partition_without_a_leader_costs_a_retry_at_most_and_no_row(environment, topic, broker):
    bucket = environment["PINTEREST_BUCKET"]
    run = uuid.uuid4().hex

    def send(try_number, **arguments):
        task = KafkaRestProduceOperator(
            task_id="send", topic=topic.topic, key_column="ind", dead_letter_bucket=bucket,
            sql=f"SELECT n AS ind, 'title ' || n AS title FROM generate_series(1, {ROWS}) AS n ORDER BY n", **arguments,
        )  # fmt: skip
        ti = SimpleNamespace(dag_id="d", run_id=run, task_id="send", try_number=try_number, map_index=-1)
        return task.execute({"ti": ti, "ds": "2026-11-24"})

    broker.stop()
    with pytest.raises(TransientError, match=rf"topic {topic.topic}: \d+ records not delivered, .* 50003: "):
        send(1, max_attempts=1)
    restart = threading.Timer(AWAY_SECONDS, broker.start)
    restart.start()
    result = send(2)
    restart.join()

    records = topic.records()
    assert sorted(int(key) for _, _, key, _ in records) == list(range(1, ROWS + 1))
    assert {partition for partition, _, _, _ in records} == {0, 1, 2}
    assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (ROWS, ROWS, 0)
    assert result["earlier_rows"] == sum(partition < 2 for partition, _, _, _ in records)
    assert result["retries"] >= 1
    assert LakeHook(bucket).names(f"dead-letters/{topic.topic}/") == []
