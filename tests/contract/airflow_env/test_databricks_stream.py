"""Supervising a stream on the Databricks stand-in: real runs of an endless notebook, whose driver is really killed."""

import json
import os
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from pinterest_pipeline.databricks.jobs_hook import DatabricksJobHook
from pinterest_pipeline.stream.operators import DatabricksLaunchStreamOperator, DatabricksStopStreamOperator
from tests.support.waiting import read_until

# It ends well once its stop file is there, as the real one does once stream.control says so.
ENDLESS = """import os, time
from pathlib import Path
Path(dbutils.widgets.get("pid_file")).write_text(str(os.getpid()))
while not Path(dbutils.widgets.get("stop_file")).exists():
    time.sleep(0.05)
dbutils.notebook.exit("{}")"""


class TaskInstance:
    def xcom_push(self, key, value):
        assert (key, value[:4]) == ("run_page_url", "http")


@pytest.fixture
def hook(databricks_api, monkeypatch):
    connection = {
        "conn_type": "databricks", "host": "127.0.0.1", "schema": "http", "port": databricks_api.port,
        "password": databricks_api.token,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DATABRICKS", json.dumps(connection))
    return DatabricksJobHook()


class Stream:
    """A job of the test's own, and what becomes of it."""

    def __init__(self, hook, api, folder, name, continuous):
        self.hook, self.name, self.folder = hook, name, folder
        path = api.notebook(f"endless_{name}", ENDLESS)
        files = {"pid_file": str(folder / "pid"), "stop_file": str(folder / "stop")}
        task = {
            "task_key": "stream",
            "new_cluster": {"spark_version": "18.x", "custom_tags": {"of": name}},
            "notebook_task": {"notebook_path": path, "base_parameters": files},
        }
        settings = {"name": name, "max_concurrent_runs": 1, "tasks": [task]}
        self.file = folder / "job.json"
        self.file.write_text(
            json.dumps(settings | ({"continuous": {"task_retry_mode": "NEVER"}} if continuous else {}))
        )

    def launch(self, **arguments):
        defaults = {"task_id": "t", "job_file": self.file, "job_values": {}, "deferrable": False, "poll_seconds": 0.1}
        operator = DatabricksLaunchStreamOperator(**{**defaults, **arguments})
        return operator.execute({"ti": TaskInstance()})

    def stop(self, request, **arguments):
        defaults = {"task_id": "t", "job_name": self.name, "deferrable": False, "poll_seconds": 0.1}
        return DatabricksStopStreamOperator(request=request, **{**defaults, **arguments}).execute({"ti": None})

    @property
    def runs(self):
        return self.hook.newest_runs(self.hook.find_job(self.name).job_id)

    @property
    def active(self):
        return [run.run_id for run in self.runs if not run.state.is_over]

    def kill_driver(self):
        pid = read_until(lambda: (self.folder / "pid").read_text() if (self.folder / "pid").exists() else "", bool, 60)
        (self.folder / "pid").unlink()
        os.kill(int(pid), signal.SIGKILL)


@pytest.fixture
def stream(hook, databricks_api, tmp_path, request):
    made = []

    def make(continuous):
        made.append(Stream(hook, databricks_api, tmp_path, re.sub(r"\W+", "_", request.node.name), continuous))
        return made[0]

    yield make
    if made:
        made[0].stop("stop", patience=timedelta(0))
        assert made[0].active == []


def test_a_continuous_job_whose_driver_is_killed_is_restarted_by_the_platform_and_attached_to(stream):
    seen = stream(continuous=True)
    first = seen.launch()["run_id"]
    seen.kill_driver()
    read_until(lambda: first in seen.active, lambda active: not active)

    again = seen.launch()

    assert again["run_id"] != first
    assert again["attached"]
    assert seen.active == [again["run_id"]]


def test_where_the_platform_restarts_nothing_a_launch_does_and_there_is_one(stream):
    seen = stream(continuous=False)
    first = seen.launch()["run_id"]
    seen.kill_driver()
    read_until(lambda: seen.active, lambda active: not active)
    began = time.monotonic()

    again = seen.launch()

    assert (again["run_id"] != first, again["attached"]) == (True, False)
    assert seen.active == [again["run_id"]]
    assert time.monotonic() - began > 0.5, "a run that failed at once delays the next by a second"


def test_a_continuous_job_that_a_user_paused_is_let_go(stream):
    seen = stream(continuous=True)
    first = seen.launch()["run_id"]
    seen.stop("pause")
    assert seen.active == [first]
    seen.kill_driver()
    read_until(lambda: seen.active, lambda active: not active)
    time.sleep(1)  # five times the stand-in's first pause
    assert seen.active == []

    assert seen.launch()["run_id"] != first


@pytest.mark.parametrize("continuous", [True, False], ids=["continuous", "plain"])
def test_five_launches_at_once_make_one_job_and_one_run(stream, continuous):
    seen = stream(continuous)
    ready = threading.Barrier(5)

    def launch(_):
        ready.wait()
        return seen.launch()["run_id"]

    with ThreadPoolExecutor(5) as pool:
        runs = set(pool.map(launch, range(5)))

    assert len(runs) == 1
    assert len(seen.hook.jobs_named(seen.name)) == 1
    assert [run.run_id for run in seen.runs] == list(runs)


def test_a_stop_ends_the_run_well_and_it_stays_ended_until_the_next_launch(stream):
    seen = stream(continuous=True)
    first = seen.launch()["run_id"]
    (seen.folder / "stop").touch()

    stopped = seen.stop("stop", patience=timedelta(seconds=60))

    assert stopped["cancelled"] == []
    time.sleep(1)
    assert [(run.run_id, run.state.result) for run in seen.runs][-1] == (first, "SUCCESS")
    assert seen.active == []
    (seen.folder / "stop").unlink()
    assert seen.launch()["run_id"] != first


def test_a_run_that_does_not_stop_is_cancelled_and_a_restart_launches_another(stream):
    seen = stream(continuous=True)
    first = seen.launch()["run_id"]

    assert seen.stop("restart", patience=timedelta(seconds=0.2))["cancelled"] == [first]

    assert seen.launch()["run_id"] != first


def test_changed_settings_reset_the_job_and_leave_its_run_alone(stream):
    seen = stream(continuous=True)
    first = seen.launch()["run_id"]
    settings = json.loads(seen.file.read_text())
    settings["tasks"][0]["notebook_task"]["base_parameters"]["added"] = "1"
    seen.file.write_text(json.dumps(settings))

    assert seen.launch()["run_id"] == first

    job = seen.hook.find_job(seen.name)
    assert job.settings["tasks"][0]["notebook_task"]["base_parameters"]["added"] == "1"
    assert not job.is_paused
