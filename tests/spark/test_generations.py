"""A topic that was created again has other records at the offsets of the old ones: both are kept and told apart."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pinterest_spark.lakehouse import bronze, reprocess, silver
from pinterest_spark.lakehouse.offsets import OffsetRange
from pinterest_spark.lakehouse.reprocess import Request, Window
from pinterest_spark.lakehouse.tables import read, row_count
from pinterest_spark.rows.schemas import BRONZE, QUARANTINE, silver_table
from tests.spark.conftest import ARRIVED_MS

DAY_MS = 86_400_000
TABLE = "user"


@pytest.fixture
def land_in(lake):
    """Return a function that writes lines as the object ``+0+<start>`` of a generation, ``topics`` or another."""

    def write(topics_dir, start, *lines, table=TABLE):
        topic = f"pinterest.{table}"
        folder = Path(lake.uri.removeprefix("file://")) / topics_dir / topic / "dt=2025-11-24"
        folder.mkdir(parents=True, exist_ok=True)
        content = gzip.compress("".join(f"{line}\n" for line in lines).encode())
        (folder / f"{topic}+0+{start:010d}.json.gz").write_bytes(content)

    return write


@pytest.fixture
def load(spark, lake):
    return lambda: bronze.load_table(spark, lake, TABLE, f"pinterest.{TABLE}")


@pytest.fixture
def run_silver(spark, lake):
    """Bring bronze into silver; return the numbers of the table for a run that sent at ``later_ms``."""

    def run(later_ms, first=0, last=4):
        sent = datetime.fromtimestamp((ARRIVED_MS + later_ms) / 1000, UTC)
        ranges = [OffsetRange(0, first, last, since=sent, until=sent + timedelta(seconds=1))]
        found = silver.run(spark, lake, "pinterest", {TABLE: ranges})
        return found["run"][TABLE], found["totals"][TABLE]

    return run


@pytest.fixture
def two_days(land_in, load, run_silver, envelope_of):
    """Day 1 sent posts 0 to 4; the topic was created again; day 2 sends posts 100 to 104, at offsets 0 to 4 again."""
    land_in("topics", 0, *(envelope_of(TABLE, ident, ident) for ident in range(5)))
    load()
    run_silver(0)
    land_in("topics-2", 0, *(envelope_of(TABLE, 100 + offset, offset, later_ms=DAY_MS) for offset in range(5)))
    return load()


def test_all_ten_posts_of_the_issues_input_are_in_silver(two_days, run_silver, spark, lake):
    of_run, totals = run_silver(DAY_MS)

    ids = {row.ind for row in read(spark, lake.silver(TABLE), silver_table(TABLE)).collect()}
    assert two_days == {"landed": 5, "added": 5, "redelivered": 0}
    assert ids == {0, 1, 2, 3, 4, 100, 101, 102, 103, 104}
    assert of_run == {"landed": 5, "silver": 5, "duplicates": 0, "quarantined": 0, "lost": 0}
    assert totals == {"bronze": 10, "silver": 10, "duplicates": 0, "quarantined": 0}


def test_each_record_says_which_generations_object_it_came_from(two_days, spark, lake):
    files = {row.source_file for row in read(spark, lake.bronze(TABLE), BRONZE).collect()}

    name = "pinterest.user/dt=2025-11-24/pinterest.user+0+0000000000.json.gz"
    assert files == {name, f"topics-2/{name}"}


def test_the_older_generations_record_does_not_stand_in_for_one_that_has_not_landed(
    land_in, load, run_silver, envelope_of
):
    land_in("topics", 0, *(envelope_of(TABLE, ident, ident) for ident in range(5)))
    land_in("topics-2", 0, *(envelope_of(TABLE, 100 + offset, offset, later_ms=DAY_MS) for offset in range(3)))
    load()

    assert run_silver(DAY_MS)[0]["landed"] == 3


def test_of_two_records_at_an_offset_within_the_runs_time_the_newer_one_is_the_runs(
    land_in, load, run_silver, envelope_of
):
    land_in("topics", 0, envelope_of(TABLE, 1, 0))
    land_in("topics-2", 0, envelope_of(TABLE, 100, 0, later_ms=500))
    load()

    assert run_silver(0, last=0)[0] == {"landed": 1, "silver": 1, "duplicates": 0, "quarantined": 0, "lost": 0}


def test_only_a_copy_is_a_redelivery(land_in, load, envelope_of, broken_envelope_of, spark, lake):
    land_in("topics", 0, envelope_of(TABLE, 1, 0), broken_envelope_of(TABLE, None, 1))
    load()
    land_in("topics-2", 0, envelope_of(TABLE, 1, 0), broken_envelope_of(TABLE, None, 1))  # mirrored with its times
    land_in("topics-2", 1, envelope_of(TABLE, 1, 0, first_name="Augusta"))  # of the same millisecond
    land_in("topics-2", 2, envelope_of(TABLE, 1, 0, later_ms=1))

    assert load() == {"landed": 4, "added": 2, "redelivered": 2}
    assert row_count(spark, lake.bronze(TABLE)) == 4


def test_two_generations_in_one_micro_batch_are_both_kept(land_in, load, envelope_of, spark, lake):
    land_in("topics", 0, envelope_of(TABLE, 1, 0), envelope_of(TABLE, 2, 1))
    land_in("topics-2", 0, envelope_of(TABLE, 3, 0, later_ms=DAY_MS), envelope_of(TABLE, 2, 1))

    assert load() == {"landed": 4, "added": 3, "redelivered": 1}
    assert row_count(spark, lake.bronze(TABLE)) == 3


def test_a_post_sent_to_both_generations_is_as_the_newer_one_says_for_all_its_lower_offset(
    land_in, load, run_silver, envelope_of, spark, lake
):
    land_in("topics", 900, envelope_of(TABLE, 7, 900, first_name="old"))
    load()
    run_silver(0)
    land_in("topics-2", 0, envelope_of(TABLE, 7, 0, later_ms=DAY_MS, first_name="new"))
    load()

    of_run, totals = run_silver(DAY_MS, last=0)

    [row] = read(spark, lake.silver(TABLE), silver_table(TABLE)).collect()
    assert (row.user_name, row._kafka_offset) == ("new Byron", 0)
    assert of_run == {"landed": 1, "silver": 1, "duplicates": 0, "quarantined": 0, "lost": 0}
    assert totals == {"bronze": 2, "silver": 1, "duplicates": 1, "quarantined": 0}


def test_rejected_records_of_both_generations_are_in_quarantine_and_leave_it_each_for_itself(
    land_in, load, run_silver, envelope_of, spark, lake, allow_ages
):
    land_in("topics", 0, envelope_of(TABLE, 1, 0, age=12))
    land_in("topics-2", 0, envelope_of(TABLE, 2, 0, age=11), envelope_of(TABLE, 3, 0, age=9))  # of one millisecond
    land_in("topics-3", 0, envelope_of(TABLE, 4, 0, age=5, later_ms=DAY_MS))
    load()
    of_run, totals = run_silver(DAY_MS, last=0)
    allow_ages((10, 120))

    redone = reprocess.run(spark, lake, "pinterest", Request(Window()))

    kept = [row.payload for row in read(spark, lake.quarantine, QUARANTINE).collect()]
    assert (of_run["quarantined"], totals["quarantined"]) == (1, 4)
    assert redone["tables"][TABLE] == {"records": 4, "silver": 2, "duplicates": 0, "quarantined": -2}
    assert redone["totals"][TABLE] == {"bronze": 4, "silver": 2, "duplicates": 0, "quarantined": 2}
    assert sorted('"ind": 3' in payload for payload in kept) == [False, True]
