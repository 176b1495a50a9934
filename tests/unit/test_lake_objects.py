"""What the names and the lines of the sink's objects say."""

from datetime import UTC, datetime

import pytest

from pinterest_pipeline.lake.objects import last_offset, read_records, sink_objects

SENT = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)


def test_other_topics_and_files_are_passed_over():
    names = (
        "topics/t/dt=2026-11-24/_SUCCESS",
        "topics/t/dt=2026-11-24/u+0+1.json",
        "topics/t/dt=2026-11-24/t+0+x.json",
    )

    assert sink_objects([{"Key": name, "LastModified": SENT, "ETag": "1"} for name in names], "t") == []


GOOD = b'{"payload":"{\\"kafka_offset\\":1}","kafka_offset":8,"kafka_timestamp":5}\n'


def test_the_last_offset_is_that_of_the_last_line():
    assert last_offset([b'{"kafka_offset":7,"kafka_timestamp":5}\n', GOOD], "k") == 8


@pytest.mark.parametrize(
    "line",
    [b"\n", b"{}\n", b"7\n", b"null\n", b'{"kafka_offset":null,"kafka_timestamp":1}', b'{"kafka_offset":1}', b"\x1f"],
)
def test_an_object_that_the_sink_did_not_write_is_named(line):
    with pytest.raises(ValueError, match="object the-key: a line has no kafka_offset and kafka_timestamp"):
        read_records([GOOD, line], "the-key")


def test_an_empty_object_is_named():
    with pytest.raises(ValueError, match="object the-key is empty"):
        read_records([], "the-key")
