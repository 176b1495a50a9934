"""What the page makes of the last runs of the three DAGs that do or watch the work."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pinterest_pipeline.ui.airflow_runs import Dag, Run
from pinterest_pipeline.ui.health import BATCH, CONNECTOR, STREAM, batch, connector, shape, stream

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def run(state, minutes_ago=1, **tasks):
    at = NOW - timedelta(minutes=minutes_ago)
    over = at if state in {"success", "failed"} else None
    return Run(f"{state}-{minutes_ago}", state, at, over, None, {name: (found,) for name, found in tasks.items()})


def dag(*runs, is_paused=False):
    return Dag("the_dag", is_paused, runs)


WATCHED = {"launch_stream": "success", "watch_stream": "deferred"}
HEALTHY = {"connector_is_healthy": "success", "restart_connector": "skipped"}


@pytest.mark.parametrize(
    ("found", "level", "word"),
    [
        pytest.param(Dag("the_dag", None), "unknown", "No DAG", id="not deployed"),
        pytest.param(dag(is_paused=True), "unknown", "Not run", id="never ran"),
        pytest.param(dag(run("running")), "unknown", "Checking", id="first check"),
        pytest.param(dag(run("success", **HEALTHY)), "good", "Healthy", id="healthy"),
        pytest.param(dag(run("running"), run("success", 9, **HEALTHY)), "good", "Healthy", id="checks again"),
        pytest.param(dag(run("success", restart_connector="success")), "warn", "Restarted", id="restarted"),
        pytest.param(
            dag(run("failed", healthy_after_restart="failed", alert="failed")), "bad", "Unhealthy", id="failed"
        ),
        pytest.param(dag(run("success", 30, **HEALTHY)), "good", "Healthy", id="30 minutes old"),
        pytest.param(dag(run("success", 31, **HEALTHY)), "warn", "No recent check", id="31 minutes old"),
    ],
)
def test_the_connector_is_as_the_last_look_found_it(found, level, word):
    tile = connector(found, NOW)

    assert (tile.level, tile.word) == (level, word)


def test_what_failed_is_named_but_not_the_alert():
    tile = connector(dag(run("failed", healthy_after_restart="failed", alert="failed")), NOW)

    assert tile.detail.startswith("healthy_after_restart failed")


@pytest.mark.parametrize(
    ("found", "level", "word"),
    [
        pytest.param(dag(is_paused=True), "unknown", "Not run", id="never ran"),
        pytest.param(dag(run("running", streams_exist="running")), "unknown", "Starting", id="first launch to come"),
        pytest.param(dag(run("running", launch_stream="deferred")), "warn", "Launching", id="launching"),
        pytest.param(dag(run("running", **WATCHED)), "good", "Running", id="watched"),
        pytest.param(dag(run("running", **WATCHED), run("failed", 2, watch_stream="failed")), "warn", "Replaced",
                     id="replaced"),
        pytest.param(dag(run("running", **WATCHED), run("failed", 10, watch_stream="failed")), "good", "Running",
                     id="replaced a while ago"),
        pytest.param(dag(run("failed", 1, watch_stream="failed")), "bad", "Unhealthy", id="failed"),
        pytest.param(dag(run("queued", 0), run("failed", 1, watch_stream="failed")), "bad", "Unhealthy", id="queued"),
        pytest.param(dag(run("success", 1, launch_stream="skipped")), "off", "Paused", id="paused"),
        pytest.param(dag(run("success", 1, launch_stream="success"), is_paused=True), "warn", "Not monitored",
                     id="DAG paused"),
        pytest.param(dag(run("success", 11, launch_stream="success")), "warn", "Not monitored", id="no run"),
        pytest.param(dag(run("success", 10, launch_stream="success")), "good", "Running", id="between two runs"),
    ],
)  # fmt: skip
def test_the_stream_is_as_its_supervisor_sees_it(found, level, word):
    tile = stream(found, NOW)

    assert (tile.level, tile.word) == (level, word)


def day(state, days_ago=1, minutes_ago=1, run_type="scheduled", **tasks):
    """The run of the interval that ended ``days_ago`` days before the newest; it may have been run at any time."""
    begun = run(state, minutes_ago, **tasks)
    return replace(begun, interval_end=NOW.replace(hour=2) - timedelta(days=days_ago - 1), run_type=run_type)


def by_hand(state, minutes_ago=1, **tasks):
    return replace(run(state, minutes_ago, **tasks), run_type="manual")


def batches(*days, runs=None, is_paused=False, next_run_after=None):
    return Dag("the_dag", is_paused, runs or days, days, next_run_after)


DONE = (day("success", 1), day("success", 2))


@pytest.mark.parametrize(
    ("found", "level", "word"),
    [
        pytest.param(batches(is_paused=True), "unknown", "Not run", id="never ran"),
        pytest.param(batches(*DONE), "good", "Succeeded", id="done"),
        pytest.param(batches(DONE[0]), "good", "Succeeded", id="the first day"),
        pytest.param(batches(*DONE, is_paused=True), "warn", "Succeeded", id="done, and paused"),
        pytest.param(batches(day("running", 1, posts_landed="deferred"), DONE[1]), "good", "Running", id="at work"),
        pytest.param(batches(day("failed", 1, silver="failed"), DONE[1]), "bad", "Failed", id="failed"),
        pytest.param(batches(day("running", 1), day("failed", 2, silver="failed")), "bad", "Failed",
                     id="the day before failed, the newest is at work"),
        pytest.param(batches(DONE[0], day("failed", 2, silver="failed")), "bad", "Failed", id="the day before failed"),
        pytest.param(
            batches(
                day("failed", 1, 300, silver="failed"), DONE[1],
                runs=(day("success", 3000, 5, "backfill"), day("failed", 1, 300, silver="failed")),
            ), "bad", "Failed", id="failed, then a backfill of another day succeeded"),
        pytest.param(batches(day("success", 1, 5, "backfill"), DONE[1]), "good", "Succeeded",
                     id="failed, then its own day was run again by a backfill"),
        pytest.param(batches(day("failed", 1, 30), DONE[1], runs=(by_hand("success"),)), "bad", "Failed",
                     id="failed, then a run by hand succeeded"),
        pytest.param(batches(*DONE, runs=(by_hand("failed", 0, silver="failed"),)), "warn", "Failed by hand",
                     id="only a run by hand failed"),
        pytest.param(batches(*DONE, runs=(by_hand("running"), *DONE)), "good", "Succeeded", id="one by hand at work"),
        pytest.param(batches(runs=(by_hand("success"),)), "warn", "By hand only", id="no day yet"),
        pytest.param(batches(*DONE, next_run_after=NOW - timedelta(minutes=30)), "good", "Succeeded", id="due"),
        pytest.param(batches(*DONE, next_run_after=NOW - timedelta(minutes=31)), "bad", "Late", id="overdue"),
        pytest.param(batches(*DONE, next_run_after=NOW - timedelta(days=9), is_paused=True), "warn", "Succeeded",
                     id="paused is not late"),
    ],
)  # fmt: skip
def test_the_batch_is_as_its_newest_days_are(found, level, word):
    tile = batch(found, NOW)

    assert (tile.level, tile.word) == (level, word)


def test_a_failed_day_is_named_and_linked_to_the_log_of_what_failed():
    sending = replace(
        day("failed"), dag_id="the_dag", run_id="scheduled__2026-11-25T02:00:00+00:00",
        tasks={"ingest.send_posts": ("success", "failed", "success"), "alert": ("failed",)},
        mapped=frozenset({"ingest.send_posts"}),
    )  # fmt: skip

    tile = batch(batches(sending), NOW)

    assert tile.detail == "The interval to 2026-11-25 02:00: ingest.send_posts failed: read its log."
    assert tile.path == (
        "dags/the_dag/runs/scheduled__2026-11-25T02%3A00%3A00%2B00%3A00/tasks/ingest.send_posts/mapped/1"
    )


def test_done_days_are_named():
    assert batch(batches(*DONE), NOW).detail == "Done: the intervals to 2026-11-24 02:00 and 2026-11-25 02:00."


@pytest.mark.parametrize("run_id", ["../../../security", "manual__<b>", "a/b?c#d"])
def test_a_run_id_cannot_leave_its_path(run_id):
    path = Run(run_id, "failed", dag_id="the_dag").path

    assert path.startswith("dags/the_dag/runs/")
    assert not set(path.removeprefix("dags/the_dag/runs/")) & set("/?#<")


def test_freshness_is_from_the_end_of_the_interval_to_the_end_of_the_run():
    late = Run("scheduled", "success", NOW, NOW + timedelta(minutes=4), NOW - timedelta(minutes=10), {})
    dags = {name: Dag(name, False, (late,)) for name in (BATCH, CONNECTOR, STREAM)}

    shown = shape(dags, NOW)["dags"][0]["runs"][0]

    assert (shown["seconds"], shown["seconds_after_interval"]) == (240, 840)
