"""One query of the running stream has lost records: it waits for a user, the others go on, and so does it when told."""

from threading import Thread
from types import SimpleNamespace

import pytest

from pinterest_spark.stream import queries as stream
from pinterest_spark.stream.settings import StreamSettings
from tests.contract.spark_env.test_kinesis_source_faults import older
from tests.support.kinesis_source import SourceLab
from tests.support.stream import warehouse_of, wire
from tests.support.waiting import wait_until

ASK = """INSERT INTO stream.control (query, stop_requested_at) VALUES ('all', now())
ON CONFLICT (query) DO UPDATE SET stop_requested_at = now()"""
ACCEPT = """INSERT INTO stream.data_loss (query, accepted_at, accepted_by, reason) VALUES (%s, now(), 'ada', 'r')
ON CONFLICT (query) WHERE used_at IS NULL DO UPDATE SET accepted_at = now(), accepted_by = 'ada', reason = 'r'"""
LOSSES = "SELECT query, what, lost_from, lost_to, accepted_by, used_at IS NOT NULL FROM stream.data_loss ORDER BY id"


class Running:
    """The notebook's own function, in a thread, over the tables pin and geo."""

    def __init__(self, spark, kinesis, warehouse, folder):
        self.warehouse = warehouse
        self.settings = StreamSettings(
            kinesis.name, "us-east-1", f"file://{folder}", kinesis.endpoint_url, 0.1, tables=("pin", "geo")
        )
        self.result = SimpleNamespace(value=None, error=None)
        self.thread = Thread(target=self.run, args=(spark,), daemon=True)
        self.thread.start()

    def run(self, spark):
        try:
            self.result.value = stream.run(spark, self.settings, self.warehouse.url)
        except Exception as error:  # noqa: BLE001 - the test says what it was
            self.result.error = error

    def wait_for(self, statement, expected):
        def is_so():
            assert self.thread.is_alive(), self.result
            return self.warehouse.rows(statement) == expected

        wait_until(is_so, 240, lambda: f"{expected}, not {self.warehouse.rows(statement)}")

    def stop(self):
        self.warehouse.connection.execute(ASK)
        self.thread.join(240)
        assert not self.thread.is_alive()
        assert self.result.error is None
        return self.result.value


@pytest.fixture
def warehouse(stand_ins):
    with warehouse_of(stand_ins("postgres", "kinesis")["PINTEREST_WAREHOUSE_URL"]) as one:
        yield one


@pytest.fixture
def streams(kinesis):
    """Two streams of the same prefix, and a function that puts posts into one of them."""
    names = {table: f"{kinesis.name}-{table}" for table in ("pin", "geo")}
    for name in names.values():
        kinesis.client.create_stream(StreamName=name, ShardCount=1)
        kinesis.client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def put(table, first, last):
        records = [{"Data": wire(table, ind), "PartitionKey": str(ind)} for ind in range(first, last)]
        assert kinesis.client.put_records(StreamName=names[table], Records=records)["FailedRecordCount"] == 0

    yield put
    for name in names.values():
        kinesis.client.delete_stream(StreamName=name)


def test_a_loss_stops_its_own_query_until_a_user_accepts_it(spark, kinesis, streams, warehouse, tmp_path):
    counts = "SELECT (SELECT count(*) FROM stream.pin)::int, (SELECT count(*) FROM stream.geo)::int"
    first = Running(spark, kinesis, warehouse, tmp_path)
    streams("pin", 0, 10)
    streams("geo", 0, 10)
    first.wait_for(counts, [(10, 10)])
    first.stop()
    SourceLab(spark, kinesis, tmp_path / "stream_pin").edit_offset(older(hours=30))
    streams("pin", 10, 15)
    streams("geo", 10, 15)

    second = Running(spark, kinesis, warehouse, tmp_path)
    second.wait_for(counts, [(10, 15)])
    second.wait_for("SELECT query, accepted_at, used_at FROM stream.data_loss", [("stream_pin", None, None)])
    streams("geo", 15, 20)
    second.wait_for(counts, [(10, 20)])

    warehouse.connection.execute(ACCEPT, ["stream_pin"])
    second.wait_for(counts, [(15, 20)])
    second.stop()
    [(query, what, lost_from, lost_to, accepted_by, is_used)] = warehouse.rows(LOSSES)
    assert (query, accepted_by, is_used) == ("stream_pin", "ada", True)
    assert "(6.0 hours) on 1 shards" in what
    assert (lost_to - lost_from).total_seconds() == pytest.approx(6 * 3600, abs=300)  # the test takes time


def test_an_acceptance_is_for_one_launch_also_where_nothing_was_lost(spark, kinesis, streams, warehouse, tmp_path):
    """It was given for a checkpoint that is older than the retention, of a stream in which nothing arrived since."""
    first = Running(spark, kinesis, warehouse, tmp_path)
    streams("pin", 0, 10)
    first.wait_for("SELECT count(*)::int FROM stream.pin", [(10,)])
    first.stop()
    SourceLab(spark, kinesis, tmp_path / "stream_pin").edit_offset(older(hours=30))
    warehouse.connection.execute(ACCEPT, ["stream_pin"])

    second = Running(spark, kinesis, warehouse, tmp_path)
    second.wait_for("SELECT what FROM stream.data_loss WHERE used_at IS NOT NULL", [("nothing was lost",)])
    streams("pin", 10, 12)
    second.wait_for("SELECT count(*)::int FROM stream.pin", [(12,)])
    second.stop()
