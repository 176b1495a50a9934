"""Decisions about a stream: dead, stale or fine; what starts it again and when; what was asked for."""

from datetime import UTC, datetime, timedelta

import pytest

from pinterest_pipeline.databricks.runs import Run, State
from pinterest_pipeline.stream.policy import (
    Control,
    LaunchStep,
    Limits,
    Progress,
    StreamState,
    assess,
    failures_in_a_row,
    is_waiting_too_long,
    launch_delay,
    next_launch,
    overdue,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
EPOCH = NOW.timestamp()
LIMITS = Limits(stale_after_seconds=60, start_within_seconds=300)


def run(life="RUNNING", result="", *, age=3600.0, ended=0.0, run_id=7):
    """A run that began ``age`` seconds ago and, where it is over, ended ``ended`` seconds ago."""
    over = life in {"TERMINATED", "INTERNAL_ERROR", "SKIPPED"}
    end = EPOCH - ended if over else 0
    return Run(run_id, "stream", State(life, result), "http://page", {}, start_time=EPOCH - age, end_time=end)


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def progress(committed, query="stream_pin"):
    return {query: Progress(query, 3, ago(committed))}


def state(seen=None, control=None, unread=None, *, left=60, handover=False):
    return assess(
        seen or run(), control or Control(), unread or {}, now=NOW, watch_until=ago(-left), handover=handover
    ).state


def test_a_running_stream_whose_watch_goes_on_is_fine():
    assert state() is StreamState.HEALTHY


@pytest.mark.parametrize(
    ("life", "result"),
    [("TERMINATED", "FAILED"), ("INTERNAL_ERROR", "FAILED"), ("TERMINATED", "CANCELED"), ("TERMINATED", "SUCCESS"),
     ("SKIPPED", "")],
)  # fmt: skip
def test_a_stream_that_ended_without_being_asked_is_dead_even_with_success(life, result):
    assert state(run(life, result)) is StreamState.DEAD


@pytest.mark.parametrize("life", ["PENDING", "QUEUED", "BLOCKED", "WAITING_FOR_RETRY", "TERMINATING"])
def test_a_run_that_is_not_over_is_alive(life):
    assert state(run(life)) is StreamState.HEALTHY


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        pytest.param(Control(stop_requested_at=ago(10)), StreamState.STOPPED, id="stop asked since it began"),
        pytest.param(Control(stop_requested_at=ago(3601)), StreamState.DEAD, id="stop asked of an earlier run"),
        pytest.param(Control(paused_at=ago(9999)), StreamState.STOPPED, id="paused, so its end is no alarm"),
    ],
)
def test_an_end_that_was_asked_for_is_no_death(control, expected):
    assert state(run("TERMINATED", "SUCCESS"), control) is expected


def test_a_query_before_unread_records_is_stale_also_at_the_end_of_the_watch():
    assert state(unread={"stream_pin": ago(61)}) is StreamState.STALE
    assert state(unread={"stream_pin": ago(61)}, left=0, handover=True) is StreamState.STALE


@pytest.mark.parametrize(
    ("left", "expected"), [(1, StreamState.HEALTHY), (0, StreamState.OVER), (-1, StreamState.OVER)]
)
def test_the_watch_ends_on_time(left, expected):
    assert state(left=left) is expected


def test_the_watch_ends_when_somebodys_request_waits():
    assert state(handover=True) is StreamState.OVER


@pytest.mark.parametrize(
    ("committed", "age", "expected"),
    [
        pytest.param(59, 3600, [], id="committed within the limit"),
        pytest.param(61, 3600, ["stream_pin"], id="committed before the limit"),
        pytest.param(61, 299, [], id="but the run is young"),
        pytest.param(None, 299, [], id="nothing committed by a young run"),
        pytest.param(None, 301, ["stream_pin"], id="nothing committed ever"),
    ],
)
def test_only_a_silent_query_of_a_grown_run_has_its_backlog_looked_at(committed, age, expected):
    rows = {} if committed is None else progress(committed)

    assert overdue(["stream_pin"], rows, run(age=age), LIMITS, NOW) == expected


def test_each_query_counts_for_itself():
    rows = progress(10, "stream_pin") | progress(100, "stream_geo")

    assert overdue(["stream_pin", "stream_geo"], rows, run(), LIMITS, NOW) == ["stream_geo"]


@pytest.mark.parametrize(("arrival", "expected"), [(None, False), (ago(60), False), (ago(60.1), True)])
def test_only_a_record_unread_for_longer_than_the_limit_is_late(arrival, expected):
    assert is_waiting_too_long(arrival, LIMITS, NOW) is expected


def test_the_pause_before_a_launch_doubles_and_is_bounded():
    assert [launch_delay(failures) for failures in range(-1, 12)] == [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


FAILED = {"life": "INTERNAL_ERROR", "result": "FAILED"}


@pytest.mark.parametrize(
    ("runs", "count"),
    [
        pytest.param([], 0, id="none"),
        pytest.param([run(**FAILED, age=20, ended=10)] * 3, 3, id="three short ones"),
        pytest.param([run(**FAILED, age=20), run(**FAILED, age=400, ended=50), run(**FAILED)], 1, id="healthy"),
        pytest.param([run(**FAILED, age=20), run("TERMINATED", "SUCCESS", age=90), run(**FAILED)], 1, id="success"),
        pytest.param([run("TERMINATED", "CANCELED", age=9), run(**FAILED, age=20)], 1, id="a cancelled one is no news"),
        pytest.param([run(), run(**FAILED, age=20)], 1, id="an active one is no news"),
        pytest.param([run("TERMINATED", "TIMEDOUT", age=20), run("SKIPPED", age=9)], 2, id="whatever is no success"),
    ],
)
def test_failures_in_a_row_are_counted_from_the_newest(runs, count):
    assert failures_in_a_row(runs) == count


def launch(*runs, continuous=True, paused=False, unpaused=0.0, grace=30.0):
    return next_launch(
        runs,
        is_continuous=continuous,
        is_paused=paused,
        unpaused_at=unpaused,
        platform_grace=grace,
        now=EPOCH,
    )


@pytest.mark.parametrize("life", ["PENDING", "QUEUED", "RUNNING", "BLOCKED", "WAITING_FOR_RETRY"])
@pytest.mark.parametrize("paused", [False, True])
def test_whatever_is_not_over_is_attached_to_even_if_the_job_is_paused(life, paused):
    seen = launch(run(life), run(**FAILED, run_id=6), paused=paused)

    assert (seen.step, seen.run.run_id) == (LaunchStep.ATTACH, 7)


def test_of_two_active_runs_the_older_is_attached_to():
    assert launch(run("QUEUED", run_id=9), run(run_id=8)).run.run_id == 8


def test_a_run_that_is_being_cancelled_is_waited_for():
    assert launch(run("TERMINATING")).step is LaunchStep.WAIT


def test_a_paused_continuous_job_is_let_go():
    assert launch(paused=True).step is LaunchStep.UNPAUSE
    assert launch(run(**FAILED, age=9), paused=True).step is LaunchStep.UNPAUSE


@pytest.mark.parametrize(("ended", "expected"), [(29, LaunchStep.WAIT), (30, LaunchStep.START)])
def test_the_platform_is_given_time_to_restart_a_continuous_job(ended, expected):
    assert launch(run(**FAILED, ended=ended)).step is expected


@pytest.mark.parametrize(("unpaused", "expected"), [(29, LaunchStep.WAIT), (30, LaunchStep.START)])
def test_and_to_start_it_after_it_was_let_go(unpaused, expected):
    assert launch(unpaused=EPOCH - unpaused).step is expected


@pytest.mark.parametrize(("ended", "expected"), [(3, LaunchStep.WAIT), (4, LaunchStep.START)])
def test_another_job_is_started_after_the_delay_that_its_failures_earn(ended, expected):
    failures = [run(**FAILED, age=ended + 10, ended=ended)] * 3

    seen = launch(*failures, continuous=False)

    assert (seen.step, seen.not_before) == (expected, EPOCH - ended + 4)


def test_a_job_without_any_run_is_started_at_once():
    assert launch(continuous=False).step is LaunchStep.START
