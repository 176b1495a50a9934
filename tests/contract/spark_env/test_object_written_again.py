"""The sink writes an object, loses the commit of its offsets, and writes the object again with more lines: no gap."""

import base64
import gzip
import json
import os
import signal
import time
import uuid
from http.client import HTTPConnection
from urllib.parse import urlsplit

import boto3
import pytest

from pinterest_spark.lakehouse import bronze, rewritten, silver
from pinterest_spark.lakehouse.tables import Lake
from tests.spark.conftest import pin
from tests.support.groups import TEST_HOME
from tests.support.kafka import KafkaLab
from tests.support.s3_sink import sink_configuration
from tests.support.waiting import wait_until

ROTATION_SECONDS = 20  # by the clock: objects are written at :00, :20 and :40
N = 100  # where the object begins that is written twice


class World:
    """One topic of one partition, its connector, and a lake of its own in S3."""

    def __init__(self, environment):
        prefix = f"again-{uuid.uuid4().hex[:8]}"
        self.topic = f"{prefix}.pin"
        self.prefix = prefix
        self.kafka = KafkaLab(environment, self.topic, num_partitions=1)
        self.bucket = environment["PINTEREST_BUCKET"]
        self.connect = environment["KAFKA_CONNECT_URL"]
        self.lake = Lake(f"s3a://{self.bucket}/{prefix}")
        self.s3 = boto3.client(
            "s3", endpoint_url=environment["AWS_ENDPOINT_URL"], region_name=environment["AWS_DEFAULT_REGION"]
        )
        values = {
            "topics.dir": f"{prefix}/topics", "flush.size": "5000",
            "rotate.schedule.interval.ms": str(ROTATION_SECONDS * 1000),
        }  # fmt: skip
        self.call("PUT", "/config", sink_configuration(self.topic, self.bucket, **values))

    def call(self, method, path="", content=None):
        body = json.dumps(content).encode() if content else None
        url = urlsplit(self.connect)
        key = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {key}"}
        connection = HTTPConnection(url.hostname, url.port, timeout=60)
        connection.request(method, f"/connectors/{self.topic}{path}", body, headers)
        answer = connection.getresponse()
        assert answer.status < 300, answer.read()
        connection.close()

    def send(self, first, last):
        self.kafka.send(*(pin(number) for number in range(first, last + 1)))

    def lines(self, start):
        """Return how many lines the object has that begins there; 0 where there is none."""
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/"):
            for found in page.get("Contents", ()):
                if f"+0+{start:010d}." in found["Key"]:
                    body = self.s3.get_object(Bucket=self.bucket, Key=found["Key"])["Body"].read()
                    return gzip.decompress(body).count(b"\n")
        return 0

    def committed(self):
        return self.kafka.committed(f"connect-{self.topic}")

    def close(self):
        self.call("DELETE")
        self.kafka.delete()


def pid_of(server):
    return int((TEST_HOME / "pids" / f"{server}.pid").read_text())


def kill_and_wait(server):
    """Kill a server, and return once another process of its name is there; what it had not read yet is lost."""
    pid = pid_of(server)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pid_of(server) != pid, 120, f"{server} is started again")


@pytest.fixture
def world(spark, stand_ins):
    environment = stand_ins("kafka_connect", "ministack")
    hadoop = spark._jsc.hadoopConfiguration()
    hadoop.set("fs.s3a.endpoint", environment["AWS_ENDPOINT_URL"])
    hadoop.set("fs.s3a.endpoint.region", environment["AWS_DEFAULT_REGION"])
    hadoop.set("fs.s3a.path.style.access", "true")
    hadoop.set("fs.s3a.connection.ssl.enabled", "false")
    os.environ.update({name: value for name, value in environment.items() if name.startswith("AWS_")})
    found = World(environment)
    yield found
    found.close()


def in_bronze(spark, world):
    """Bring what is new through bronze and silver; return what the gap check says of the partition, and the rows."""
    bronze.load_table(spark, world.lake, "pin", world.topic)
    result = silver.run(spark, world.lake, world.prefix, {})
    [found] = result["offsets"]["pin"]
    return found, result["totals"]["pin"]


def test_no_record_is_missing_and_the_gap_check_sees_it_without_the_second_reading(spark, world, monkeypatch):
    world.send(0, N - 1)
    wait_until(lambda: world.committed() == N, 180, "the sink has committed its first object")
    wait_until(lambda: time.time() % ROTATION_SECONDS < 3, 2 * ROTATION_SECONDS)

    world.send(N, N + 299)
    time.sleep(4)  # the sink reads them
    os.kill(pid_of("kafka"), signal.SIGSTOP)
    assert world.lines(N) == 0
    wait_until(lambda: world.lines(N), 40, "the sink has written what it had read")
    os.kill(pid_of("kafka_connect"), signal.SIGSTOP)
    assert world.lines(N) == 300
    first, _ = in_bronze(spark, world)
    kill_and_wait("kafka")  # with the commit in its socket
    world.send(N + 300, N + 499)
    assert world.committed() == N
    kill_and_wait("kafka_connect")
    wait_until(lambda: world.lines(N) == 500, 180, lambda: f"the object has {world.lines(N)} lines")
    wait_until(lambda: world.committed() == N + 500, 60, "the sink has committed it")
    world.send(N + 500, N + 509)
    wait_until(lambda: world.lines(N + 500) == 10, 60, "later records have landed")

    with monkeypatch.context() as off:
        off.setattr(rewritten, "find", lambda *_: [])
        without, _ = in_bronze(spark, world)
    whole, totals = in_bronze(spark, world)

    assert (first["first_offset"], first["last_offset"], first["missing"]) == (0, N + 299, [])
    assert (without["missing"], without["missing_offsets"]) == ([[N + 300, N + 499]], 200)
    assert (whole["last_offset"], whole["missing"], whole["missing_offsets"]) == (N + 509, [], 0)
    assert totals == {"bronze": N + 510, "silver": N + 510, "duplicates": 0, "quarantined": 0}
