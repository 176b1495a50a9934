"""A micro-batch too big for the driver goes by the executors, and ends as any other does."""

import pytest

from pinterest_spark.errors import StageError
from pinterest_spark.rows.schemas import SILVER
from pinterest_spark.stream.queries import Writer
from pinterest_spark.stream.settings import StreamSettings
from tests.support.stream import ARRIVED, checkpoint, warehouse_of

LINEAGE = (
    "stream string, shard_id string, stream_sequence string, ingested_at timestamp, payload string, "
    "reject_reason string, defects array<string>"
)
SUMS = "SELECT sum(record_count), sum(row_count), sum(duplicate_count), sum(quarantined_count) FROM stream.progress"


@pytest.fixture
def warehouse(stand_ins):
    with warehouse_of(stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]) as one:
        yield one


@pytest.fixture
def batch(spark):
    """90 records in three partitions: 40 keys, each twice, and 10 rejected ones."""
    columns = ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in SILVER["user"])
    accepted = [
        (n % 40, f"name {n}\t\\", n, ARRIVED, "s", f"shard-{n % 2}", str(n), ARRIVED, None, None, ["age"])
        for n in range(80)
    ]
    rejected = [
        (None, None, None, None, "s", "shard-0", str(n), ARRIVED, "{\x00", "no ind", []) for n in range(100, 110)
    ]
    return spark.createDataFrame(accepted + rejected, f"{columns}, {LINEAGE}").repartition(3)


def check(warehouse):
    assert warehouse.rows(SUMS) == [(90, 40, 40, 10)]
    assert warehouse.rows('SELECT ind, user_name, age FROM stream."user" ORDER BY ind LIMIT 1') == [
        (0, "name 40\t\\", 40)
    ]
    assert warehouse.one("SELECT count(*) FROM stream.quarantine WHERE payload = E'{\\uFFFD'") == 10
    assert warehouse.one("SELECT count(*) FROM stream.copied_user") == 0
    assert warehouse.one("SELECT defects FROM stream.progress") == {"age": 80}


def test_executors_copy_it_once_whatever_an_earlier_attempt_left(warehouse, batch):
    one = checkpoint()
    warehouse.connection.execute(
        "INSERT INTO stream.copied_user (checkpoint_id, batch_id, part, ind, stream, shard_id, stream_sequence,"
        " ingested_at) SELECT %s, 0, part, 999, 's', 'x', 1, now() FROM generate_series(0, 5) AS part",
        [one],
    )

    done = warehouse.sink("user").commit_by_executors(one, 0, batch)
    replay = warehouse.sink("user").commit_by_executors(one, 0, batch)

    assert (done.records, done.rows, done.duplicates, done.quarantined) == (90, 40, 40, 10)
    assert replay.is_replay
    check(warehouse)


def test_copied_rows_that_a_crash_of_the_server_took_are_missed(warehouse, batch, monkeypatch):
    sink = warehouse.sink("user")
    apply = sink._apply

    def lose_then_apply(*given):
        warehouse.connection.execute("TRUNCATE stream.copied_user")
        return apply(*given)

    monkeypatch.setattr(sink, "_apply", lose_then_apply)

    with pytest.raises(StageError, match=r"0 rows in stream\.copied_user, the executors copied 90"):
        sink.commit_by_executors(checkpoint(), 0, batch)
    assert warehouse.rows(SUMS) == [(None, None, None, None)]


@pytest.mark.parametrize(("driver_rows", "way"), [(89, "executors"), (90, "driver")])
def test_the_number_of_records_decides_and_the_lake_has_each_once(
    warehouse, batch, tmp_path, monkeypatch, driver_rows, way
):
    settings = StreamSettings("p", "us-east-1", "file:///x", lake_uri=f"file://{tmp_path}/lake")
    writer = Writer(settings, "user", warehouse.url, driver_rows=driver_rows)
    ways = []
    for name in ("commit", "commit_by_executors"):
        commit = getattr(writer.sink, name)
        monkeypatch.setattr(writer.sink, name, lambda *given, c=commit, n=name: ways.append(n) or c(*given))
    writer.checkpoint_id.set_result(checkpoint())

    writer.write(batch, 0)
    writer.write(batch, 0)

    assert ways == [{"executors": "commit_by_executors", "driver": "commit"}[way]] * 2
    check(warehouse)
    assert writer.counts == {
        "batches": 2, "replays": 1, "records": 90, "rows": 40, "duplicates": 40, "quarantined": 10,
    }  # fmt: skip
    assert batch.sparkSession.read.format("delta").load(f"{tmp_path}/lake/delta/stream/user").count() == 90
