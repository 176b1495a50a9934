"""The stream validates and cleans as the batch does, and says clearly what it was told wrong."""

import json
import subprocess
from pathlib import Path

import psycopg
import pytest
from pyspark.sql.datasource import DataSource, SimpleDataSourceStreamReader

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import bronze, silver
from pinterest_spark.rows.schemas import SILVER, TABLES
from pinterest_spark.stream import queries as stream
from pinterest_spark.stream.row_copy import with_sub_sequence
from pinterest_spark.stream.settings import StreamSettings
from pinterest_spark.stream.sink import Committed
from pinterest_spark.stream.statements import statements_of

PROJECT = Path(__file__).resolve().parents[2]
HARD_PAYLOADS = """
import json
from sandbox.data.source.hard_wire import hard_payloads
for payload in hard_payloads(11, 80):
    print(json.dumps(payload[:3]))
"""
ARRIVED = "2026-11-24 10:00:00"
GIVEN = {"stream_prefix": "streaming-pinterest", "region": "us-east-1", "checkpoint_uri": "file:///checkpoints"}


@pytest.fixture(scope="module")
def payloads(payload_of):
    """Raw records by table: hard ones, and each table's records in the others' streams."""
    python = str(PROJECT / ".venv" / "sandbox" / "bin" / "python")
    printed = subprocess.run([python, "-c", HARD_PAYLOADS], cwd=PROJECT, capture_output=True, text=True, check=True)
    sent = [json.loads(line) for line in printed.stdout.splitlines()]
    strays = [payload_of[other](5) for other in TABLES]
    return {table: [text for name, _, text in sent if name == table] + strays for table in TABLES}


@pytest.fixture(scope="module")
def through_both(spark, payloads):
    """Return a function of a table: rows, in order, of the batch's path and of the stream's."""

    def run(table):
        texts = payloads[table]
        lines = [
            json.dumps({"payload": text, "kafka_topic": "t", "kafka_partition": 0, "kafka_offset": number,
                        "kafka_timestamp": 1_795_514_400_000}, ensure_ascii=False)
            for number, text in enumerate(texts)
        ]  # fmt: skip
        landed = bronze.open_envelopes(
            spark.createDataFrame([(line, "f") for line in lines], "value string, source_file string")
        )
        columns = [*SILVER[table].names, "_reject_reason", "_payload", "_defects"]
        by_batch = silver.validate(landed, table, "t").orderBy("_kafka_offset").select(*columns).collect()
        records = [(text.encode("utf-8", "replace"), "s", "shard", str(number)) for number, text in enumerate(texts)]
        kinesis = spark.createDataFrame(records, "data binary, stream string, shardId string, sequenceNumber string")
        kinesis = kinesis.selectExpr("*", f"timestamp'{ARRIVED}' AS approximateArrivalTimestamp")
        by_stream = stream.validate(kinesis, table).orderBy(kinesis.sequenceNumber.cast("int")).collect()
        return by_batch, by_stream

    return run


@pytest.mark.parametrize("table", TABLES)
def test_the_same_raw_records_come_out_of_batch_and_stream_alike(through_both, payloads, table):
    by_batch, by_stream = through_both(table)

    names = SILVER[table].names
    assert [tuple(row[name] for name in names) for row in by_batch] == [
        tuple(row[name] for name in names) for row in by_stream
    ]
    assert [(row._reject_reason, row._payload, row._defects) for row in by_batch] == [
        (row.reject_reason, row.payload, row.defects) for row in by_stream
    ]
    accepted = sum(row.reject_reason is None for row in by_stream)
    assert len(by_stream) == len(payloads[table])
    assert 30 < accepted < len(by_stream) - 10
    assert [row.reject_reason for row in by_stream[-3:]].count("record of another table") == 2


def test_the_stream_hands_over_what_the_sink_takes_and_bytes_that_are_no_text_are_marked(spark):
    record = (b'{"ind": 1, "country": "\xff\xfe"}\x00', "s", "shard-1", "49")
    kinesis = spark.createDataFrame([record], "data binary, stream string, shardId string, sequenceNumber string")
    kinesis = kinesis.selectExpr("*", f"timestamp'{ARRIVED}' AS approximateArrivalTimestamp")

    validated = stream.validate(kinesis, "geo")

    assert tuple(validated.columns) == statements_of("geo").columns
    [row] = validated.collect()
    assert (row.reject_reason, row.shard_id, row.stream_sequence) == ("unparsable JSON", "shard-1", "49")
    assert row.payload == '{"ind": 1, "country": "\ufffd\ufffd"}\x00'
    assert row.payload_bytes == record[0]


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        pytest.param(b"\xff{}", b"\xff{}", id="no UTF-8"),
        pytest.param(b"x\x00", b"x\x00", id="NUL"),
        pytest.param(b"\xed\xa0\x80", b"\xed\xa0\x80", id="half a surrogate pair"),
        pytest.param("no JSON \ufffd é".encode(), None, id="text"),
        pytest.param(b"", None, id="nothing"),
        pytest.param(b'{"ind": 1}', None, id="accepted"),
    ],
)
def test_a_rejected_record_keeps_its_bytes_where_text_cannot_hold_them(spark, data, kept):
    kinesis = spark.createDataFrame(
        [(data, "s", "shard-1", "49")], "data binary, stream string, shardId string, sequenceNumber string"
    ).selectExpr("*", f"timestamp'{ARRIVED}' AS approximateArrivalTimestamp")

    [row] = stream.validate(kinesis, "geo").collect()

    assert row.payload_bytes == kept


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        pytest.param([["1", "2", "3"]], [0, 0, 0], id="no aggregate"),
        pytest.param([["1", "2", "2", "2", "3", "3"]], [0, 0, 1, 2, 0, 1], id="two aggregates"),
        pytest.param([["1", "1"], ["1"], [], ["1", "2"]], [0, 1, 2, 3, 0], id="an aggregate over batches"),
        pytest.param([["1"], ["2"]], [0, 0], id="another in the next batch"),
        pytest.param([["1", "1", "2", "1"]], [0, 1, 0, 0], id="delivered again"),
    ],
)
def test_records_of_one_aggregate_are_numbered_in_their_order(batches, expected):
    import pyarrow as pa

    given = [pa.record_batch({"shard_id": pa.array(["a"] * len(one), pa.string()),
                              "stream_sequence": pa.array(one, pa.string())}) for one in batches]  # fmt: skip

    numbered = [number for batch in with_sub_sequence(given) for number in batch["sub_sequence"].to_pylist()]

    assert numbered == expected


def test_widgets_that_are_empty_have_their_defaults():
    settings = StreamSettings.read({**GIVEN, "trigger_seconds": "", "tables": "", "lake_uri": ""})

    assert (settings.tables, settings.trigger, settings.initial_position) == (TABLES, "500 milliseconds", "earliest")
    assert settings.stream("pin") == "streaming-pinterest-pin"
    assert settings.checkpoint("stream_pin") == "file:///checkpoints/stream_pin"


def test_every_wrong_widget_is_named():
    wrong = {"checkpoint_uri": "x", "trigger_seconds": "soon", "max_records_per_batch": "0", "tables": "pin,pins"}
    given = {**GIVEN, **wrong}

    with pytest.raises(ValueError, match="Wrong notebook parameters") as caught:
        StreamSettings.read(given)

    for name in wrong:
        assert f"{name} is {given[name]!r}; expected" in str(caught.value)


EVERY_OPTION = {
    "serviceCredential": "kinesis-reader", "roleArn": "arn:aws:iam::1:role/r", "roleExternalId": "x",
    "roleSessionName": "s", "stsEndpoint": "https://sts.eu-west-1.amazonaws.com", "awsAccessKey": "k",
    "awsSecretKey": "s", "streamARN": "arn:aws:kinesis:eu-west-1:1:stream/{stream}", "consumerMode": "efo",
    "consumerName": "c", "consumerNamePrefix": "p", "consumerRefreshInterval": "300s", "registeredConsumerId": "i",
    "registeredConsumerIdType": "name", "requireConsumerDeregistration": True, "deregisterConsumerTimeoutS": "300",
    "maxFetchRate": 1.0, "minFetchPeriod": "400ms", "maxFetchDuration": "10s", "maxRecordsPerFetch": 10000,
    "fetchBufferSize": "20gb", "shardFetchInterval": "1s", "shardsPerTask": 5, "maxPartitions": 8,
    "maxShardsPerDescribe": 100, "coalesceThresholdBlockSize": 10_000_000, "coalesceBinSize": 128_000_000,
}  # fmt: skip


def test_every_option_of_databricks_own_source_is_passed_on_by_its_name():
    settings = StreamSettings.read({**GIVEN, "source_options": json.dumps(EVERY_OPTION), "endpoint_url": "http://e"})

    options = settings.options("pin")
    assert options == {
        **{name: str(value).lower() if value is True else str(value) for name, value in EVERY_OPTION.items()},
        "streamARN": "arn:aws:kinesis:eu-west-1:1:stream/streaming-pinterest-pin",
        "region": "us-east-1", "initialPosition": "earliest", "endpoint": "http://e",
    }  # fmt: skip
    assert StreamSettings.read(GIVEN).options("pin") == {
        "streamName": "streaming-pinterest-pin", "region": "us-east-1", "initialPosition": "earliest",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param("efo", "expected a JSON object", id="no JSON"),
        pytest.param("[1]", "expected a JSON object", id="a list"),
        pytest.param('{"roleArn": {"a": 1}}', "expected a JSON object of option names and texts", id="an object in it"),
        pytest.param('{"maxFetchRat": 1}', "has no option maxFetchRat", id="unknown"),
        pytest.param('{"streamname": "a"}', "streamname is set by stream_prefix", id="the stream"),
        pytest.param('{"endpointUrl": "a"}', "endpointUrl is set by endpoint_url", id="the endpoint"),
        pytest.param('{"failOnDataLoss": false}', "set by accept_data_loss", id="loss"),
        pytest.param('{"streamARN": "arn:aws:kinesis:r:1:stream/a"}', "needs {stream}", id="one stream for all"),
    ],
)
def test_source_options_that_cannot_be_are_named(given, said):
    with pytest.raises(ValueError, match="source_options is") as caught:
        StreamSettings.read({**GIVEN, "source_options": given})

    assert said in str(caught.value)


def test_records_of_a_stream_that_is_read_by_arn_have_its_name(spark):
    record = (b'{"ind": 1}', "arn:aws:kinesis:eu-west-1:123456789012:stream/streaming-pinterest-geo", "shard-1", "49")
    kinesis = spark.createDataFrame([record], "data binary, stream string, shardId string, sequenceNumber string")
    kinesis = kinesis.selectExpr("*", f"timestamp'{ARRIVED}' AS approximateArrivalTimestamp")

    assert stream.validate(kinesis, "geo").first().stream == "streaming-pinterest-geo"


@pytest.mark.parametrize(("text", "milliseconds"), [("0", 0), ("0.25", 250), ("3600", 3_600_000)])
def test_a_trigger_is_given_in_seconds(text, milliseconds):
    assert StreamSettings.read({**GIVEN, "trigger_seconds": text}).trigger == f"{milliseconds} milliseconds"


def test_a_failure_is_told_by_the_line_that_says_what_went_wrong():
    said = [
        "[STREAM_FAILED] Query failed",
        "Traceback (most recent call last):",
        "  File x",
        "psycopg.OperationalError: away",
    ]

    assert stream.reason(said) == "psycopg.OperationalError: away"
    assert stream.reason(said[:1]) == "[STREAM_FAILED] Query failed"
    assert "Python processes was killed" in stream.reason(["null", "== Query =="])


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (
            ["x", "pinterest_spark.errors.DataLossError: 5 are gone. Set failOnDataLoss to false to go on."],
            "5 are gone.",
        ),
        (
            ["java.lang.Exception: Shard 7 is gone. Set failOnDataLoss to false."],
            "java.lang.Exception: Shard 7 is gone.",
        ),
        (
            ["x: some data may be lost; use option FAILONDATALOSS"],
            "x: some data may be lost; use option FAILONDATALOSS",
        ),
        (["pinterest_spark.errors.StageError: the tables lack a column"], ""),
    ],
)
def test_lost_records_are_told_from_other_failures_by_each_source(said, what):
    assert stream.lost_records(said) == what


class Sink:
    """Takes batches until one that it cannot take."""

    def __init__(self, fails_at=None):
        self.fails_at = fails_at
        self.batches = []

    def commit(self, checkpoint_id, batch_id, records):
        if batch_id == self.fails_at:
            raise psycopg.errors.DiskFull("no space left")
        self.batches.append((checkpoint_id, batch_id, records.num_rows))
        return Committed(records.num_rows, records.num_rows)

    def close(self):
        pass


class Asked:
    """A control that asks to stop once a condition holds."""

    def __init__(self, condition):
        self.condition = condition

    def queries_to_stop(self, queries):
        return queries if self.condition() else []

    def use_acceptance(self, queries):
        return queries

    def drop_acceptance(self, _query):
        return True


@pytest.fixture
def writers(spark, tmp_path):
    """Return a function that starts a query on each sink, over records made by the clock."""
    started = []

    def start(**sinks):
        settings = StreamSettings("p", "r", f"file://{tmp_path}", trigger_seconds=0.1)
        ticks = spark.readStream.format("rate").option("rowsPerSecond", 20).load()
        kinesis = ticks.selectExpr(
            "cast(concat('{\"ind\": ', value, '}') AS binary) AS data", "'s' AS stream", "'0' AS shardId",
            "cast(value AS string) AS sequenceNumber", "timestamp AS approximateArrivalTimestamp",
        )  # fmt: skip
        for table, sink in sinks.items():
            writer = stream.Writer(settings, table, "unused")
            writer.sink = sink
            started.append(writer)
            writer.start(kinesis)
        return started

    yield start
    stream.stop(started)


def test_queries_run_until_asked_to_stop_and_know_their_checkpoint(writers, spark):
    sinks = {"geo": Sink(), "user": Sink()}
    running = writers(**sinks)

    stream.watch(
        running, Asked(lambda: all(sum(rows for *_, rows in sink.batches) > 5 for sink in sinks.values())), None
    )

    assert [writer.query.isActive for writer in running] == [False, False]
    for writer in running:
        assert {checkpoint for checkpoint, *_ in writer.sink.batches} == {str(writer.query.id)}
        assert writer.counts["rows"] == sum(rows for *_, rows in writer.sink.batches)
    assert len({writer.query.id for writer in running}) == 2


@pytest.mark.parametrize(("records", "looks_first"), [(60, False), (61, True)])
def test_a_micro_batch_is_counted_first_once_aggregates_made_one_larger_than_it_was_to_be(records, looks_first):
    settings = StreamSettings("p", "r", "file:///none", max_records_per_batch=60)
    writer = stream.Writer(settings, "geo", "unused")

    writer.count(Committed(records, records))
    writer.count(Committed(1, 1))

    assert writer.looks_first is looks_first


def test_a_query_that_fails_ends_the_others_and_is_named_with_its_reason(writers):
    running = writers(geo=Sink(), user=Sink(fails_at=1))

    with pytest.raises(StageError, match=r"^stream_user failed, .* psycopg.errors.DiskFull: no space left$"):
        stream.watch(running, Asked(lambda: False), None)
    stream.stop(running)

    assert [writer.query.isActive for writer in running] == [False, False]


def unsteady():
    """Return a source of no record that ends its query the first times it is read, as a worker that cannot start does.

    Spark's processes cannot import this module, and take classes of a function by value.
    """

    class Reader(SimpleDataSourceStreamReader):
        def __init__(self, log, failures, error):
            self.log, self.failures, self.error = log, failures, error

        def initialOffset(self):
            from pathlib import Path

            from pinterest_spark.errors import StageError

            attempts = Path(self.log).read_text() + "."
            Path(self.log).write_text(attempts)
            if len(attempts) <= self.failures:
                raise (StageError if self.error == "stays" else RuntimeError)("Python worker failed to connect back")
            return {"at": 0}

        def read(self, start):
            return iter(()), start

    class Unsteady(DataSource):
        @classmethod
        def name(cls):
            return "unsteady"

        def schema(self):
            return (
                "data binary, stream string, shardId string, sequenceNumber string, "
                "approximateArrivalTimestamp timestamp"
            )

        def simpleStreamReader(self, schema):  # noqa: ARG002 - PySpark's interface
            return Reader(self.options["log"], int(self.options["failures"]), self.options["error"])

    return Unsteady


@pytest.mark.parametrize(
    ("failures", "error", "attempts", "is_alive"),
    [
        pytest.param(0, "passes", 1, True, id="starts"),
        pytest.param(2, "passes", 3, True, id="starts at the third attempt"),
        pytest.param(9, "passes", stream.START_ATTEMPTS, False, id="never starts"),
        pytest.param(9, "stays", 1, False, id="another start does not help"),
    ],
)
def test_a_query_that_does_not_start_is_started_again_within_the_run(
    spark, tmp_path, failures, error, attempts, is_alive
):
    spark.dataSource.register(unsteady())
    writer = stream.Writer(StreamSettings("p", "r", f"file://{tmp_path}", trigger_seconds=0.1), "geo", "unused")
    writer.sink = Sink()
    options = {"log": f"{tmp_path}/log", "failures": str(failures), "error": error}
    Path(options["log"]).write_text("")

    stream.begin(writer, lambda: spark.readStream.format("unsteady").options(**options).load(), lambda _: None)

    assert writer.query.isActive is is_alive
    assert len(Path(options["log"]).read_text()) == attempts
    if not is_alive:
        with pytest.raises(StageError, match=r"^stream_geo failed, the other queries were stopped\. \S"):
            writer.check(Asked(lambda: False))
    writer.stop()
