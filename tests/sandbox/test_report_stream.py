"""The report's part on the stream: read from real tables and streams, and strict about what adds up."""

import copy
import io
from uuid import uuid4

import psycopg
import pytest
from rich.console import Console

from sandbox.data import emulate_senders
from sandbox.data.emulate_senders import KinesisSender, Put
from sandbox.demo import report, report_stream
from sandbox.run.settings import Settings
from sandbox.servers.ministack import client
from tests.support.groups import TEST_HOME
from tests.support.postgres import create_tables, fresh_database

SAME = {"compared": 3, "equal": 3, "only_in_stream": 0, "differences": {}, "examples": []}
COUNTS = {"put": 6, "committed": 3, "duplicates": 2, "quarantined": 1}
STREAM = {
    **{table: dict(COUNTS) for table in report_stream.TABLES},
    "latency_ms": {"p50": 400.0, "p95": 900.0, "rows": 9},
    "emulated": {"posts": 3, "seconds": 1.0},
    "same_as_silver": {table: dict(SAME) for table in report_stream.TABLES},
}


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, None),
        ([7.04], 95, 7.0),
        ([3, 1, 2], 50, 2),
        ([1, 2, 3, 4], 50, 2),
        (range(1, 101), 95, 95),
        (range(1, 101), 50, 50),
        (range(1, 21), 95, 19),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(values, percent, expected):
    assert report_stream.percentile(list(values), percent) == expected


def changed(**of_pin):
    stream = copy.deepcopy(STREAM)
    stream["pin"].update(of_pin)
    return stream


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(STREAM, True, id="every record has an outcome"),
        pytest.param(changed(put=7), False, id="a record is missing"),
        pytest.param(changed(put=5), True, id="Kinesis has forgotten one"),
        pytest.param(changed(committed=2), False, id="a row is missing"),
    ],
)
def test_it_adds_up_where_no_record_is_missing(stream, expected):
    assert report_stream.adds_up(stream) is expected


def test_it_does_not_add_up_where_stream_and_silver_differ():
    stream = copy.deepcopy(STREAM)
    stream["same_as_silver"]["geo"] |= {"equal": 2, "differences": {"country": 1}}

    assert not report_stream.adds_up(stream)


def test_the_whole_report_adds_up_only_with_its_stream():
    row = {"acknowledged": 5, "landed": 5, "bronze": 5, "silver": 3, "duplicates": 1, "quarantined": 1}
    rows = {"rows": {"pin": row}}

    assert report.adds_up(rows)
    assert report.adds_up({**rows, "stream": STREAM})
    assert not report.adds_up({**rows, "stream": changed(put=7)})


def test_it_shows_counts_latency_and_what_differs():
    stream = copy.deepcopy(STREAM)
    stream["same_as_silver"]["geo"] |= {"equal": 2, "differences": {"country": 1}}
    console = Console(width=110, file=io.StringIO())

    report_stream.show(console, stream)

    said = console.file.getvalue()
    assert "p50 400.0 ms, p95 900.0 ms over 9 rows" in said
    assert "stream.geo.country differs from silver in 1 rows" in said
    assert "2 of 3" in said


@pytest.fixture
def settings(stand_ins):
    stand_ins("postgres", "kinesis")
    return Settings.load(TEST_HOME)


def test_counts_and_latency_are_read_from_the_tables_and_the_streams(settings, monkeypatch):
    monkeypatch.setattr(emulate_senders, "TOPIC_PREFIX", f"test-{uuid4().hex[:8]}")
    kinesis = client(settings, "kinesis")
    for table in report_stream.TABLES:
        kinesis.create_stream(StreamName=emulate_senders.stream_name(table), ShardCount=2)
    try:
        with fresh_database(settings.postgres_url("pinterest_warehouse")) as url:
            monkeypatch.setattr(Settings, "postgres_url", lambda self, _: url)
            found = collect_from(settings, url)
    finally:
        for table in report_stream.TABLES:
            kinesis.delete_stream(StreamName=emulate_senders.stream_name(table), EnforceConsumerDeletion=True)

    reasons = {"quarantine_reasons": {"broken": 1}}
    assert found["pin"] == {"put": 3, "committed": 2, "duplicates": 0, "quarantined": 1, **reasons}
    reasons = {"quarantine_reasons": {}}
    assert found["geo"] == {"put": 0, "committed": 0, "duplicates": 0, "quarantined": 0, **reasons}
    assert found["latency_ms"] == {"p50": 1500.0, "p95": 2000.0, "rows": 2}


def collect_from(settings, url):
    """Three records in the stream of pins; two rows of them, committed 1.5 s and 2 s after they were sent."""
    sender = KinesisSender(settings)
    sender.check_streams()
    records = [type("Emission", (), {"key": str(n), "data": b"{}", "kind": "row"}) for n in range(3)]
    while True:
        try:
            sender.send("pin", records)
            break
        except emulate_senders.SandboxError:  # the stream is not active yet
            continue
    create_tables(url)
    with psycopg.connect(url, autocommit=True) as warehouse:
        warehouse.execute(
            "INSERT INTO stream.pin (ind, stream_sequence, ingested_at, committed_at) VALUES"
            " (1, 101, now(), to_timestamp(1000)), (2, 102, now(), to_timestamp(1001))"
        )
        warehouse.execute(
            "INSERT INTO stream.quarantine (stream, shard_id, sequence_number, payload, reject_reason, ingested_at)"
            " VALUES (%s, 's', 103, '', 'broken', now())",
            [emulate_senders.stream_name("pin")],
        )
        warehouse.execute(
            "INSERT INTO stream.progress (query, checkpoint_id, batch_id, record_count, row_count, duplicate_count,"
            " quarantined_count, content_key, committed_at) VALUES"
            " ('stream_pin', gen_random_uuid(), 0, 1, 1, 0, 0, '', to_timestamp(1000.5)),"
            " ('stream_pin', gen_random_uuid(), 1, 2, 1, 0, 1, '', to_timestamp(1002))"
        )
    acknowledged = [Put("pin", 101, 999.0), Put("pin", 102, 1000.0), Put("pin", 103, 1000.0), Put("geo", 101, 1.0)]
    return report_stream.collect(settings, {}, acknowledged, {"tables": {}})
