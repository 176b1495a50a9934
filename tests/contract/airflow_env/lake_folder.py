"""A folder of the lake's bucket, filled as the sink would, and the sensor that waits for it."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from pinterest_pipeline.common.compat import AirflowSensorTimeout
from pinterest_pipeline.lake.hook import LakeHook
from pinterest_pipeline.lake.sensors import KafkaOffsetsLandedSensor


class Lake:
    def __init__(self, bucket, topics_dir):
        self.bucket = bucket
        self.topics_dir = topics_dir
        self.hook = LakeHook(bucket)
        self.now = datetime.now(UTC)

    def day(self, later=0):
        return (self.now + timedelta(days=later)).date().isoformat()

    def key(self, partition, start, *, later=0, suffix=".json.gz", topic="t", topics_dir=None):
        folder = f"{topics_dir or self.topics_dir}/{topic}/dt={self.day(later)}"
        return f"{folder}/{topic}+{partition}+{start:010d}{suffix}"

    def land(self, partition, offsets, *, start=None, at=None, suffix=".json.gz", **place):
        """Write the records of some offsets as one object; ``at`` is their Kafka timestamp."""
        timestamp = int((at or self.now).timestamp() * 1000)
        lines = "".join(
            json.dumps(
                {"payload": "{}", "kafka_topic": "t", "kafka_partition": partition, "kafka_offset": offset,
                 "kafka_timestamp": timestamp}
            ) + "\n"
            for offset in offsets
        ).encode()  # fmt: skip
        key = self.key(partition, offsets[0] if start is None else start, suffix=suffix, **place)
        self.put(key, gzip.compress(lines) if suffix.endswith(".gz") else lines)
        return key

    def put(self, key, content):
        self.hook.load_bytes(content, key, self.bucket, replace=True)

    def sensor(self, *, bucket=None, sent=None, gaps=(), topics_dir=None, **last_offsets):
        partitions = [
            {"partition": int(name[1:]), "first_offset": 0, "last_offset": last, "gaps": list(gaps)}
            for name, last in last_offsets.items()
        ]
        started_at = (sent or self.now).isoformat(timespec="seconds")
        produced = [{"topic": "t", "started_at": started_at, "seconds": 5.0, "partitions": partitions}]
        return KafkaOffsetsLandedSensor(
            task_id="posts_landed", bucket=bucket or self.bucket, produced=produced,
            topics_dir=topics_dir or self.topics_dir, poke_interval=0.1, timeout=0.2, deferrable=False,
        )  # fmt: skip

    def waits(self, message, **arguments):
        with pytest.raises(AirflowSensorTimeout, match=message):
            self.sensor(**arguments).execute({})
