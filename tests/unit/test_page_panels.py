"""What the page makes of rows: sums, gaps, ages; pure functions."""

from datetime import UTC, datetime, timedelta

import pytest

from pinterest_pipeline.ui import answers, flow, history, quarantine, stream
from pinterest_pipeline.ui.airflow_runs import Run
from pinterest_pipeline.ui.warehouse import explain

NOW = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
RECONCILED = {
    "source_rows": 10, "acknowledged_rows": 9, "dead_letter_rows": 1, "landed_rows": 9, "silver_rows": 6,
    "duplicate_rows": 2, "quarantined_rows": 1, "lost_rows": 0, "redriven_rows": 1,
}  # fmt: skip


def audited(table="pin", reconciled_at=NOW, run_id="r", **changes):
    return {
        "dag_id": "d",
        "run_id": run_id,
        "table_name": table,
        "reconciled_at": reconciled_at,
        **RECONCILED,
        **changes,
    }


def flow_of(*rows, offsets=None):
    return flow.shape({"runs": list(rows), "lake": None, "offsets": offsets, "published": None}, NOW)


def test_a_gap_between_kafka_and_bronze_is_an_error_until_it_is_gone():
    whole = {"topic": "pinterest.geo", "partition": 0, "missing_offsets": 0, "first_missing": None, "counted_at": NOW}
    gap = {**whole, "topic": "pinterest.pin", "partition": 2, "missing_offsets": 200, "first_missing": 300}

    shown, other = flow_of(audited(), offsets=[whole, gap]), flow_of(audited(), offsets=[whole])

    assert (shown["tile"]["level"], shown["tile"]["word"]) == ("bad", "Offsets missing")
    assert (
        "200 are in Kafka and not in bronze, the first of pinterest.pin, partition 2 is 300" in shown["tile"]["detail"]
    )
    assert other["tile"]["level"] == "good"


def test_a_runs_tables_are_added_up():
    run = flow_of(audited("geo"), audited("pin"))["runs"][0]

    assert (run["source_rows"], run["silver_rows"], len(run["tables"]), run["is_reconciled"]) == (20, 12, 2, True)


@pytest.mark.parametrize(
    ("change", "stage", "cause"),
    [
        pytest.param({"lost_rows": 1}, "Lake", "1 acknowledged rows did not land", id="lost"),
        pytest.param({"landed_rows": 10}, "Silver", "1 landed rows are not counted once", id="landed and not counted"),
        pytest.param({"source_rows": 12}, "Kafka", "2 rows read were neither", id="read and not sent"),
    ],
)
def test_counts_that_do_not_match_are_shown_where_they_do_not(change, stage, cause):
    shown = flow_of(audited("geo"), audited("pin", **change))

    assert not shown["runs"][0]["is_reconciled"]
    assert [name for name, count in shown["runs"][0]["missing"].items() if count] == [stage]
    assert (shown["tile"]["level"], shown["tile"]["word"]) == ("bad", "Rows missing")
    assert cause in shown["tile"]["detail"]


def test_a_later_run_hides_no_run_with_missing_rows():
    later = audited(run_id="later")
    shown = flow_of(later, audited(run_id="earlier", lost_rows=3, reconciled_at=NOW - timedelta(hours=9)))

    assert shown["tile"]["word"] == "Rows missing"
    assert shown["tile"]["detail"].startswith("earlier: 3 acknowledged rows did not land")
    assert shown["tile"]["path"] == "dags/d/runs/earlier"


def day(number, run_id=None, state="success"):
    at = datetime(2026, 11, number, 2, tzinfo=UTC)
    return Run(run_id or f"run-{number}", state, dag_id="b", interval_start=at)


def counted(run_id, source, quarantined=0):
    return {"run_id": run_id, "source_rows": source, "landed_rows": source, "quarantined_rows": quarantined,
            "lost_rows": 0}  # fmt: skip


def test_a_day_without_a_run_and_one_without_counts_are_gaps():
    runs = [day(20), day(22, state="failed"), day(23)]

    shown = history.shape(runs, {"rows": [counted("run-20", 100, 5), counted("run-23", 0)]}, NOW)["days"]

    assert [one["day"][-2:] for one in shown] == ["20", "21", "22", "23", "24"]
    assert [one["source_rows"] for one in shown] == [100, None, None, 0, None]
    assert [one["state"] for one in shown] == ["success", "no run", "failed", "success", "no run"]
    assert [one["quarantined_share"] for one in shown] == [0.05, None, None, None, None]


def test_thirty_days_are_shown_at_most_and_none_where_none_was_run():
    assert (
        len(
            history.shape(
                [day(1), Run("old", "success", interval_start=NOW - timedelta(days=90))], {"rows": None}, NOW
            )["days"]
        )
        == 30
    )
    assert history.shape([], {"rows": None}, NOW) == {"days": []}


@pytest.mark.parametrize(("hours", "level"), [(26, "good"), (26.1, "warn")])
def test_answers_grow_old(hours, level):
    assert flow_of(audited(reconciled_at=NOW - timedelta(hours=hours)))["tile"]["level"] == level


def test_no_run_is_shown_with_what_to_do():
    assert "trigger pinterest_daily_batch" in flow_of()["tile"]["detail"]


def committed(query, minute, records, lag):
    counts = {"record_count": records, "row_count": records, "duplicate_count": 0, "quarantined_count": 0}
    return {"query": query, "minute": minute, "lag_ms": lag, **counts}


def test_the_last_hour_has_sixty_minutes_and_unknown_lag_is_not_zero():
    minute = NOW.replace(second=0)
    rows = [committed("stream_pin", minute, 5, 700), committed("stream_geo", minute, 3, None)]

    minutes = stream.every_minute(rows, NOW)

    assert [len(minutes), minutes[0]["minute"], minutes[-1]["minute"]] == [60, minute - timedelta(minutes=59), minute]
    assert (minutes[-1]["record_count"], minutes[-1]["lag_ms"]) == (8, 700)
    assert (minutes[0]["record_count"], minutes[0]["lag_ms"]) == (0, None)


def test_a_row_of_a_minute_that_has_just_gone_by_is_passed_over():
    assert stream.every_minute([committed("stream_pin", NOW - timedelta(hours=2), 5, 1)], NOW)


LATE = {"query": "stream_pin", "level": "behind", "hours_left": 70.4, "checked_at": NOW}
LOSS = {"query": "stream_geo", "found_at": NOW, "lost_records": None, "accepted_at": None}


@pytest.mark.parametrize(
    ("losses", "lag", "word", "level", "said"),
    [
        pytest.param([], [{**LATE, "level": "keeps up", "hours_left": None}], None, None, "", id="keeps up"),
        pytest.param([], [LATE], "Behind", "warn", "stream_pin: records expire in 70 h.", id="behind"),
        pytest.param([], [LATE, {**LATE, "level": "at risk", "hours_left": 20}], "Behind", "bad",
                     "stream_pin, stream_pin: records expire in 20 h.", id="at risk"),
        pytest.param([], [{**LATE, "checked_at": NOW - stream.LAG_MAX_AGE}], None, None, "", id="measured long ago"),
        pytest.param([LOSS], [LATE], "Records lost", "bad", "stream_geo waits for accept_data_loss", id="a loss"),
        pytest.param([{**LOSS, "accepted_at": NOW}], [], "Records lost", "bad", "geo starts again", id="accepted"),
    ],
)  # fmt: skip
def test_a_stream_that_runs_and_is_behind_or_has_lost_records_says_so(losses, lag, word, level, said):
    found = {"minutes": [], "newest": [], "control": [], "lag": lag, "losses": losses}

    shown = stream.shape(found, NOW)["trouble"]

    assert (shown and (shown["word"], shown["level"])) == (word and (word, level))
    assert said in (shown["detail"] if shown else "")


def test_samples_stand_with_their_reason():
    reasons = [{"stream": "s", "reject_reason": "a", "rows": 2}, {"stream": "s", "reject_reason": "b", "rows": 1}]
    samples = [{"stream": "s", "reject_reason": "b", "payload": "x"}]

    shown = quarantine.shape({"reasons": reasons, "samples": samples, "lake": None}, NOW)["stream"]

    assert [len(reason["samples"]) for reason in shown] == [0, 1]


def test_reasons_of_the_lake_come_greatest_first():
    lake = [
        {"table_name": "pin", "quarantine_reasons": {"a": 1, "b": 5}},
        {"table_name": "geo", "quarantine_reasons": None},
    ]

    assert [each["reject_reason"] for each in quarantine.by_count(lake, "quarantine_reasons", "reject_reason")] == [
        "b",
        "a",
    ]


def test_every_published_answer_is_read_and_drawn_as_its_file_declares(request):
    files = sorted((request.config.rootpath / "include" / "sql" / "answers").glob("*.sql"))
    found = {answers.PUBLISHED: [{"name": file.stem, "definition": file.read_text()} for file in files]}

    queries = answers.rows_of_each(found)
    shown = answers.shape(found | dict.fromkeys(queries), NOW)["answers"]

    assert len(files) >= 10
    assert list(queries) == [f"gold.{file.stem}" for file in files]
    assert 'SELECT "category", "post_year", "category_count" FROM' in queries["gold.category_count_by_year"].statement
    assert [each["table"] for each in shown] == [file.stem for file in files]
    assert {each["table"] for each in shown if each["kind"] == "grid"} == {
        "category_count_by_year", "median_followers_by_join_year_and_age_group",
    }  # fmt: skip
    assert answers.shape({answers.PUBLISHED: None}, NOW) == {"answers": []}


def test_a_mistake_of_ours_is_not_taken_for_the_warehouses():
    assert explain(KeyError("x")) is None
