"""The S3 sink plugin in the real Connect worker, with the product's own connector file."""

import json
import os
import re
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.groups import TEST_HOME
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[3]
WORKER_PID_FILE = TEST_HOME / "pids" / "kafka_connect.pid"
NO_ROTATION = {"rotate.schedule.interval.ms": "-1"}
LAST_DAY_OF_2023 = 1_704_067_199_000  # 23:59:59 UTC, a Sunday: in the United States its week belongs to 2024


def wait_for(claim, seconds=60):
    wait_until(claim, seconds, pause=0.2)


@pytest.mark.parametrize(
    ("value", "payload"),
    [
        pytest.param('{"index": 7, "title": "a"}', '{"index": 7, "title": "a"}', id="json"),
        pytest.param('{"index": 7, "ti', '{"index": 7, "ti', id="truncated json"),
        pytest.param('line\none\r\n"two"\\ |\t,', 'line\none\r\n"two"\\ |\t,', id="newlines and quotes"),
        pytest.param("🎄 汉字 …\u00a0 \u2028", "🎄 汉字 …\u00a0 \u2028", id="beyond latin"),
        pytest.param("\\ud83d lone", "\\ud83d lone", id="escaped surrogate"),
        pytest.param("", "", id="empty"),
        pytest.param(b"\xff\xfe", "\ufffd\ufffd", id="not utf-8"),
        pytest.param(None, None, id="tombstone"),
    ],
)
def test_a_record_is_one_line_with_its_raw_text_and_its_coordinates(sink, value, payload):
    sink.send(value, partition=1, timestamp_ms=LAST_DAY_OF_2023)

    sink.create(**{"flush.size": "1"})

    wait_for(sink.objects)
    expected = {
        "payload": payload,
        "kafka_topic": sink.topic,
        "kafka_partition": 1,
        "kafka_offset": 0,
        "kafka_timestamp": LAST_DAY_OF_2023,
    }
    [line] = sink.lines()
    assert json.loads(line) == expected
    assert list(json.loads(line)) == list(expected)


def test_an_object_lies_under_the_utc_day_of_its_records_and_is_named_by_its_first_offset(sink):
    day_ms = 86_400_000
    sink.send("a", timestamp_ms=LAST_DAY_OF_2023)
    sink.send("b", timestamp_ms=LAST_DAY_OF_2023 + 1000)
    sink.send("c", timestamp_ms=LAST_DAY_OF_2023)
    sink.send("d", partition=1, timestamp_ms=LAST_DAY_OF_2023 - 2 * day_ms)

    sink.create(**NO_ROTATION, **{"flush.size": "3"})
    wait_for(lambda: len(sink.objects()) == 2)
    sink.send("e", "f", partition=1, timestamp_ms=LAST_DAY_OF_2023 - 2 * day_ms)

    wait_for(lambda: len(sink.objects()) == 3)
    assert set(sink.objects()) == {
        f"dt=2023-12-31/{sink.topic}+0+0000000000.json.gz",
        f"dt=2024-01-01/{sink.topic}+0+0000000001.json.gz",
        f"dt=2023-12-29/{sink.topic}+1+0000000000.json.gz",
    }


def test_flush_size_ends_an_object_and_what_is_not_in_the_lake_is_not_committed(sink):
    sink.send(*(str(number) for number in range(7)), timestamp_ms=LAST_DAY_OF_2023)

    name = sink.create(**NO_ROTATION, **{"flush.size": "3"})

    wait_for(lambda: sink.committed(name) == 6)
    assert [json.loads(line)["payload"] for line in sink.lines()] == ["0", "1", "2", "3", "4", "5"]
    assert [key[-18:-8] for key in sorted(sink.objects())] == ["0000000000", "0000000003"]
    time.sleep(6)  # longer than the worker's commit interval
    assert sink.committed(name) == 6


def test_the_tail_lands_by_the_clock_without_another_record(sink):
    name = sink.create()
    wait_for(lambda: sink.task(name)["state"] == "RUNNING")
    sink.send("the only one")
    sent = time.monotonic()

    wait_for(sink.objects, seconds=20)

    assert time.monotonic() - sent < 5  # the rotation is each second
    wait_for(lambda: sink.committed(name) == 1)


def test_reading_a_topic_again_writes_objects_of_the_same_names_and_bytes(sink):
    sink.send(*(str(number) for number in range(20)), timestamp_ms=LAST_DAY_OF_2023)
    first = sink.create(**NO_ROTATION, **{"flush.size": "5"})
    wait_for(lambda: sink.committed(first) == 20)
    before = sink.objects()

    second = sink.create(**NO_ROTATION, **{"flush.size": "5", "topics.dir": f"again/{sink.topic}"})
    wait_for(lambda: sink.committed(second) == 20)

    assert len(before) == 4
    assert sink.objects(f"again/{sink.topic}") == before


def test_a_worker_killed_in_mid_flow_loses_no_record(sink):
    name = sink.create(**{"flush.size": "40"})
    wait_for(lambda: sink.task(name)["state"] == "RUNNING")
    producing = threading.Thread(target=lambda: [sink.send(*["x" * 200] * 50) or time.sleep(0.05) for _ in range(60)])
    producing.start()
    wait_for(lambda: len(sink.objects()) > 3)

    killed = int(WORKER_PID_FILE.read_text())
    os.kill(killed, signal.SIGKILL)

    producing.join()
    wait_for(lambda: int(WORKER_PID_FILE.read_text()) != killed)
    wait_for(lambda: sink.committed(name) == 3000, seconds=90)
    assert set(sink.offsets()) == set(range(3000))


def test_an_outage_of_s3_is_waited_for_and_changes_neither_names_nor_content(sink):
    s3 = Forwarder(sink.s3_url)
    name = sink.create(**NO_ROTATION, **{"flush.size": "10", "store.url": s3.url, "retry.backoff.ms": "500"})
    wait_for(lambda: sink.task(name)["state"] == "RUNNING")
    sink.send(*(str(number) for number in range(5)))
    time.sleep(1)  # these wait in the buffer when the others, which fill it, are handed over again and again
    sink.send(*(str(number) for number in range(5, 40)))
    time.sleep(5)
    assert sink.objects() == {}
    assert sink.committed(name) <= 0
    assert sink.task(name)["state"] == "RUNNING"

    s3.open()

    wait_for(lambda: sink.committed(name) == 40)
    assert sink.offsets() == list(range(40))
    assert [int(re.search(r"\+(\d{10})\.", key)[1]) for key in sorted(sink.objects())] == [0, 10, 20, 30]
    s3.close()


def test_a_bucket_that_does_not_exist_fails_the_task_and_is_named(sink):
    name = sink.create(**{"s3.bucket.name": "no-such-bucket"})

    wait_for(lambda: sink.task(name)["state"] == "FAILED")

    assert "Cannot use bucket s3://no-such-bucket" in sink.task(name)["trace"]


def test_a_tombstone_without_the_hoist_fails_the_task_and_says_what_to_set(sink):
    sink.send(None)

    name = sink.create(transforms="")

    wait_for(lambda: sink.task(name)["state"] == "FAILED")
    assert (
        f"The record at {sink.topic}-0 offset 0 has no value. Set behavior.on.null.values" in sink.task(name)["trace"]
    )


def test_the_products_configuration_is_valid(validating):
    assert validating.problems() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("s3.ssea.name", "AES256"),
        ("s3.object.tagging", "true"),
        ("partition.field.name", "country"),
        ("flush.sizes", "5000"),
        ("aws.access.key.id", "anything"),
        ("format.class", "io.confluent.connect.s3.format.parquet.ParquetFormat"),
        ("storage.class", "io.confluent.connect.hdfs.storage.HdfsStorage"),
        ("partitioner.class", "io.confluent.connect.storage.partitioner.FieldPartitioner"),
        ("schema.compatibility", "BACKWARD"),
        ("timestamp.extractor", "RecordField"),
        ("s3.compression.type", "snappy"),
        ("behavior.on.null.values", "write"),
        ("path.format", "'dt'=xxxx-'W'ww"),
        ("path.format", "'dt=YYYY"),
        ("path.format", ""),
        ("timezone", "Mars/Olympus"),
        ("timezone", ""),
        ("locale", ""),
        ("partition.duration.ms", "0"),
        ("flush.size", "0"),
        ("flush.size", "many"),
    ],
)
def test_what_the_plugin_cannot_do_is_refused_by_name(validating, name, value):
    problems = validating.problems(**{name: value})

    assert set(problems) == {name}
    assert any(name in message for message in problems[name])


def test_rotation_by_record_time_is_refused_without_the_partitioner_that_it_needs(validating):
    problems = validating.problems(
        **{
            "partitioner.class": "io.confluent.connect.storage.partitioner.DefaultPartitioner",
            "rotate.interval.ms": "1000",
        }
    )

    assert set(problems) == {"rotate.interval.ms"}


class Forwarder:
    """A port that refuses until it is opened, and then leads to ``target_url``."""

    def __init__(self, target_url: str) -> None:
        self.target = ("127.0.0.1", int(target_url.rsplit(":", 1)[1]))
        self.server = socket.socket()
        self.server.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"

    def open(self) -> None:
        self.server.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.server.accept()
                far = socket.create_connection(self.target)
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self.copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.server.close()
