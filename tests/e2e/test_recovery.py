"""What goes wrong at night: a worker dies, a person marks a stage failed, a stage breaks and is cleared."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from databricks.sdk import WorkspaceClient

from sandbox.demo.demo import BATCH_DAG
from sandbox.run.supervision import Supervision, members
from sandbox.servers.registry import every_server
from tests.e2e.conftest import eventually
from tests.support.waiting import wait_until

SUBMIT, SILVER, GOLD = "lakehouse.submit_batch_run", "lakehouse.silver", "lakehouse.gold"
STAGES = ("bronze", "silver", "gold")
NEWEST_RUN = "SELECT id FROM run WHERE document LIKE ? LIMIT 1"
SMALL_WINDOW = {"window_start": "2019-05-01T00:00:00", "window_end": "2019-05-21T00:00:00"}


@pytest.fixture(scope="module")
def databricks(pipeline: Any) -> WorkspaceClient:
    settings = pipeline.settings
    return WorkspaceClient(host=settings.url("databricks"), token=settings.secrets["databricks_token"])


def remote_runs(databricks: WorkspaceClient, run_id: str) -> list[Any]:
    """Every run that this DAG run ever started: a parameter of theirs has its id."""
    runs = databricks.jobs.list_runs()
    return [run for run in runs if any(f"({run_id})" in (each.value or "") for each in run.job_parameters or ())]


def pid_of(pipeline: Any, server: str) -> int:
    return int((Supervision(pipeline.settings).pids / f"{server}.pid").read_text())


def process_of(pipeline: Any, server: str) -> psutil.Process:
    return psutil.Process(pid_of(pipeline, server))


@contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def wait_until_stored(pipeline: Any, run_id: str, seconds: float = 60) -> None:
    """Return in the very moment that the Databricks stand-in has stored the run of ``run_id``."""
    file = Path(pipeline.settings.home) / "databricks" / "state.sqlite3"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        wait_until(
            lambda: database.execute(NEWEST_RUN, (f"%({run_id})%",)).fetchone(),
            seconds, f"{run_id} submits a run", pause=0.001,
        )  # fmt: skip


def kill_submitting_worker(pipeline: Any) -> str | None:
    """Start a batch and kill the worker of its submit task after it submitted; None where the task was faster.

    The stand-in hangs until the worker is known, so that between the submission and the kill lie milliseconds.
    """
    with frozen(process_of(pipeline, "databricks")):
        run_id = pipeline.start_batch(**SMALL_WINDOW)
        task = pipeline.wait_for_task(run_id, SUBMIT, "running")
        worker = eventually(lambda: task_process(task), "the submit task's own process is there")
    wait_until_stored(pipeline, run_id)
    worker.kill()
    assert pipeline.finish(run_id) == "success"
    return str(run_id) if pipeline.task(run_id, SUBMIT)["try_number"] > 1 else None


def task_process(task: dict[str, Any]) -> psutil.Process | None:
    """The process that runs one task instance's code, by its title; the executor's worker above it has another."""
    title = f"airflow worker -- {task['id']}"
    return next(
        (p for p in psutil.process_iter(["cmdline"]) if " ".join(p.info["cmdline"] or []).strip() == title), None
    )


def test_a_worker_killed_after_submitting_attaches_to_its_run_on_retry(
    pipeline: Any, databricks: WorkspaceClient
) -> None:
    run_id = next(filter(None, (kill_submitting_worker(pipeline) for _ in range(3))), None)

    assert run_id, "the submit task was over each time before its worker was killed"
    assert len(remote_runs(databricks, run_id)) == 1


def test_every_server_killed_at_once_is_back_and_the_batch_under_way_ends_well(pipeline: Any) -> None:
    known = every_server(pipeline.settings)
    supervision = Supervision(pipeline.settings)
    run_id = pipeline.start_batch(**SMALL_WINDOW)
    pipeline.wait_for_task(run_id, SUBMIT, "success")

    killed = {name: process_of(pipeline, name) for name in known}
    for process in killed.values():
        process.kill()

    for name, server in known.items():
        eventually(lambda name=name: pid_of(pipeline, name) != killed[name].pid, f"{name} is started again")
        supervision.wait_ready(server)
    assert pipeline.finish(run_id) == "success"  # and with it its reconciliation: no row is missing


def test_marking_a_stage_failed_cancels_the_remote_run(pipeline: Any, databricks: WorkspaceClient) -> None:
    run_id = pipeline.start_batch(**SMALL_WINDOW)
    pipeline.wait_for_task(run_id, SUBMIT, "success")
    drivers = spark_drivers(pipeline)
    assert drivers, "no Spark driver runs"
    for driver in drivers:
        driver.suspend()
    try:
        stage = eventually(lambda: watched_stage(pipeline, run_id), "the triggerer watches a stage")
        time.sleep(2)  # it has taken the trigger; the trigger's own first poll comes after a second
        mark_failed(pipeline, run_id, f"lakehouse.{stage}")
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


def mark_failed(pipeline: Any, run_id: str, task_id: str) -> None:
    path = f"dags/{BATCH_DAG}/dagRuns/{run_id}/taskInstances/{task_id}"
    pipeline.api.call("PATCH", path, json={"new_state": "failed"})


def spark_drivers(pipeline: Any) -> list[psutil.Process]:
    """The JVMs of the Databricks stand-in's clusters; one that has ended in the meantime is none."""
    found = []
    for process in members(pipeline.settings.home):
        try:
            if "java" in process.name() and "driver" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def watched_stage(pipeline: Any, run_id: str) -> str | None:
    """The stage whose trigger a triggerer has taken: before that there is nothing that could cancel anything."""
    tasks = {stage: pipeline.task(run_id, f"lakehouse.{stage}") for stage in STAGES}
    return next((s for s, t in tasks.items() if t["state"] == "deferred" and t["triggerer_job"]), None)


@contextmanager
def a_gold_table_that_refuses_rows(pipeline: Any) -> Iterator[None]:
    url = pipeline.settings.postgres_url("pinterest_warehouse")
    table = "gold_staging.load"  # the answers' own tables are created by each load
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK (loaded_at < '2000-01-01') NOT VALID")
        try:
            yield
        finally:
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT broken")


def test_clearing_a_failed_gold_stage_repairs_only_gold(pipeline: Any, databricks: WorkspaceClient) -> None:
    answers = pipeline.answers()
    with a_gold_table_that_refuses_rows(pipeline):
        run_id = pipeline.start_batch(**SMALL_WINDOW)
        pipeline.wait_for_task(run_id, GOLD, "up_for_retry")
        mark_failed(pipeline, run_id, GOLD)  # a person who does not wait for the retries
        assert pipeline.finish(run_id) == "failed"
    remote = remote_runs(databricks, run_id)
    before = attempts(databricks, remote[0].run_id)

    pipeline.clear(run_id, GOLD)

    assert pipeline.finish(run_id) == "success"
    after = attempts(databricks, remote[0].run_id)
    assert [run.run_id for run in remote_runs(databricks, run_id)] == [remote[0].run_id]
    assert {stage: after[stage] for stage in ("bronze", "silver")} == {s: before[s] for s in ("bronze", "silver")}
    assert after["gold"] != before["gold"]
    assert pipeline.answers() == answers


def attempts(databricks: WorkspaceClient, run_id: int) -> dict[str, list[int]]:
    """The task runs of each stage: a repaired stage has one more, with an id of its own."""
    tasks = databricks.jobs.get_run(run_id).tasks or []
    return {stage: [task.run_id for task in tasks if task.task_key == stage] for stage in STAGES}  # type: ignore[misc]
