"""Which posts a run handles."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.window import arrivals, choose_window

START, END = datetime(2018, 3, 1, 2, tzinfo=UTC), datetime(2018, 3, 2, 2, tzinfo=UTC)


def test_a_run_handles_its_data_interval_and_leaves_undated_posts():
    assert choose_window(None, None, START, END) == {
        "window_start": "2018-03-01T02:00:00",
        "window_end": "2018-03-02T02:00:00",
        "include_undated": False,
    }


def test_a_given_window_wins_and_takes_undated_posts_along():
    assert choose_window("2017-01-01", "2023-01-01T00:00:00", START, END) == {
        "window_start": "2017-01-01T00:00:00",
        "window_end": "2023-01-01T00:00:00",
        "include_undated": True,
    }


@pytest.mark.parametrize("given", ["2018-03-01T03:30:00+01:30", "2018-03-01T02:00:00Z", " 2018-03-01T02:00:00 "])
def test_a_time_is_brought_to_utc_and_is_utc_without_an_offset(given):
    assert choose_window(given, "2018-03-02", None, None)["window_start"] == "2018-03-01T02:00:00"


def test_an_interval_of_another_zone_is_brought_to_utc():
    east = timezone(timedelta(hours=5))

    assert (
        choose_window(None, None, START.astimezone(east), END.astimezone(east))["window_start"] == "2018-03-01T02:00:00"
    )


def test_empty_texts_of_the_form_count_as_not_given():
    assert not choose_window("", "", START, END)["include_undated"]


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        pytest.param("2018-03-01", None, "Param window_end is missing", id="no end"),
        pytest.param("", "2018-03-01", "Param window_start is missing", id="no start"),
        pytest.param("yesterday", "2018-03-01", "Param window_start is 'yesterday'", id="not a time"),
        pytest.param("2018-03-01", "2018-02-30", "Param window_end is '2018-02-30'", id="no such day"),
        pytest.param("0001-01-01T00:00+14:00", "2018-03-01", "Param window_start is '0001-01-01T00:00.14:00'",
                     id="before the first year"),
        pytest.param("2018-03-01", "9999-12-31T23:59-14:00", "Param window_end is '9999", id="after the last year"),
        pytest.param("2018-03-01", "12018-03-01", "Param window_end is '12018", id="a year of five digits"),
        pytest.param("2018-03-02", "2018-03-01", "not after its start 2018-03-02T00:00:00", id="end before start"),
        pytest.param("2018-03-01", "2018-03-01", "not after its start", id="end at start"),
    ],
)  # fmt: skip
def test_a_window_that_makes_no_sense_is_refused_in_one_line(start, end, message):
    with pytest.raises(PermanentError, match=message) as refusal:
        choose_window(start, end, START, END)

    assert "\n" not in str(refusal.value)


def test_one_microsecond_is_a_window():
    assert choose_window("2018-03-01", "2018-03-01T00:00:00.000001", None, None)


def test_a_run_without_an_interval_is_told_what_it_needs():
    with pytest.raises(PermanentError, match="no data interval: trigger it with a logical date, or with params"):
        choose_window(None, None, None, None)


@pytest.mark.parametrize(
    ("start", "end", "bounds"),
    [
        (None, None, ("", "")),
        ("2026-11-25", None, ("2026-11-25T00:00:00", "")),
        (None, "2026-11-25T02:00+02:00", ("", "2026-11-25T00:00:00")),
        ("2026-11-25", "2026-11-25T00:00:01", ("2026-11-25T00:00:00", "2026-11-25T00:00:01")),
    ],
)
def test_a_window_of_arrivals_may_be_open(start, end, bounds):
    assert arrivals(start, end) == bounds


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [("soon", None, "window_start is 'soon'"), ("2026-11-25", "2026-11-25", "is not after its start")],
)
def test_a_wrong_window_of_arrivals_is_refused(start, end, message):
    with pytest.raises(PermanentError, match=message):
        arrivals(start, end)
