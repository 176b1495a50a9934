"""Every line of the lake is in bronze once, whatever is delivered again, replayed or broken."""

import gzip
import json
import os
from pathlib import Path

import pytest

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import bronze, rewritten
from pinterest_spark.lakehouse.tables import Lake, read
from pinterest_spark.rows.schemas import BRONZE
from tests.spark.conftest import ARRIVED_MS, envelope, land_in

NOTHING = {"landed": 0, "added": 0, "redelivered": 0}


@pytest.fixture
def load(spark, lake):
    return lambda table="geo": bronze.load_table(spark, lake, table, f"pinterest.{table}")


@pytest.fixture
def rows(spark, lake):
    return lambda table="geo": read(spark, lake.bronze(table), BRONZE).orderBy("partition", "offset").collect()


def test_an_empty_lake_is_no_error_and_neither_is_running_again(spark, lake):
    first = bronze.run(spark, lake, "pinterest")
    second = bronze.run(spark, lake, "pinterest")

    assert first["tables"] == second["tables"] == {"pin": NOTHING, "geo": NOTHING, "user": NOTHING}


def test_a_record_keeps_its_text_and_where_it_came_from(load, rows, land, envelope_of, payload_of):
    land("geo", envelope_of("geo", 7, offset=41, country="Côte “d'Or”\n🎨"))

    result = load()

    [row] = rows()
    assert result == {"landed": 1, "added": 1, "redelivered": 0}
    assert row.payload == payload_of["geo"](7, country="Côte “d'Or”\n🎨")
    assert (row.topic, row.partition, row.offset, row.line_key) == ("pinterest.geo", 0, 41, None)
    assert row.kafka_timestamp.isoformat() == "2025-11-24T22:00:00.041000"
    assert row.source_file == "pinterest.geo/dt=2025-11-24/pinterest.geo+0+0000000000.json.gz"


def test_only_new_objects_are_read(load, rows, land, envelope_of):
    land("geo", envelope_of("geo", 1, offset=0))
    load()
    land("geo", envelope_of("geo", 2, offset=1), envelope_of("geo", 3, offset=2))

    assert load() == {"landed": 2, "added": 2, "redelivered": 0}
    assert len(rows()) == 3
    assert load() == {"landed": 0, "added": 0, "redelivered": 0}
    assert len(rows()) == 3


def test_a_record_that_lands_twice_is_kept_once(load, rows, land, envelope_of):
    records = [envelope_of("geo", ident, offset=ident) for ident in range(4)]
    land("geo", *records[:2], records[1])
    first = load()
    land("geo", *records[1:])
    land("geo", envelope_of("geo", 1, offset=1, partition=1))

    second = load()

    assert first == {"landed": 3, "added": 2, "redelivered": 1}
    assert second == {"landed": 4, "added": 3, "redelivered": 1}
    assert [(row.partition, row.offset) for row in rows()] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1)]


BROKEN = {
    "no JSON": "hello",
    "truncated": '{"payload": "{}", "kafka_topic": "pinterest.geo", "kafka_partition": 0',
    "a row without its envelope": '{"ind": 1}',
    "text for a partition": '{"payload": "x", "kafka_topic": "pinterest.geo", "kafka_partition": "0", '
                            '"kafka_offset": 1, "kafka_timestamp": 1}',
    **{
        f"{name} {value}": json.dumps({**json.loads(envelope("geo", "{}", 5)), name: value})
        for name, value in (
            ("kafka_timestamp", ARRIVED_MS * 1_000_000), ("kafka_timestamp", ARRIVED_MS // 1000),
            ("kafka_timestamp", -1), ("kafka_timestamp", 2**63 - 1), ("kafka_offset", -1), ("kafka_partition", -1),
            ("kafka_topic", ""),
        )
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def bronze_with_broken_lines(spark, tmp_path_factory, payload_of):
    """Bronze after two runs, of which the first found the broken lines, each in an object of its own."""
    lake = Lake(f"file://{tmp_path_factory.mktemp('broken')}/lake")
    good = [envelope("geo", payload_of["geo"](number), number) for number in range(len(BROKEN) + 1)]
    for line, beside in zip(BROKEN.values(), good[:-1], strict=True):
        land_in(lake, "geo", line, beside)
    bronze.load_table(spark, lake, "geo", "pinterest.geo")
    land_in(lake, "geo", good[-1])
    bronze.load_table(spark, lake, "geo", "pinterest.geo")
    return read(spark, lake.bronze("geo"), BRONZE).collect()


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_a_broken_envelope_is_kept_as_it_is_and_once(bronze_with_broken_lines, line):
    broken = [row for row in bronze_with_broken_lines if row.line_key]

    kept = [(row.topic, row.partition, row.offset) for row in broken if row.payload == line]
    assert kept == [(None, None, None)]
    assert len(broken) == len(BROKEN)
    assert len(bronze_with_broken_lines) == 2 * len(BROKEN) + 1


@pytest.mark.parametrize("damage", ["truncated", "no gzip", "nothing"])
def test_an_object_that_cannot_be_read_is_named_and_holds_back_no_other(spark, lake, rows, land, envelope_of, damage):
    for offset in range(3):
        land("geo", *(envelope_of("geo", 100 * offset + n, 100 * offset + n) for n in range(100)))
    folder = Path(lake.uri.removeprefix("file://")) / "topics" / "pinterest.geo" / "dt=2025-11-24"
    second = folder / "pinterest.geo+0+0000000001.json.gz"
    content = second.read_bytes()
    second.write_bytes({"truncated": content[: len(content) // 2], "no gzip": b"[]\n", "nothing": b"\x1f\x8b"}[damage])

    first, again = bronze.run(spark, lake, "pinterest"), bronze.run(spark, lake, "pinterest")

    assert [row.offset for row in rows()] == [*range(100), *range(200, 300)]
    assert first["tables"]["geo"] == {"landed": 200, "added": 200, "redelivered": 0}
    name = "pinterest.geo/dt=2025-11-24/pinterest.geo+0+0000000001.json.gz"
    assert first["unreadable"] == again["unreadable"] == {"pin": [], "geo": [name], "user": []}


def test_a_strangers_object_stops_nothing_whatever_its_name_and_format(spark, lake, rows, land, envelope_of):
    land("geo", envelope_of("geo", 1, 0))
    folder = Path(lake.uri.removeprefix("file://")) / "topics" / "pinterest.geo" / "dt=2025-11-24"
    for name in ("a[1].json.gz", "b{c}*.json.gz", "d %20#.json.gz"):
        (folder / name).write_bytes(b"hello")
    for name in ("e.json.bz2", "f.json.zst", "g.json.tmp"):
        (folder / name).write_bytes(b"hello")
    (folder / "empty.json").touch()

    result = bronze.run(spark, lake, "pinterest")

    assert [row.offset for row in rows()] == [0]
    names = [f"pinterest.geo/dt=2025-11-24/{name}" for name in ("a[1].json.gz", "b{c}*.json.gz", "d %20#.json.gz")]
    assert result["unreadable"]["geo"] == names


def test_a_lake_whose_only_object_cannot_be_read_is_empty(spark, lake, land, envelope_of):
    land("geo", envelope_of("geo", 1, 0))
    (file,) = Path(lake.uri.removeprefix("file://")).rglob("*.gz")
    file.write_bytes(b"[]\n")

    result = bronze.run(spark, lake, "pinterest")

    assert result["tables"]["geo"] == NOTHING
    assert len(result["unreadable"]["geo"]) == 1


def test_an_error_that_is_not_of_an_objects_content_is_raised(spark, lake, load, land, envelope_of, monkeypatch):
    land("geo", envelope_of("geo", 1, 0))

    def away(_):
        raise RuntimeError("reading file s3://lake/a.json.gz.  SQLSTATE: connection reset")

    with monkeypatch.context() as patched:
        patched.setattr(bronze, "arrivals", away)
        with pytest.raises(Exception, match="connection reset"):
            load()
    assert load() == {"landed": 1, "added": 1, "redelivered": 0}


def test_an_object_that_can_be_read_alone_is_not_left_out(spark, lake, load, land, envelope_of, monkeypatch):
    land("geo", envelope_of("geo", 1, 0))
    path = f"{lake.uri}/topics/{NAME.format(0)}"
    count, failures = bronze.arrivals, [RuntimeError(f"reading file {path}.  SQLSTATE: not a gzip file")]

    def damaged(lines):
        if failures:
            raise failures.pop()
        return count(lines)

    with monkeypatch.context() as patched:
        patched.setattr(bronze, "arrivals", damaged)
        with pytest.raises(Exception, match="not a gzip file"):
            load()
    assert load() == {"landed": 1, "added": 1, "redelivered": 0}


def test_a_record_without_a_value_is_kept(load, rows, land, broken_envelope_of):
    land("geo", broken_envelope_of("geo", None, 5))

    load()

    assert [(row.offset, row.payload, row.line_key) for row in rows()] == [(5, None, None)]


def test_a_crash_after_the_write_and_before_the_checkpoint_adds_nothing_twice(load, rows, land, envelope_of, lake):
    land("geo", *(envelope_of("geo", ident, offset=ident) for ident in range(3)), "broken")
    load()
    forget_last_commit(lake, "bronze", "geo")

    replayed = load()

    assert replayed == {"landed": 4, "added": 0, "redelivered": 4}
    assert len(rows()) == 4


NAME = "pinterest.geo/dt=2025-11-24/pinterest.geo+0+{:010d}.json.gz"


def object_file(lake: Lake, number: int) -> Path:
    return Path(lake.uri.removeprefix("file://")) / "topics" / NAME.format(number)


def damage(lake: Lake, number: int) -> None:
    """Cut off the end of an object, whose time stays."""
    file = object_file(lake, number)
    written = file.stat().st_mtime
    file.write_bytes(file.read_bytes()[:-9])
    os.utime(file, (written, written))


def write_again(lake: Lake, number: int, later: int, *lines: str) -> None:
    """Write an object of topic geo again, so many seconds after it was written."""
    file = object_file(lake, number)
    written = file.stat().st_mtime
    file.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    os.utime(file, (written + later, written + later))


def test_an_object_that_was_written_again_with_more_lines_is_read_again_once(load, rows, land, envelope_of, lake):
    records = [envelope_of("geo", ident, offset=ident) for ident in range(8)]
    land("geo", *records[:2])
    land("geo", *records[2:5])  # the sink's commit is lost after this one, and it begins at offset 2 again
    load()
    write_again(lake, 1, 5, *records[2:7])

    first, nothing = load(), load()
    write_again(lake, 1, 5, *records[2:8])
    second = load()

    assert first == {"landed": 5, "added": 2, "redelivered": 3}
    assert nothing == {"landed": 0, "added": 0, "redelivered": 0}
    assert second == {"landed": 6, "added": 1, "redelivered": 5}
    assert [row.offset for row in rows()] == list(range(8))


def test_an_object_written_again_is_read_beside_one_that_is_damaged(spark, load, rows, land, envelope_of, lake):
    records = [envelope_of("geo", ident, offset=ident) for ident in range(4)]
    land("geo", records[0])
    land("geo", records[1])
    load()
    write_again(lake, 0, 5, records[0], records[2])
    write_again(lake, 1, 5, records[1], records[3])
    damage(lake, 1)

    assert load()["added"] == 1
    assert [row.offset for row in rows()] == [0, 1, 2]
    assert bronze.unreadable.known_objects(spark, lake)["geo"] == [NAME.format(1)]


def test_an_object_that_was_damaged_and_is_whole_now_is_no_longer_named(spark, load, rows, land, envelope_of, lake):
    land("geo", envelope_of("geo", 0, offset=0))
    damage(lake, 0)
    assert load()["landed"] == 0
    assert bronze.unreadable.known_objects(spark, lake)["geo"] == [NAME.format(0)]
    write_again(lake, 0, 9, envelope_of("geo", 0, offset=0))

    assert load() == {"landed": 1, "added": 1, "redelivered": 0}
    assert bronze.unreadable.known_objects(spark, lake)["geo"] == []


def test_a_draft_that_a_crash_left_in_the_checkpoint_is_no_batch(load, land, envelope_of, lake):
    land("geo", envelope_of("geo", 0, offset=0))
    load()
    folder = Path(lake.checkpoint("bronze", "geo").removeprefix("file://")) / "sources" / "0"
    (folder / ".7.0b1c.tmp").write_text('v1\n{"path": "file')

    assert load() == {"landed": 0, "added": 0, "redelivered": 0}


def test_a_version_that_was_read_and_not_noted_adds_nothing_twice(load, rows, land, envelope_of, lake, monkeypatch):
    records = [envelope_of("geo", ident, offset=ident) for ident in range(3)]
    land("geo", records[0])
    load()
    write_again(lake, 0, 5, *records)

    def killed(*_):
        raise RuntimeError("killed")

    with monkeypatch.context() as crashing:
        crashing.setattr(rewritten, "note", killed)
        with pytest.raises(RuntimeError, match="killed"):
            load()

    assert load() == {"landed": 3, "added": 0, "redelivered": 3}
    assert [row.offset for row in rows()] == [0, 1, 2]


def test_other_topics_and_other_files_are_left_alone(load, land, envelope_of, lake):
    land("pin", envelope_of("pin", 1, offset=0))
    land("geo", envelope_of("geo", 1, offset=0))
    topics = Path(lake.uri.removeprefix("file://")) / "topics"
    (topics / "pinterest.geo" / "dt=2025-11-24" / "notes.txt").write_text("not a record\n")
    other = topics / "pinterest.geography" / "dt=2025-11-24"
    other.mkdir(parents=True)
    (other / "x.json.gz").write_bytes(gzip.compress(b"x\n"))

    assert load() == {"landed": 1, "added": 1, "redelivered": 0}


def test_a_lake_uri_without_a_scheme_is_refused():
    with pytest.raises(StageError, match="lake_uri is '/data'"):
        Lake("/data")


def forget_last_commit(lake: Lake, stage: str, table: str) -> None:
    """Put the checkpoint where a crash between the batch's work and its commit would have left it."""
    commits = Path(lake.checkpoint(stage, table).removeprefix("file://")) / "commits"
    last = max(int(file.name) for file in commits.iterdir() if file.name.isdigit())
    for name in (f"{last}", f".{last}.crc"):
        (commits / name).unlink(missing_ok=True)
