"""Runs and jobs as the Jobs API shows them."""

import hmac
from collections.abc import Mapping
from typing import Any

from sandbox.servers.databricks import rules
from sandbox.servers.databricks.config import Config
from sandbox.servers.databricks.model import Attempt, Run, now_ms
from sandbox.servers.databricks.settings_check import cluster_of

NEW_LIFE = {"SKIPPED": "TERMINATED", "INTERNAL_ERROR": "TERMINATED", "WAITING_FOR_RETRY": "WAITING"}
OWN_FAULT = frozenset({"INTERNAL_ERROR", "DRIVER_ERROR", "CLUSTER_ERROR"})
CREATOR = "sandbox@pinterest.invalid"
SHOWN_SETTINGS = ("job_clusters", "git_source", "description", "environments")
ARRAY_LIMIT = 100  # tasks in one answer of API 2.2; more come by page_token


def state_json(state: rules.State) -> dict[str, Any]:
    """Return both forms of a state: the deprecated ``state`` and its successor ``status``."""
    old: dict[str, Any] = {
        "life_cycle_state": state.life,
        "state_message": state.message,
        "user_cancelled_or_timedout": state.stopped,
    }
    new: dict[str, Any] = {"state": NEW_LIFE.get(state.life, state.life)}
    if state.life == "QUEUED":
        reason = "Queued due to reaching maximum concurrent runs of the job."
        old["queue_reason"] = reason
        new["queue_details"] = {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": reason}
    if state.result:
        old["result_state"] = state.result
        kind = "SUCCESS" if "SUCCESS" in state.code else "INTERNAL_ERROR" if state.code in OWN_FAULT else "CLIENT_ERROR"
        new["termination_details"] = {"code": state.code, "type": kind, "message": state.message}
    return {"state": old, "status": new}


def page_key(config: Config, run_id: int) -> str:
    """Return what makes a run page's link work in a browser, which has no token to show."""
    return hmac.new(config.token.encode(), str(run_id).encode(), "sha256").hexdigest()[:24]


def page_url(config: Config, run: Run) -> str:
    return f"{config.url}/jobs/{run.job_id}/runs/{run.run_id}?key={page_key(config, run.run_id)}"


def attempt_json(config: Config, run: Run, attempt: Attempt) -> dict[str, Any]:
    task = run.tasks[attempt.task_key]
    began = attempt.execution_start or attempt.end_time
    end = attempt.end_time or now_ms()
    shown = {
        **task,
        "run_if": task.get("run_if") or "ALL_SUCCESS",
        "run_id": attempt.run_id,
        "start_time": attempt.start_time,
        "end_time": attempt.end_time,
        "setup_duration": max(began - attempt.start_time, 0) if began else 0,
        "execution_duration": max(end - attempt.execution_start, 0) if attempt.execution_start else 0,
        "cleanup_duration": 0,
        "attempt_number": attempt.attempt_number,
        "run_page_url": f"{page_url(config, run)}#{attempt.task_key}",
        **state_json(rules.attempt_state(attempt)),
    }
    if attempt.cluster_id:
        shown["cluster_instance"] = {"cluster_id": attempt.cluster_id, "spark_context_id": str(attempt.run_id)}
    return shown


def run_json(
    config: Config, run: Run, *, expand: bool = True, history: bool = False, offset: int = 0
) -> dict[str, Any]:
    """Return a run as runs/get shows it (``expand``) or as runs/list does. All attempts of a task are listed."""
    shown: dict[str, Any] = {
        "job_id": run.job_id,
        "run_id": run.run_id,
        "job_run_id": run.run_id,
        "number_in_job": run.run_id,
        "original_attempt_run_id": run.run_id,
        "creator_user_name": CREATOR,
        "run_name": run.name,
        "run_type": run.run_type,
        "format": "MULTI_TASK",
        "trigger": run.trigger,
        "attempt_number": 0,
        "start_time": run.start_time,
        "end_time": run.end_time,
        "setup_duration": 0,
        "execution_duration": 0,
        "cleanup_duration": 0,
        "run_duration": (run.end_time or now_ms()) - run.start_time,
        "run_page_url": page_url(config, run),
        "job_parameters": [{"name": name, "value": value} for name, value in run.job_parameters.items()],
        "overriding_parameters": run.overriding,
        **state_json(rules.run_state(run)),
    }
    if not expand:
        return shown
    shown |= {name: run.settings[name] for name in SHOWN_SETTINGS if name in run.settings}
    shown["tasks"] = [attempt_json(config, run, each) for each in run.attempts[offset : offset + ARRAY_LIMIT]]
    if len(run.attempts) > offset + ARRAY_LIMIT:
        shown["next_page_token"] = str(offset + ARRAY_LIMIT)
    if history:
        shown["repair_history"] = history_json(run)
    return shown


def history_json(run: Run) -> list[dict[str, Any]]:
    """Return the original run and every repair of it, oldest first."""

    def task_run_ids(repair_id: int) -> list[int]:
        return [attempt.run_id for attempt in run.attempts if attempt.repair_id == repair_id]

    now = {**state_json(rules.run_state(run)), "end_time": run.end_time}
    original = {**(run.original_state or now), "type": "ORIGINAL", "start_time": run.start_time}
    history = [{**original, "task_run_ids": task_run_ids(0)}]
    for repair in run.repairs:
        state = now if repair is run.repairs[-1] else {**repair.state, "end_time": repair.end_time}
        history.append(
            {
                **state,
                "type": "REPAIR",
                "id": repair.id,
                "start_time": repair.start_time,
                "task_run_ids": task_run_ids(repair.id),
            }
        )
    return history


def task_run_json(config: Config, run: Run, attempt: Attempt) -> dict[str, Any]:
    """Return a task run as a run of its own, which runs/get and get-output do for a task's run id."""
    shown = attempt_json(config, run, attempt)
    whole = run_json(config, run, expand=False)
    task = {name: value for name, value in shown.items() if name not in ("depends_on", "task_key", "run_if")}
    return {
        **whole,
        **task,
        "original_attempt_run_id": attempt.original_attempt_run_id,
        "cluster_spec": cluster_spec(run.settings, run.tasks[attempt.task_key]),
        "task": {"notebook_task": run.tasks[attempt.task_key]["notebook_task"]},
        "tasks": [shown],
    }


def cluster_spec(settings: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    spec = cluster_of(settings, task)
    return spec if "existing_cluster_id" in spec else {"new_cluster": spec}


def output_json(config: Config, run: Run, attempt: Attempt) -> dict[str, Any]:
    """Return a task run's output: ``notebook_output`` always, ``error`` and ``error_trace`` where it failed."""
    shown: dict[str, Any] = {"metadata": task_run_json(config, run, attempt), "notebook_output": {}}
    if attempt.output is not None and attempt.result == "SUCCESS":
        shown["notebook_output"] = {"result": attempt.output, "truncated": attempt.truncated}
    if attempt.error is not None:
        shown["error"] = attempt.error
    if attempt.error_trace is not None:
        shown["error_trace"] = attempt.error_trace
    return shown
