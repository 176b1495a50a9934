"""``sandbox demo``: start everything, load posts, run the pipeline under Airflow, and show what came of it."""

import time
from datetime import datetime, timedelta
from typing import Any

from sandbox.demo import report
from sandbox.demo import stream as demo_stream
from sandbox.demo.brief import WIDTH, cut
from sandbox.demo.progress import progress
from sandbox.run.settings import SandboxError, Settings
from sandbox.servers.airflow.api import AirflowApi

BATCH_DAG = "pinterest_daily_batch"
CONNECTOR_DAG = "pinterest_sink_connector"
# Wider than any post of any mode: `hard` ones say 1970 and 2999.
WHOLE_HISTORY = {"window_start": "1900-01-01T00:00:00", "window_end": "3000-01-01T00:00:00"}
BATCH_WITHIN_SECONDS = 3600
POLL_SECONDS = 1.0
FINISHED = {"success", "failed", "upstream_failed", "skipped", "removed"}


def run(settings: Settings, seconds: dict[str, float]) -> int:
    """Run the batch over the whole history on a sandbox that is up and seeded; 0 where every row is accounted for.

    :param seconds: What the steps before took; the stages of the run are added.
    """
    with AirflowApi(settings) as api:
        began = time.monotonic()
        with progress.step("Airflow reads the DAGs"):
            wait_for_dags(api)
        with progress.step("Airflow makes the streams"):
            demo_stream.begin(settings, api)
        with progress.step("Airflow makes the S3 sink connector"):
            ensure_connector(api)
        seconds["connector"] = time.monotonic() - began
        with progress.step("the batch runs, and users post into the stream"):
            api.unpause(BATCH_DAG)
            run_id = api.trigger(BATCH_DAG, WHOLE_HISTORY)
            progress.say(f"  {BATCH_DAG}, {run_id}")
            progress.say(f"  in Airflow, at {settings.url('airflow')}")
            pool, emulated = demo_stream.emulate_meanwhile(settings)
            with pool:
                state = follow(api, BATCH_DAG, run_id, BATCH_WITHIN_SECONDS)
        if state != "success":
            raise SandboxError(f"{BATCH_DAG} ended {state}.\n{failures(api, BATCH_DAG, run_id)}")
        tasks = api.task_instances(BATCH_DAG, run_id)
        seconds.update(report.stage_seconds(tasks))
        results = {stage: api.xcom(BATCH_DAG, run_id, f"lakehouse.{stage}") for stage in report.WRITES}
        submitted = next(task["start_date"] for task in tasks if task["task_id"] == "lakehouse.submit_batch_run")
        work = report.work_of(settings, results, datetime.fromisoformat(submitted))
        stream = demo_stream.finish(settings, api, emulated.result())
    seconds["demo"] = time.monotonic() - began
    with progress.step("count"):
        collected = report.collect(settings, run_id=run_id, seconds=seconds) | {"work": work, "stream": stream}
        report.save(settings, collected)
    progress.say("")
    report.show(settings, collected)
    return 0 if report.adds_up(collected) else 1


def wait_for_dags(api: AirflowApi) -> None:
    def parsed() -> bool:
        if errors := api.import_errors():
            raise SandboxError("A DAG file cannot be imported:\n" + "\n".join(errors))
        return all(api.has_dag(dag_id) for dag_id in (BATCH_DAG, CONNECTOR_DAG, *demo_stream.DAGS))

    progress.wait("Airflow to read the DAGs", parsed)


def ensure_connector(api: AirflowApi) -> None:
    """Let the connector's own DAG make it: unpaused, it runs at once and then on its schedule."""
    api.unpause(CONNECTOR_DAG)
    progress.wait(
        f"{CONNECTOR_DAG} to make the S3 sink connector",
        lambda: any(run["state"] == "success" for run in api.runs(CONNECTOR_DAG)),
    )


def follow(api: AirflowApi, dag_id: str, run_id: str, seconds: float) -> str:
    """Print each task once as it ends, and return the run's final state."""
    logged: set[tuple[str, int]] = set()
    began = time.monotonic()
    while (state := api.run_state(dag_id, run_id)) not in {"success", "failed"}:
        log_finished(api.task_instances(dag_id, run_id), logged, began)
        if time.monotonic() - began > seconds:
            raise SandboxError(f"{dag_id} {run_id} is still {state} after {timedelta(seconds=round(seconds))}.")
        time.sleep(POLL_SECONDS)
    log_finished(api.task_instances(dag_id, run_id), logged, began)
    return state


def log_finished(tasks: list[dict[str, Any]], logged: set[tuple[str, int]], began: float) -> None:
    progress.detail = f"{sum(task['state'] in FINISHED for task in tasks)} of {len(tasks)} tasks done"
    for task in sorted(tasks, key=lambda task: task["end_date"] or ""):
        key = (task["task_id"], task["map_index"])
        if task["state"] in FINISHED and key not in logged:
            logged.add(key)
            name = task["task_id"] + (
                f" [{task['rendered_map_index'] or task['map_index']}]" if task["map_index"] >= 0 else ""
            )
            state = task["state"]
            progress.say(f"  {time.monotonic() - began:5.0f} s  {cut(name, WIDTH - 27):{WIDTH - 27}} {state}")


def failures(api: AirflowApi, dag_id: str, run_id: str) -> str:
    """Return the end of the log of every task that failed, for a person who has only the terminal."""
    failed = [task for task in api.task_instances(dag_id, run_id) if task["state"] == "failed"]
    return "\n".join(f"--- {task['task_id']}\n{api.log_tail(dag_id, run_id, task)}" for task in failed)
