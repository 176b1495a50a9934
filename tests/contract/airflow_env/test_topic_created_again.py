"""A topic is deleted and created again between two days: real broker, proxy, sink and S3, and the DAG's own tasks."""

import gzip
import json
import uuid
from pathlib import Path
from string import Template
from types import SimpleNamespace

import httpx
import pytest

from pinterest_pipeline.common.compat import AirflowSensorTimeout
from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.daily_batch import check_offsets
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from pinterest_pipeline.kafka_rest.operators import KafkaRestProduceOperator
from pinterest_pipeline.lake.hook import LakeHook
from pinterest_pipeline.lake.sensors import KafkaOffsetsLandedSensor
from tests.support.kafka import KafkaLab
from tests.support.s3_sink import CONNECTOR_FILE, PLUGIN
from tests.support.waiting import wait_until

POSTS = "SELECT n AS ind, 'post ' || n AS title FROM generate_series(%(first)s::int, %(last)s::int) AS n"

pytestmark = pytest.mark.usefixtures("connections")


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("postgres", "ministack", "kafka", "kafka_rest", "kafka_connect")


@pytest.fixture
def world(environment):
    found = World(environment)
    yield found
    found.close()


class World:
    """One topic, its connectors, and a folder of the lake."""

    def __init__(self, environment):
        self.bucket = environment["PINTEREST_BUCKET"]
        self.environment = environment
        self.connect = httpx.Client(base_url=environment["KAFKA_CONNECT_URL"], timeout=30)
        self.kafka = KafkaLab(self.environment, f"again-{uuid.uuid4().hex[:8]}")
        self.topics_dir = f"test/{self.topic}/topics"

    @property
    def topic(self):
        return self.kafka.topic

    def create_again(self):
        self.kafka.delete()
        wait_until(lambda: self.topic not in KafkaRestHook().topics(), 60, "the topic is gone")
        self.kafka = KafkaLab(self.environment, self.topic)

    def send(self, first, last):
        task = KafkaRestProduceOperator(
            task_id="send", sql=POSTS, parameters={"first": first, "last": last}, topic=self.topic, key_column="ind",
            dead_letter_bucket=self.bucket, dead_letter_prefix="test/dead-letters",
        )  # fmt: skip
        ti = SimpleNamespace(dag_id="d", run_id=uuid.uuid4().hex, task_id="send", try_number=1, map_index=-1)
        return task.execute({"ti": ti, "ds": "2026-11-24"})

    def connector(self, topics_dir):
        values = {
            "topics": self.topic, "bucket": self.bucket, "region": "us-east-1", "topics_dir": topics_dir,
            "rotate_schedule_interval_ms": "1000", "dead_letter_topic": "pinterest.dead-letters",
        }  # fmt: skip
        declared = json.loads(Path(CONNECTOR_FILE).read_text())["connectorConfiguration"]
        filled = {name: Template(value).substitute(values) for name, value in declared.items()}
        self.connect.put(
            f"/connectors/{self.topic}/config", json={**filled, "connector.class": PLUGIN, "tasks.max": "1"}
        ).raise_for_status()

    def stop_connector(self):
        self.connect.delete(f"/connectors/{self.topic}")

    def landed(self, produced, topics_dir, timeout=90):
        sensor = KafkaOffsetsLandedSensor(
            task_id="posts_landed", bucket=self.bucket, produced=produced, topics_dir=topics_dir, poke_interval=0.5,
            timeout=timeout, deferrable=False,
        )  # fmt: skip
        return sensor.execute({})

    def grow(self, topics_dir):
        return check_offsets.function([self.topic], bucket=self.bucket, topics_dir=topics_dir)

    def posts(self, topics_dir):
        hook, found = LakeHook(self.bucket), []
        for key in hook.list_keys(self.bucket, prefix=f"{topics_dir}/{self.topic}/"):
            body = hook.get_conn().get_object(Bucket=self.bucket, Key=key)["Body"].read()
            found += [json.loads(json.loads(line)["payload"])["ind"] for line in gzip.decompress(body).splitlines()]
        return sorted(found)

    def close(self):
        self.stop_connector()
        self.kafka.delete()


def test_it_is_noticed_before_anything_is_sent_and_a_new_generation_lands_beside_the_old_one(world):
    first, second = world.topics_dir, f"{world.topics_dir}-2"
    world.connector(first)
    world.grow(first)
    assert world.landed(world.send(0, 4), first)
    assert world.grow(first)

    world.stop_connector()
    world.create_again()

    went_back = r"partition \d: Kafka's next offset is 0, but the lake has offset \d .*docs/runbook\.md"
    with pytest.raises(PermanentError, match=rf"Nothing was sent\. topic {world.topic}, {went_back}"):
        world.grow(first)
    assert world.grow(second) == {world.topic: {str(partition): [0, 0] for partition in range(3)}}
    produced = world.send(100, 104)
    with pytest.raises(AirflowSensorTimeout, match="acknowledged offsets are not in the lake"):
        world.landed(produced, second, timeout=1)

    world.connector(second)

    assert world.landed(produced, second)
    assert world.posts(first) == [0, 1, 2, 3, 4]
    assert world.posts(second) == [100, 101, 102, 103, 104]
