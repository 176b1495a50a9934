"""What goes wrong at night: a worker dies, a person marks a stage failed, a stage breaks and is cleared."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from databricks.sdk import WorkspaceClient

from sandbox.demo import BATCH_DAG
from sandbox.supervision import Supervision, members
from tests.e2e.conftest import eventually

SUBMIT, SILVER, GOLD = "lakehouse.submit_batch_run", "lakehouse.silver", "lakehouse.gold"
STAGES = ("bronze", "silver", "gold")
SMALL_WINDOW = {"window_start": "2019-05-01T00:00:00", "window_end": "2019-05-21T00:00:00"}


@pytest.fixture(scope="module")
def databricks(pipeline: Any) -> WorkspaceClient:
    settings = pipeline.settings
    return WorkspaceClient(host=settings.url("databricks"), token=settings.secrets["databricks_token"])


def remote_runs(databricks: WorkspaceClient, run_id: str) -> list[Any]:
    """Every run that this DAG run ever submitted: their names end with its id."""
    return [run for run in databricks.jobs.list_runs() if f"({run_id})" in (run.run_name or "")]


@contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    """Let a process hang, as an overloaded service does, and go on afterwards."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def process_of(pipeline: Any, server: str) -> psutil.Process:
    pid_file = Supervision(pipeline.settings).pids / f"{server}.pid"
    return psutil.Process(int(pid_file.read_text()))


def wait_for_submission(pipeline: Any, run_id: str, seconds: float = 120) -> None:
    """Return the moment that the Databricks stand-in has stored the run, before its answer is used."""
    file = Path(pipeline.settings.home) / "databricks" / "state.sqlite3"
    deadline = time.monotonic() + seconds
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        while time.monotonic() < deadline:
            newest = database.execute("SELECT document FROM run ORDER BY id DESC LIMIT 1").fetchone()
            if newest and f"({run_id})" in newest[0]:
                return
            time.sleep(0.002)
    pytest.fail(f"{run_id} submitted nothing within {seconds:.0f} s")


def task_processes(pipeline: Any, task_id: str) -> list[psutil.Process]:
    """The processes that run one task: those of the sandbox that say so in their title."""
    return [p for p in members(pipeline.settings.home) if task_id in " ".join(p.cmdline())]


def test_a_worker_killed_after_submitting_attaches_to_its_run_on_retry(
    pipeline: Any, databricks: WorkspaceClient
) -> None:
    run_id = pipeline.start_batch(**SMALL_WINDOW)
    pipeline.wait_for_task(run_id, SUBMIT, "running", "queued")
    wait_for_submission(pipeline, run_id)
    with frozen(process_of(pipeline, "databricks")):
        assert pipeline.task(run_id, SUBMIT)["state"] == "running"
        workers = task_processes(pipeline, SUBMIT)
        assert workers, "no process names the submit task in its title"
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)

    assert pipeline.finish(run_id) == "success"
    assert pipeline.task(run_id, SUBMIT)["try_number"] > 1
    assert len(remote_runs(databricks, run_id)) == 1


def test_marking_a_stage_failed_cancels_the_remote_run(pipeline: Any, databricks: WorkspaceClient) -> None:
    run_id = pipeline.start_batch(**SMALL_WINDOW)
    pipeline.wait_for_task(run_id, SUBMIT, "success")
    drivers = [p for p in members(pipeline.settings.home) if "driver" in " ".join(p.cmdline()) and "java" in p.name()]
    assert drivers, "no Spark driver runs"
    for driver in drivers:
        driver.suspend()
    try:
        stage = eventually(
            lambda: next((s for s in STAGES if pipeline.task(run_id, f"lakehouse.{s}")["state"] == "deferred"), None),
            "a stage waits for its remote task",
        )
        pipeline.api.call(
            "PATCH", f"dags/{BATCH_DAG}/dagRuns/{run_id}/taskInstances/lakehouse.{stage}", json={"new_state": "failed"}
        )
        remote = remote_runs(databricks, run_id)[0].run_id
        eventually(
            lambda: str(databricks.jobs.get_run(remote).state.result_state).endswith("CANCELED"),  # type: ignore[union-attr]
            "the remote run is cancelled",
            seconds=90,
        )
    finally:
        for driver in drivers:
            try:
                driver.resume()
            except psutil.NoSuchProcess:
                continue
    assert pipeline.finish(run_id) == "failed"


@contextmanager
def a_gold_table_that_refuses_rows(pipeline: Any) -> Iterator[None]:
    url = pipeline.settings.postgres_url("pinterest_warehouse")
    table = "gold_staging.top_country"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK (follower_count < 0) NOT VALID")
        try:
            yield
        finally:
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT broken")


def test_clearing_a_failed_gold_stage_repairs_only_gold(pipeline: Any, databricks: WorkspaceClient) -> None:
    answers = pipeline.answers()
    with a_gold_table_that_refuses_rows(pipeline):
        run_id = pipeline.start_batch(**SMALL_WINDOW)
        assert pipeline.finish(run_id) == "failed"
        assert pipeline.task(run_id, GOLD)["state"] == "failed"
    remote = remote_runs(databricks, run_id)
    before = attempts(databricks, remote[0].run_id)

    pipeline.api.call(
        "POST",
        f"dags/{BATCH_DAG}/clearTaskInstances",
        json={"dry_run": False, "dag_run_id": run_id, "task_ids": [GOLD], "include_downstream": True},
    )

    assert pipeline.finish(run_id) == "success"
    after = attempts(databricks, remote[0].run_id)
    assert [run.run_id for run in remote_runs(databricks, run_id)] == [remote[0].run_id]
    assert {stage: after[stage] for stage in ("bronze", "silver")} == {s: before[s] for s in ("bronze", "silver")}
    assert after["gold"] != before["gold"]
    assert pipeline.answers() == answers


def attempts(databricks: WorkspaceClient, run_id: int) -> dict[str, list[int]]:
    """The task runs of each stage: a repaired stage has one more, with an id of its own."""
    found: dict[str, list[int]] = {stage: [] for stage in STAGES}
    for task in databricks.jobs.get_run(run_id).tasks or []:
        found[task.task_key].append(task.run_id)  # type: ignore[index, arg-type]
    return found
