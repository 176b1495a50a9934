"""The reconciliation of a run: the counts match, or the run says which rows are missing and where to look."""

from dataclasses import replace

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.daily_batch import require_share, unreadable_in_lake
from pinterest_pipeline.dag.reconciliation import MAX_RANGES, TableCounts, discrepancies, offsets_by_table, reconcile

GOOD = TableCounts(
    table="pin", source=10, acknowledged=8, dead_letters=2, offsets=8,
    landed=8, silver=5, duplicates=2, quarantined=1, lost=0, dead_letter_uri="s3://lake/dead-letters/x",
)  # fmt: skip


def sent(table, acknowledged, ranges, dead_letters=0):
    return {
        "topic": f"pinterest.{table}",
        "rows": acknowledged + dead_letters,
        "acknowledged": acknowledged,
        "dead_letters": dead_letters,
        "dead_letter_uri": "s3://lake/dead-letters/x" if dead_letters else None,
        "started_at": "2026-11-25T02:00:00+00:00",
        "seconds": 59.0,
        "partitions": [{"partition": p, "first_offset": first, "last_offset": last} for p, first, last in ranges],
    }


def silver_result(**counts):
    outcomes = {"landed": 0, "silver": 0, "duplicates": 0, "quarantined": 0, "lost": 0}
    return {
        "run": {table: {**outcomes, **count} for table, count in counts.items()},
        "totals": {"pin": {"bronze": 100, "silver": 90, "duplicates": 6, "quarantined": 4}},
        "quarantine_reasons": {"pin": {"no id": 4}},
        "defects": {"pin": {"follower_count": 3}},
        "counted_at": "2026-11-25T10:00:00+00:00",
    }


def test_counts_that_match_have_no_discrepancy():
    assert discrepancies(GOOD) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"source": 11}, "source has 11 rows in the window, but 8 were acknowledged and 2", id="not sent"),
        pytest.param({"source": 9}, "The source changed while it was read", id="sent too many"),
        pytest.param({"landed": 7, "silver": 4}, "at 8 offsets, but bronze has 7", id="not landed"),
        pytest.param({"silver": 4}, "1 are missing, 0 of them known as lost", id="not processed"),
        pytest.param({"silver": 6}, "-1 are missing", id="processed twice"),
        pytest.param({"silver": 4, "lost": 1}, "1 are missing, 1 of them known as lost", id="known as lost"),
        pytest.param({"lost": 1}, "0 are missing, 1 of them known as lost", id="known as lost, hidden by one too many"),
        pytest.param({"offsets": 5, "landed": 5, "silver": 2}, "8 records at 5 offsets, but bronze has 5",
                     id="fewer landed than acknowledged"),
        pytest.param({"offsets": 0}, "acknowledged 8 records at 0 offsets", id="offsets not returned"),
    ],
)  # fmt: skip
def test_every_missing_row_is_named_with_the_table_the_numbers_and_the_place(change, message):
    (sentence,) = discrepancies(replace(GOOD, **change))

    assert sentence.startswith("pin: ")
    assert message in sentence


def test_a_loss_is_not_hidden_by_records_of_others_at_the_same_offsets():
    """8 acknowledged, 12 offsets in their range: the 4 of others must have landed too."""
    assert discrepancies(replace(GOOD, offsets=12, landed=12, silver=9)) == []
    assert discrepancies(replace(GOOD, offsets=12, landed=11, silver=8))


def test_the_stages_are_brought_together_by_table():
    produced = [
        sent("pin", 3, [(0, 5, 6), (2, 0, 0)]),
        sent("geo", 1, [(1, 7, 7)], dead_letters=1),
        sent("user", 0, []),
    ]
    silver = silver_result(pin={"landed": 3, "silver": 2, "duplicates": 1}, geo={"landed": 1, "quarantined": 1})

    run = reconcile([("pin", 3, 0), ("geo", 2, 0)], produced, silver)

    assert run.problems(max_dead_letter_share=0.5) == []
    assert [(a.table, a.source, a.offsets, a.landed) for a in run.tables] == [
        ("pin", 3, 3, 3), ("geo", 2, 1, 1), ("user", 0, 0, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "dead", "limit", "sentence"),
    [
        pytest.param(3000, 1, 0.01, "1 of 3,000 rows (0.033 %) are dead letters, within the limit of 1 %", id="1 row"),
        pytest.param(300, 3, 0.01, "3 of 300 rows (1 %) are dead letters, within the limit of 1 %", id="at the limit"),
        pytest.param(299, 3, 0.01, "3 of 299 rows (1 %) are dead letters, above the limit of 1 %", id="just above"),
        pytest.param(6, 1, 0.025, "1 of 6 rows (16.67 %) are dead letters, above the limit of 2.5 %", id="a small day"),
        pytest.param(10**7, 1, 0, "1 of 10,000,000 rows (1e-05 %) are dead letters, above the limit of 0 %", id="none"),
        pytest.param(1, 1, 1, "1 of 1 rows (100 %) are dead letters, within the limit of 100 %", id="any"),
    ],
)
def test_dead_letters_are_a_warning_up_to_a_share_and_a_failure_above_it(source, dead, limit, sentence):
    good = source - dead
    landed = silver_result(geo={"landed": good, "silver": good})
    run = reconcile([("geo", source, 0)], [sent("geo", good, [(0, 0, good - 1)] if good else [], dead)], landed)

    warnings, problems = run.warnings(max_dead_letter_share=limit), run.problems(max_dead_letter_share=limit)

    whole = f"geo: {sentence} (max_dead_letter_share): each is with its reason at s3://lake/dead-letters/x*; "
    whole += "pinterest_redrive sends them again once it has gone."
    assert (warnings, problems) == (([], [whole]) if "above" in sentence else ([whole], []))


@pytest.mark.parametrize(
    ("result", "there", "expected"),
    [
        pytest.param(None, [], [], id="nothing to process"),
        pytest.param({"unreadable": {"pin": [], "geo": []}}, [], [], id="all could be read"),
        pytest.param({"unreadable": {"pin": ["a", "topics-2/b"]}}, ["topics/ab", "x"], [], id="deleted since"),
        pytest.param(
            {"unreadable": {"pin": ["a", "topics-2/b"], "geo": ["c"]}}, ["topics/a", "topics-2/b"],
            ["pin: 2 objects of the lake cannot be read and were left out: a, topics-2/b. Put"], id="still there",
        ),
        pytest.param(
            {"unreadable": {"pin": list("abcd")}}, [f"topics/{name}" for name in "abcd"],
            ["pin: 4 objects of the lake cannot be read and were left out: a, b, c …. Put"], id="more than are named",
        ),
    ],
)  # fmt: skip
def test_objects_that_cannot_be_read_are_a_problem_until_they_are_deleted(monkeypatch, result, there, expected):
    from pinterest_pipeline.lake.hook import LakeHook

    monkeypatch.setattr(LakeHook, "names", lambda _, prefix: [name for name in there if name.startswith(prefix)])

    found = unreadable_in_lake(result, "lake")

    assert [sentence[: len(start)] for sentence, start in zip(found, expected, strict=True)] == expected


@pytest.mark.parametrize("share", [-0.1, 1.1, "1 %", None, True])
def test_a_share_that_is_none_is_named_with_its_place(share):
    with pytest.raises(PermanentError, match=r"for max_dead_letter_share: write a share from 0 to 1, such as 0\.01"):
        require_share(share)


def test_records_of_others_and_posts_left_behind_are_warned_of():
    run = reconcile([("pin", 1, 4)], [sent("pin", 1, [(0, 1, 3)])], silver_result(pin={"landed": 3, "silver": 3}))

    assert run.problems(max_dead_letter_share=0) == []
    assert [warning.split(" ")[1] for warning in run.warnings(max_dead_letter_share=0)] == ["2", "4"]


def test_a_day_without_posts_reconciles_with_zeros():
    run = reconcile(
        [("pin", 0, 0), ("geo", 0, 0), ("user", 0, 0)], [sent(t, 0, []) for t in ("pin", "geo", "user")], None
    )

    assert run.problems(max_dead_letter_share=0) == []
    assert run.lake_rows() == []
    assert [row["source_rows"] for row in run.run_rows("dag", "run")] == [0, 0, 0]


def test_rows_of_a_table_that_was_never_sent_are_missed():
    assert reconcile([("user", 5, 0)], [], None).problems(max_dead_letter_share=0.01)


def test_the_audit_rows_hold_every_number():
    run = reconcile([("pin", 3, 0)], [sent("pin", 3, [(0, 0, 2)])], silver_result(pin={"landed": 3, "silver": 3}))

    assert run.run_rows("dag", "run")[0] == {
        "dag_id": "dag", "run_id": "run", "table_name": "pin", "source_rows": 3, "acknowledged_rows": 3,
        "dead_letter_rows": 0, "landed_rows": 3, "silver_rows": 3, "duplicate_rows": 0, "quarantined_rows": 0,
        "lost_rows": 0, "dead_letter_uri": None,
    }  # fmt: skip
    assert run.lake_rows() == [
        {
            "table_name": "pin", "bronze_rows": 100, "silver_rows": 90, "duplicate_rows": 6, "quarantined_rows": 4,
            "quarantine_reasons": {"no id": 4}, "defects": {"follower_count": 3},
            "counted_at": "2026-11-25T10:00:00+00:00",
        }
    ]  # fmt: skip


def test_offsets_are_given_by_table_with_the_time_of_the_sending_and_only_where_something_was_acknowledged():
    assert offsets_by_table([sent("pin", 2, [(1, 4, 5)]), sent("geo", 0, [])]) == {
        "pin": {
            "sent_from": "2026-11-25T01:59:00+00:00",
            "sent_until": "2026-11-25T02:02:00+00:00",
            "offsets": [(1, 4, 5)],
        }
    }


def with_gaps(result, *gaps):
    return {**result, "partitions": [{**result["partitions"][0], "gaps": [list(gap) for gap in gaps]}]}


def test_offsets_of_others_and_of_markers_are_neither_counted_nor_missed():
    produced = with_gaps(sent("pin", 8, [(0, 0, 11)]), (3, 3), (6, 8))
    silver = silver_result(pin={"landed": 8, "silver": 8})

    run = reconcile([("pin", 8, 0)], [produced], silver)

    assert offsets_by_table([produced])["pin"]["offsets"] == [(0, 0, 2), (0, 4, 5), (0, 9, 11)]
    assert (run.problems(max_dead_letter_share=0), run.warnings(max_dead_letter_share=0)) == ([], [])


def test_more_ranges_than_databricks_takes_are_joined_and_the_others_records_counted():
    gaps = [(offset, offset) for offset in range(1, 2 * MAX_RANGES, 2)]
    produced = with_gaps(sent("pin", MAX_RANGES + 1, [(0, 0, 2 * MAX_RANGES)]), *gaps)

    offsets = offsets_by_table([produced])["pin"]["offsets"]
    count = sum(last - first + 1 for _, first, last in offsets)
    run = reconcile([("pin", MAX_RANGES + 1, 0)], [produced], silver_result(pin={"landed": count, "silver": count}))

    assert len(offsets) == MAX_RANGES
    assert run.problems(max_dead_letter_share=0) == []
    assert len(run.warnings(max_dead_letter_share=0)) == 1


def test_a_rerun_that_finds_nothing_to_send_ignores_the_silver_result_of_the_run_before():
    stale = silver_result(pin={"landed": 6, "silver": 6})

    run = reconcile([("pin", 0, 0)], [sent("pin", 0, [])], stale)

    assert run.problems(max_dead_letter_share=0.01) == []
    assert list(run.lake_rows()) == []
