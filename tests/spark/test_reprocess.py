"""A changed rule, brought to records that landed before: whole keys, nothing sent, nothing lost, repeatable."""

from datetime import UTC, datetime, timedelta

import pytest
from delta.tables import DeltaTable

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import bronze, reprocess, silver
from pinterest_spark.lakehouse.reprocess import Request, Window
from pinterest_spark.lakehouse.tables import Lake, read
from pinterest_spark.rows.schemas import QUARANTINE, REPROCESSING, SILVER_BATCHES, silver_table
from tests.spark.conftest import ARRIVED_MS

TABLE = "user"
LOOSER, STRICTER = (10, 120), (13, 60)  # years, in place of 13..120
REASON = "age outside 13..120"
ARRIVED = datetime.fromtimestamp(ARRIVED_MS / 1000, UTC)


@pytest.fixture
def batch(spark, lake):
    def run(into=lake):
        bronze.load_table(spark, into, TABLE, f"pinterest.{TABLE}")
        return silver.run(spark, into, "pinterest", {})

    return run


@pytest.fixture
def redo(spark, lake):
    def run(window=Window(), **more):  # noqa: B008 - frozen
        return reprocess.run(spark, lake, "pinterest", Request(window, **more))

    return run


@pytest.fixture
def rows(spark, lake):
    return lambda: {row.ind: row.age for row in read(spark, lake.silver(TABLE), silver_table(TABLE)).collect()}


@pytest.fixture
def rejects(spark, lake):
    return lambda: {row.offset: row.reject_reason for row in read(spark, lake.quarantine, QUARANTINE).collect()}


@pytest.fixture
def landed(in_silver, lake, envelope_of, broken_envelope_of):
    """Seven records of five keys, and two that are none; of key 3 the second record replaced the first."""
    in_silver(
        lake, TABLE,
        envelope_of(TABLE, 1, 0, age=30), envelope_of(TABLE, 2, 1, age=11),
        envelope_of(TABLE, 3, 2, age=40), envelope_of(TABLE, 3, 3, age=70),
        envelope_of(TABLE, 4, 4, age=50), envelope_of(TABLE, 4, 5, age=12), envelope_of(TABLE, 5, 6, age=90),
        broken_envelope_of(TABLE, "{", 7), "no envelope",
    )  # fmt: skip


def test_a_looser_rule_frees_what_it_accepts_and_the_latest_wins(landed, redo, rows, rejects, allow_ages):
    assert rows() == {1: 30, 3: 70, 4: 50, 5: 90}
    allow_ages(LOOSER)

    result = redo()
    again = redo()

    assert rows() == {1: 30, 2: 11, 3: 70, 4: 12, 5: 90}
    assert set(rejects()) == {7, None}
    assert result["tables"][TABLE] == {"records": 8, "silver": 1, "duplicates": 1, "quarantined": -2}
    assert result["totals"][TABLE] == {"bronze": 9, "silver": 5, "duplicates": 2, "quarantined": 2}
    assert again["tables"][TABLE] == {"records": 8, "silver": 0, "duplicates": 0, "quarantined": 0}
    assert again["totals"] == result["totals"]


def test_a_stricter_rule_takes_rows_out_and_uncovers_the_older_record_of_a_key(landed, redo, rows, rejects, allow_ages):
    allow_ages(STRICTER)

    result = redo()

    assert rows() == {1: 30, 3: 40, 4: 50}
    assert rejects()[3] == rejects()[6] == REASON
    assert result["totals"][TABLE] == {"bronze": 9, "silver": 3, "duplicates": 0, "quarantined": 6}


def test_a_dry_run_says_what_would_change_and_changes_nothing(landed, redo, rows, rejects, spark, lake, allow_ages):
    allow_ages(LOOSER)
    tables = (lake.silver(TABLE), lake.quarantine, lake.silver_batches)
    before = [DeltaTable.forPath(spark, path).history(1).first().version for path in tables]

    dry = redo(is_dry_run=True)

    assert [DeltaTable.forPath(spark, path).history(1).first().version for path in tables] == before
    assert rows() == {1: 30, 3: 70, 4: 50, 5: 90}
    assert not DeltaTable.isDeltaTable(spark, lake.reprocessing)
    assert dry["tables"] == redo()["tables"]
    assert dry["totals"][TABLE] == {"bronze": 9, "silver": 4, "duplicates": 1, "quarantined": 4}


def test_only_the_requested_tables_change(landed, redo, rows, allow_ages):
    allow_ages(LOOSER)

    result = redo(tables=("pin", "geo"))
    none = redo(tables=())

    assert rows() == {1: 30, 3: 70, 4: 50, 5: 90}
    assert set(result["tables"]) == {"pin", "geo"}
    assert none["tables"] == {}
    assert none["totals"] == result["totals"]
    assert redo(tables=(TABLE,))["tables"][TABLE]["quarantined"] == -2


def test_a_window_names_records_and_all_of_their_keys_change(landed, redo, rows, rejects, allow_ages):
    allow_ages(STRICTER)
    third = ARRIVED + timedelta(milliseconds=3)

    result = redo(Window(third, third + timedelta(milliseconds=1)))

    assert rows() == {1: 30, 3: 40, 4: 50, 5: 90}
    assert set(rejects()) == {1, 3, 5, 7, None}
    assert result["tables"][TABLE] == {"records": 2, "silver": 0, "duplicates": -1, "quarantined": 1}


def test_it_leaves_what_a_first_run_by_the_new_rules_leaves(landed, redo, batch, spark, lake, allow_ages, tmp_path):
    allow_ages(STRICTER)
    redo()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "topics").symlink_to(tmp_path / "lake" / "topics")
    fresh = Lake(f"file://{tmp_path}/other")
    batch(fresh)

    for path, other, schema in (
        (lake.silver(TABLE), fresh.silver(TABLE), silver_table(TABLE)),
        (lake.quarantine, fresh.quarantine, QUARANTINE),
    ):
        assert sorted(map(repr, read(spark, path, schema).collect())) == sorted(
            map(repr, read(spark, other, schema).collect())
        )


def test_what_silver_has_not_seen_yet_is_counted_once(landed, redo, rows, land, envelope_of, spark, lake, allow_ages):
    land(TABLE, envelope_of(TABLE, 9, 9, age=20), envelope_of(TABLE, 2, 10, age=9))
    bronze.load_table(spark, lake, TABLE, f"pinterest.{TABLE}")
    allow_ages(LOOSER)

    result = redo()

    assert rows()[9] == 20
    assert result["totals"][TABLE] == {"bronze": 11, "silver": 6, "duplicates": 2, "quarantined": 3}


@pytest.mark.parametrize("step", ["begin", "apply_to_silver"])
def test_one_that_was_cut_short_stops_the_batch_and_is_finished_by_the_next(
    landed, redo, batch, rows, spark, lake, monkeypatch, allow_ages, step
):
    allow_ages(LOOSER)
    work = getattr(reprocess, step)

    def cut(*args, **kwargs):
        work(*args, **kwargs)
        if TABLE in args:
            raise RuntimeError(f"killed after {step}")

    with monkeypatch.context() as cutting:
        cutting.setattr(reprocess, step, cut)
        with pytest.raises(RuntimeError, match=f"killed after {step}"):
            redo()
    with pytest.raises(StageError, match=r"Silver .*user was being reprocessed and is not done.*pinterest_reprocess"):
        batch()

    result = redo()

    assert rows() == {1: 30, 2: 11, 3: 70, 4: 12, 5: 90}
    assert result["totals"][TABLE] == {"bronze": 9, "silver": 5, "duplicates": 2, "quarantined": 2}
    assert batch()["totals"] == result["totals"]
    audits = read(spark, lake.silver_batches, SILVER_BATCHES).where("batch_id < 0").collect()
    assert all(row.written_at for row in audits)
    assert read(spark, lake.reprocessing, REPROCESSING).isEmpty()


def test_the_next_finishes_what_was_cut_short_even_with_another_window(
    landed, redo, rows, rejects, monkeypatch, allow_ages
):
    allow_ages(LOOSER)
    with monkeypatch.context() as cutting:
        cutting.setattr(reprocess, "apply_to_silver", cut_short)
        with pytest.raises(RuntimeError, match="killed"):
            redo()
    assert set(rejects()) == {7, None}  # what was freed is nowhere now
    assert rows() == {1: 30, 3: 70, 4: 50, 5: 90}

    result = redo(Window(ARRIVED, ARRIVED + timedelta(milliseconds=1)))

    assert rows() == {1: 30, 2: 11, 3: 70, 4: 12, 5: 90}
    assert result["totals"][TABLE] == {"bronze": 9, "silver": 5, "duplicates": 2, "quarantined": 2}


def cut_short(*_):
    raise RuntimeError("killed")


def test_totals_that_did_not_add_up_before_are_not_made_to(landed, redo, spark, lake):
    DeltaTable.forPath(spark, lake.silver(TABLE)).delete("ind = 1")

    with pytest.raises(StageError, match="does not add up"):
        redo()


def test_an_empty_lake_is_left_empty(redo):
    assert redo()["totals"][TABLE] == {"bronze": 0, "silver": 0, "duplicates": 0, "quarantined": 0}


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("yesterday", "", "window_start is 'yesterday'; expected ISO 8601"),
        ("2026-11-25", "2026-11-25T00:00:00+00:00", "is not after its start"),
    ],
)
def test_a_wrong_window_is_refused(start, end, message):
    with pytest.raises(ValueError, match=message):
        Window.read(start, end)


@pytest.mark.parametrize(
    ("tables", "dry_run", "expected"),
    [
        pytest.param("", "", (("pin", "geo", "user"), False), id="all"),
        pytest.param("none", "False", ((), False), id="none"),
        pytest.param("pin, user", "True", (("pin", "user"), True), id="as Airflow writes a boolean"),
        pytest.param("pin,pins", "", "tables has pins; expected some of pin, geo, user, or none", id="another table"),
        pytest.param("", "yes", "dry_run is 'yes'; expected true or false", id="another word"),
    ],
)
def test_a_request_is_read_from_widgets_or_refused(tables, dry_run, expected):
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            Request.read(tables=tables, dry_run=dry_run)
    else:
        request = Request.read("2026-11-25T02:00", "", tables, dry_run)
        assert (request.tables, request.is_dry_run) == expected
        assert request.window.start == datetime(2026, 11, 25, 2, tzinfo=UTC)


def test_a_window_without_an_offset_is_in_utc():
    assert Window.read("2026-11-25T02:00", "") == Window(datetime(2026, 11, 25, 2, tzinfo=UTC), None)
