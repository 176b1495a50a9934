"""What the page makes of the last runs of the three DAGs that do or watch the work."""

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


@pytest.mark.parametrize(
    ("found", "level", "word"),
    [
        pytest.param(dag(run("running", posts_landed="deferred")), "good", "Running", id="at work"),
        pytest.param(dag(run("success")), "good", "Succeeded", id="done"),
        pytest.param(dag(run("success"), is_paused=True), "warn", "Succeeded", id="done, and paused"),
        pytest.param(dag(run("failed", silver="failed")), "bad", "Failed", id="failed"),
        pytest.param(
            dag(run("running"), run("failed", 5, silver="failed")), "bad", "Failed", id="failed, next at work"
        ),
        pytest.param(
            dag(run("success", 9), run("failed", 2, silver="failed")), "bad", "Failed", id="last to end failed"
        ),
    ],
)
def test_the_batch_is_as_the_run_that_ended_last(found, level, word):
    tile = batch(found)

    assert (tile.level, tile.word) == (level, word)


def test_mapped_tasks_count_each():
    sending = Run("r", "failed", NOW, NOW, None, {"ingest.send_posts": ("success", "failed", "success")})

    assert batch(dag(sending)).detail == "ingest.send_posts failed: read its log."


def test_freshness_is_from_the_end_of_the_interval_to_the_end_of_the_run():
    late = Run("scheduled", "success", NOW, NOW + timedelta(minutes=4), NOW - timedelta(minutes=10), {})
    dags = {name: Dag(name, False, (late,)) for name in (BATCH, CONNECTOR, STREAM)}

    shown = shape(dags, NOW)["dags"][0]["runs"][0]

    assert (shown["seconds"], shown["seconds_after_interval"]) == (240, 840)
