"""One row a key, the latest wins, every record is accounted for, and any step may be done twice."""

from datetime import UTC, datetime

import pytest
from delta.tables import DeltaTable

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import bronze, silver
from pinterest_spark.lakehouse.offsets import OffsetRange
from pinterest_spark.lakehouse.tables import read
from pinterest_spark.rows.schemas import QUARANTINE, SILVER_BATCHES, silver_table

TABLE = "user"


@pytest.fixture
def run(spark, lake):
    """Bring what landed for the table through bronze and silver; return the numbers of that table."""

    def both(acknowledged=((0, 99),)):
        bronze.load_table(spark, lake, TABLE, f"pinterest.{TABLE}")
        ranges = [OffsetRange(0, first, last) for first, last in acknowledged]
        return of_table(silver.run(spark, lake, "pinterest", {TABLE: ranges}))

    return both


@pytest.fixture
def begin(in_silver, lake):
    """Return a function that begins with lines of the table in bronze and silver; it returns what ``run`` would."""
    return lambda *lines: of_table(in_silver(lake, TABLE, *lines))


def of_table(result):
    return {name: part[TABLE] for name, part in result.items() if isinstance(part, dict) and TABLE in part}


@pytest.fixture
def rows(spark, lake):
    return lambda: {row.ind: row for row in read(spark, lake.silver(TABLE), silver_table(TABLE)).collect()}


@pytest.fixture
def contents(spark, lake):
    """Return everything that silver, quarantine and the audit hold, to be compared before and after."""

    def snapshot():
        paths = {
            lake.silver(TABLE): silver_table(TABLE),
            lake.quarantine: QUARANTINE,
            lake.silver_batches: SILVER_BATCHES,
        }
        return [sorted(map(repr, read(spark, path, schema).collect())) for path, schema in paths.items()]

    return snapshot


def test_an_empty_lake_gives_zeros(run):
    result = run()

    assert result["run"] == {"landed": 0, "silver": 0, "duplicates": 0, "quarantined": 0, "lost": 0}
    assert result["totals"] == {"bronze": 0, "silver": 0, "duplicates": 0, "quarantined": 0}


def test_records_end_in_silver_in_duplicates_or_in_quarantine(
    run, rows, land, envelope_of, broken_envelope_of, spark, lake
):
    land(
        TABLE,
        envelope_of(TABLE, 1, 0),
        envelope_of(TABLE, 2, 1, age="30"),
        envelope_of(TABLE, 1, 2, first_name="Augusta"),
        envelope_of(TABLE, 3, 3, age=12),
        broken_envelope_of(TABLE, '{"ind": 4', 4),
        broken_envelope_of(TABLE, '{"ind": 5', 5),
        "no envelope",
    )

    result = run()

    assert result["run"] == {"landed": 6, "silver": 2, "duplicates": 1, "quarantined": 3, "lost": 0}
    assert result["totals"] == {"bronze": 7, "silver": 2, "duplicates": 1, "quarantined": 4}
    assert result["quarantine_reasons"] == {"age outside 13..120": 1, "unparsable JSON": 2, "unreadable envelope": 1}
    assert result["defects"] == {"age": 1}
    assert (rows()[1].user_name, rows()[1]._kafka_offset, rows()[2].age) == ("Augusta Byron", 2, None)
    [broken] = read(spark, lake.quarantine, QUARANTINE).where("reject_reason = 'unreadable envelope'").collect()
    assert (broken.topic, broken.partition, broken.payload) == ("pinterest.user", None, "no envelope")
    assert broken.source.startswith("pinterest.user/dt=")


def test_what_was_found_since_the_run_began_to_send_is_counted_with_samples(
    begin, land, envelope_of, broken_envelope_of, spark, lake
):
    begin(envelope_of(TABLE, 1, 0, date_joined="2016-01-02"), envelope_of(TABLE, 2, 1, age=12))
    began = datetime.now(UTC)
    bad = [envelope_of(TABLE, ident, ident, date_joined="02.01.2016 03:04") for ident in range(3, 7)]
    land(TABLE, *bad, envelope_of(TABLE, 7, 7), broken_envelope_of(TABLE, '{"ind": 8' + "x" * 300, 8))
    bronze.load_table(spark, lake, TABLE, f"pinterest.{TABLE}")
    sent = [OffsetRange(0, 3, 8, since=began, until=None)]

    result = silver.run(spark, lake, "pinterest", {TABLE: sent})
    again = silver.run(spark, lake, "pinterest", {TABLE: sent})

    found = result["validated"]
    assert found.keys() == {TABLE}
    samples = found[TABLE].pop("samples")
    assert found[TABLE] == {"records": 6, "quarantined": 1, "defects": {"date_joined": 4}}
    assert len(samples["date_joined"]) == 3
    assert all('"date_joined": "02.01.2016 03:04"' in one for one in samples["date_joined"])
    assert samples["*"][0] == '{"ind": 8' + "x" * 191 + " … (unparsable JSON)"
    assert {name: again["validated"][TABLE][name] for name in found[TABLE]} == found[TABLE]


def test_a_resend_is_a_duplicate_and_changes_no_answer(begin, run, rows, land, envelope_of):
    begin(*(envelope_of(TABLE, ident, ident) for ident in range(3)))
    before = {ident: row.user_name for ident, row in rows().items()}
    land(TABLE, *(envelope_of(TABLE, ident, ident + 3) for ident in range(3)))

    result = run(acknowledged=((3, 5),))

    assert {ident: row.user_name for ident, row in rows().items()} == before
    assert result["run"] == {"landed": 3, "silver": 3, "duplicates": 0, "quarantined": 0, "lost": 0}
    assert result["totals"] == {"bronze": 6, "silver": 3, "duplicates": 3, "quarantined": 0}


def test_the_latest_record_of_a_key_wins_and_an_older_one_that_comes_late_does_not(run, rows, land, envelope_of):
    land(TABLE, envelope_of(TABLE, 1, 5, first_name="new"), envelope_of(TABLE, 2, 6, first_name="kept"))
    run()
    land(
        TABLE,
        envelope_of(TABLE, 1, 4, first_name="old"),
        envelope_of(TABLE, 2, 7, later_ms=-1, first_name="same time, later offset"),
        envelope_of(TABLE, 3, 9, first_name="second"),
        envelope_of(TABLE, 3, 8, first_name="first"),
        envelope_of(TABLE, 4, 5, partition=1, later_ms=90, first_name="later, lower offset"),
        envelope_of(TABLE, 4, 20, first_name="earlier"),
    )

    result = run()

    assert {ident: row.user_name for ident, row in rows().items()} == {
        1: "new Byron", 2: "same time, later offset Byron", 3: "second Byron",
        4: "later, lower offset Byron",
    }  # fmt: skip
    assert result["totals"] == {"bronze": 8, "silver": 4, "duplicates": 4, "quarantined": 0}
    assert result["run"] == {"landed": 7, "silver": 3, "duplicates": 4, "quarantined": 0, "lost": 0}


def test_a_run_counts_only_the_partitions_and_offsets_that_were_acknowledged(run, land, envelope_of):
    land(
        TABLE, *(envelope_of(TABLE, ident, ident, partition=partition) for ident, partition in enumerate((0, 0, 0, 1)))
    )

    assert run(acknowledged=((1, 2), (3, 3)))["run"]["landed"] == 2


def test_running_again_with_nothing_new_changes_nothing(begin, run, contents, envelope_of):
    first = begin(envelope_of(TABLE, 1, 0), envelope_of(TABLE, 2, 1, age=500))
    before = contents()

    assert run() == first
    assert contents() == before


STEPS = ["quarantine", "audit", "upsert"]


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_right_after_a_step_is_healed_by_the_next_run(
    begin, run, contents, land, envelope_of, monkeypatch, step
):
    begin(envelope_of(TABLE, 1, 0), envelope_of(TABLE, 2, 1, age=500))
    rejected = (envelope_of(TABLE, 4, 4, age=500), "no envelope")
    land(TABLE, envelope_of(TABLE, 1, 2), envelope_of(TABLE, 3, 3), *rejected)
    work = getattr(silver, step)

    def crash(*args, **kwargs):
        work(*args, **kwargs)
        raise RuntimeError(f"killed after {step}")

    with monkeypatch.context() as crashing:
        crashing.setattr(silver, step, crash)
        with pytest.raises(Exception, match=f"killed after {step}"):
            run()
    result = run()

    assert result["totals"] == {"bronze": 6, "silver": 2, "duplicates": 1, "quarantined": 3}
    assert result["run"]["lost"] == 0
    assert [len(table) for table in contents()] == [2, 3, 2]


def test_a_lost_record_is_seen_and_the_totals_are_refused(begin, run, envelope_of, spark, lake):
    begin(*(envelope_of(TABLE, ident, ident) for ident in range(3)))
    DeltaTable.forPath(spark, lake.silver(TABLE)).delete("ind = 1")

    from pinterest_spark.lakehouse.reconcile import follow

    found = follow(spark, lake, TABLE, f"pinterest.{TABLE}", [OffsetRange(0, 0, 2)])
    assert found == {"landed": 3, "silver": 2, "duplicates": 0, "quarantined": 0, "lost": 1}
    with pytest.raises(StageError, match=r"user: bronze 3 is not silver 2 \+ duplicates 0 \+ quarantined 0"):
        run()


def test_a_lost_checkpoint_is_refused_with_the_remedy(begin, run, land, envelope_of, lake):
    import shutil

    begin(*(envelope_of(TABLE, ident, ident) for ident in range(3)))
    land(TABLE, envelope_of(TABLE, 3, 3))
    run()
    shutil.rmtree(lake.checkpoint("silver", TABLE).removeprefix("file://"))

    with pytest.raises(Exception, match=r"checkpoint .*checkpoints/silver/user was lost or replaced"):
        run()


def test_the_three_tables_share_quarantine_and_audit_at_the_same_time(
    spark, lake, land, envelope_of, broken_envelope_of
):
    for table in ("pin", "geo", "user"):
        land(table, envelope_of(table, 1, 0), broken_envelope_of(table, "{", 1))
    bronze.run(spark, lake, "pinterest")

    first = silver.run(spark, lake, "pinterest", {})
    for table in ("pin", "geo", "user"):
        land(table, envelope_of(table, 2, 2), broken_envelope_of(table, "{", 3))
    bronze.run(spark, lake, "pinterest")
    second = silver.run(spark, lake, "pinterest", {})

    assert first["totals"]["pin"] == {"bronze": 2, "silver": 1, "duplicates": 0, "quarantined": 1}
    assert set(map(str, second["totals"].values())) == {
        str({"bronze": 4, "silver": 2, "duplicates": 0, "quarantined": 2})
    }
    assert second["quarantine_reasons"] == {table: {"unparsable JSON": 2} for table in ("pin", "geo", "user")}
