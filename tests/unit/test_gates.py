"""What is published and what is not: shares against limits, each told with table, column, share, limit and samples."""

import logging

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.quality import check_quality
from pinterest_pipeline.warehouse.gates import ANSWER_ROWS, DEFAULTS, Limits, answer_rows, read_gates


def validated(records, quarantined=0, samples=None, **defects):
    return {"records": records, "quarantined": quarantined, "defects": defects, "samples": samples or {}}


def check(gates="", **tables):
    return check_quality.function({"validated": tables}, gates=gates)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param({}, id="nothing was validated"),
        pytest.param({"geo": validated(0)}, id="no record"),
        pytest.param({"geo": validated(100, quarantined=20, timestamp=20)}, id="at the limit"),
        pytest.param({"geo": validated(3, quarantined=1, timestamp=1)}, id="one record, however few there are"),
    ],
)
def test_what_is_within_the_limits_passes(found):
    assert check(**found) == found


def test_a_day_whose_every_timestamp_is_no_instant_is_not_published_and_shows_three_records():
    samples = ['{"ind": 1, "timestamp": "2026-11-27"}', '{"ind": 2, …', '{"ind": 3, …']

    with pytest.raises(PermanentError) as failure:
        check(geo=validated(6, timestamp=6, samples={"timestamp": samples}), pin=validated(6))

    said = str(failure.value)
    assert said.startswith(
        "Nothing was published, readers keep the last answers. geo.timestamp: 6 of 6 records have no"
    )
    assert "(defect_share 1, limit 0.2), such as " + " ".join(samples) in said
    assert "pin" not in said.partition("Correct")[0]


def test_all_records_in_quarantine_are_not_published_and_each_table_is_named():
    with pytest.raises(
        PermanentError, match=r"geo: 5 of 5 records are in quarantine.*user: 7 of 9 records are"
    ) as failed:
        check(geo=validated(5, 5), user=validated(9, 7, samples={"*": ["{} (no ind)"]}))

    assert "such as {} (no ind)." in str(failed.value)


def test_between_the_limits_there_is_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        check(pin=validated(100, quarantined=2, title=1))

    (said,) = caplog.messages
    assert said == "pin: 2 of 100 records are in quarantine (quarantined_share 0.02, warned above 0.01)."


def test_the_variable_sets_the_limits():
    found = {"pin": validated(10, quarantined=9)}

    assert check({"quarantined_share": {"fail": 0.9}}, **found) == found
    with pytest.raises(PermanentError, match="limit 0"):
        check({"quarantined_share": {"fail": 0}}, pin=validated(1000, quarantined=2))


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        pytest.param(
            [], "expected an object with some of quarantined_share, defect_share, answer_rows_share", id="list"
        ),
        pytest.param({"rows": {}}, "got {'rows': {}}", id="unknown gate"),
        pytest.param({"defect_share": 0.1}, "defect_share: expected an object with warn, fail or both", id="number"),
        pytest.param({"defect_share": {"max": 1}}, "defect_share: expected an object with warn", id="unknown limit"),
        pytest.param({"defect_share": {"fail": 1.1}}, "defect_share.fail: expected a share from 0 to 1", id="above 1"),
        pytest.param({"defect_share": {"fail": True}}, "expected a share from 0 to 1, got True", id="boolean"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(gates, message):
    with pytest.raises(ValueError, match=message.replace("{", r"\{")):
        read_gates(gates)
    with pytest.raises(PermanentError, match=r"Variable pinterest_pipeline, gates: .*see docs/connections\.md"):
        check(gates)


def test_what_the_variable_leaves_out_is_the_default():
    assert read_gates(None) == read_gates("") == read_gates({}) == DEFAULTS
    assert read_gates({ANSWER_ROWS: {"warn": 0.8}})[ANSWER_ROWS] == Limits(warn=0.8, fail=DEFAULTS[ANSWER_ROWS].fail)


@pytest.mark.parametrize(
    ("before", "after", "warns", "fails"),
    [
        pytest.param({}, {"a": 5}, False, False, id="first"),
        pytest.param({}, {"a": 0, "b": 0}, False, True, id="first, and all are empty"),
        pytest.param({"b": 5}, {"a": 0, "b": 5}, False, False, id="a new one is empty"),
        pytest.param({"a": 1, "b": 5}, {"a": 0, "b": 5}, False, True, id="had rows and has none"),
        pytest.param({"a": 19}, {"a": 1}, False, False, id="few rows, of which ties are many"),
        pytest.param({"a": 20}, {"a": 10}, True, False, id="at the limit"),
        pytest.param({"a": 20}, {"a": 9}, False, True, id="below it"),
        pytest.param({"a": 20}, {"a": 18}, False, False, id="at the warning's limit"),
        pytest.param({"a": 20}, {"a": 17}, True, False, id="below that"),
        pytest.param({"a": 20, "gone": 9}, {"a": 90}, False, False, id="more rows, another answer gone"),
    ],
)
def test_an_answer_that_had_rows_has_rows(before, after, warns, fails):
    warnings, problems = answer_rows(before, after, Limits(warn=0.9, fail=0.5))

    assert (bool(warnings), bool(problems)) == (warns, fails)


def test_a_limit_of_0_lets_an_answer_be_empty():
    assert answer_rows({"a": 5, "b": 1}, {"a": 0, "b": 1}, Limits(warn=0, fail=0)) == ([], [])


DAY = {"window_start": "2018-03-01T02:00:00", "window_end": "2018-03-02T02:00:00", "include_undated": False}


def newest(**posted_at):
    return [(table, 5, 0, 77, posted_at.get(table, "2018-03-02T01:59:59")) for table in ("geo", "pin", "user")]


def check_freshness(gates="", window=DAY, **posted_at):
    return check_quality.function({}, gates=gates, source_counts=newest(**posted_at), window=window)


@pytest.mark.parametrize(
    ("gates", "posted_at"),
    [
        pytest.param("", "2018-03-01T02:00:00", id="a day long ago"),
        pytest.param({"freshness_hours": {"warn": 0, "fail": 1}}, "2018-03-02T01:00:00", id="at the limit"),
        pytest.param(
            {"freshness_hours": {"tables": {"user": {"warn": 720, "fail": 9999}}}}, "2018-02-01T00:00:00", id="slow"
        ),
    ],
)
def test_a_table_is_as_fresh_as_it_was_at_the_end_of_its_interval(gates, posted_at, caplog):
    assert check_freshness(gates, user=posted_at) == {}
    assert bool(caplog.messages) is (gates == {"freshness_hours": {"warn": 0, "fail": 1}})


def test_a_table_that_stands_still_is_not_published_and_is_named_with_limit_age_and_newest_post():
    with pytest.raises(PermanentError) as failure:
        check_freshness(user="2018-02-23T01:00:00")

    assert (
        "last answers. user: its newest post is 77 of 2018-02-23T01:00:00, the interval ends at 2018-03-02T02:00:00 "
        "(freshness_hours 169, limit 168). Fill the source"
    ) in str(failure.value)


def test_a_table_without_any_post_is_not_published():
    with pytest.raises(PermanentError, match=r"pin: it has no post, the interval ends .*freshness_hours none, limit"):
        check_quality.function({}, gates="", source_counts=newest()[:1] + newest()[2:], window=DAY)


def test_above_the_warnings_limit_there_is_a_warning(caplog):
    check_freshness(pin="2018-03-01T01:00:00")

    assert caplog.messages == [
        "pin: its newest post is 77 of 2018-03-01T01:00:00, the interval ends at 2018-03-02T02:00:00 "
        "(freshness_hours 25, warned above 24)."
    ]


def test_a_window_that_a_person_gave_is_not_checked():
    assert check_freshness(window={**DAY, "include_undated": True}, geo="1999-01-01T00:00:00") == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"fail": -1}, r"freshness_hours\.fail: expected a number of hours, got -1", id="negative"),
        pytest.param(
            {"tables": {"posts": {}}}, r"freshness_hours\.tables: expected an object with some of", id="table"
        ),
        pytest.param(
            {"tables": {"pin": 3}}, r"freshness_hours\.tables\.pin: expected an object with warn", id="number"
        ),
        pytest.param({"tables": []}, r"freshness_hours\.tables: expected an object with some of", id="list"),
    ],
)
def test_wrong_hours_are_refused_by_name(given, message):
    with pytest.raises(ValueError, match=message):
        read_gates({"freshness_hours": given})
    with pytest.raises(ValueError, match="defect_share: expected an object with warn"):
        read_gates({"defect_share": {"tables": {"pin": {"fail": 1}}}})
