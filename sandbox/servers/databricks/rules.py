"""Decisions about runs, without any I/O: what may run, what a run's state is, what a repair runs again."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.servers.databricks.errors import invalid
from sandbox.servers.databricks.model import TERMINAL, Attempt, Run

RUN = "RUN"
NOT_FAILED = frozenset({"SUCCESS", "EXCLUDED"})
TASK_FAILED = "Workload failed, see run output for details"
ALSO_SKIPPED = " This caused all downstream tasks to get skipped."
HEALTHY_AFTER_MS = 60_000  # a continuous run that lived this long resets the back-off


@dataclass(frozen=True)
class State:
    """Life cycle, result, message and termination code of a run or of a task's attempt."""

    life: str
    result: str = ""
    message: str = ""
    code: str = ""
    stopped: bool = False


def upstream(task: Mapping[str, Any]) -> list[str]:
    return [each["task_key"] for each in task.get("depends_on") or []]


def downstream(tasks: Mapping[str, Mapping[str, Any]], keys: Iterable[str]) -> set[str]:
    """Return all tasks that depend on any of ``keys``, directly or not."""
    found: set[str] = set()
    wave = set(keys)
    while wave:
        wave = {key for key, task in tasks.items() if wave & set(upstream(task))} - found
        found |= wave
    return found


def decision_of(run_if: str, results: list[str]) -> str:
    """Say whether a task runs, given its upstream results: ``RUN``, ``UPSTREAM_FAILED`` or ``EXCLUDED``."""
    failed = [result for result in results if result not in NOT_FAILED]
    succeeded = "SUCCESS" in results
    claims = {
        "ALL_SUCCESS": not failed and "EXCLUDED" not in results,
        "ALL_DONE": True,
        "NONE_FAILED": not failed and (succeeded or not results),
        "AT_LEAST_ONE_SUCCESS": succeeded,
        "ALL_FAILED": len(failed) == len(results),
        "AT_LEAST_ONE_FAILED": bool(failed),
    }
    if claims[run_if]:
        return RUN
    return "UPSTREAM_FAILED" if failed and run_if in ("ALL_SUCCESS", "NONE_FAILED") else "EXCLUDED"


def run_state(run: Run) -> State:
    """Derive a run's state from its tasks' newest attempts."""
    if run.refused:
        message = "Skipped because the maximum number of concurrent runs of the job was reached."
        return State("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED", message, "MAX_CONCURRENT_RUNS_EXCEEDED")
    attempts = list(run.current.values())
    if not all(attempt.is_over for attempt in attempts) or not run.end_time:
        return State(life_of(run, attempts))
    if run.stop == "USER" and any(attempt.result == "CANCELED" for attempt in attempts):
        return State("TERMINATED", "CANCELED", "Run cancelled.", "USER_CANCELED", stopped=True)
    if run.stop == "TIMEOUT":
        return State("TERMINATED", "TIMEDOUT", "Run timed out.", "CANCELED", stopped=True)
    return result_of(run, attempts)


def life_of(run: Run, attempts: list[Attempt]) -> str:
    """Name the life-cycle state of a run that is not over."""
    lives = {attempt.life for attempt in attempts}
    if run.queued:
        return "QUEUED"
    if run.stop:
        return "TERMINATING"
    if "RUNNING" in lives:
        return "RUNNING"
    if "WAITING_FOR_RETRY" in lives and "PENDING" not in lives:
        return "WAITING_FOR_RETRY"
    return "RUNNING" if lives & TERMINAL else "PENDING"


def result_of(run: Run, attempts: list[Attempt]) -> State:
    """A run succeeds if all its leaf tasks did; its message names the first task that failed."""
    inner = {key for task in run.tasks.values() for key in upstream(task)}
    failed = [attempt for attempt in attempts if attempt.result not in NOT_FAILED]
    root_causes = [attempt for attempt in failed if attempt.result != "UPSTREAM_FAILED"]
    if not failed:
        return State("TERMINATED", "SUCCESS", "", "SUCCESS")
    if all(attempt.task_key in inner for attempt in failed):
        return State("TERMINATED", "SUCCESS_WITH_FAILURES", "", "SUCCESS_WITH_FAILURES")
    first = (root_causes or failed)[0]
    message = f"Task {first.task_key} failed with message: {first.message.rstrip('.')}."
    if any(attempt.result == "UPSTREAM_FAILED" for attempt in failed):
        message += ALSO_SKIPPED
    return State("INTERNAL_ERROR", "FAILED", message, first.code or "RUN_EXECUTION_ERROR")


def attempt_state(attempt: Attempt) -> State:
    stopped = attempt.result in ("CANCELED", "TIMEDOUT")
    return State(attempt.life, attempt.result, attempt.message, attempt.code, stopped)


def retries_left(task: Mapping[str, Any], attempt: Attempt, tried: int) -> bool:
    """Say whether a finished attempt is followed by another; -1 retries means for ever."""
    if attempt.result == "TIMEDOUT" and not task.get("retry_on_timeout"):
        return False
    allowed = int(task.get("max_retries") or 0)
    return attempt.result in ("FAILED", "TIMEDOUT") and (allowed < 0 or tried < allowed)


def tasks_to_repair(run: Run, request: Mapping[str, Any]) -> list[str]:
    """Return the task keys that a repair runs again, or refuse it as the service does."""
    if not run_state_is_over(run):
        raise invalid(f"Run {run.run_id} cannot be repaired: it is still active. Cancel it or wait for its end.")
    named, all_failed = list(request.get("rerun_tasks") or []), bool(request.get("rerun_all_failed_tasks"))
    if named and all_failed:
        raise invalid("Only one of rerun_tasks or rerun_all_failed_tasks can be used.")
    if not named and not all_failed:
        raise invalid("One of rerun_tasks or rerun_all_failed_tasks must be provided.")
    latest = run.repairs[-1].id if run.repairs else None
    given = request.get("latest_repair_id")
    if latest is not None and given is None:
        raise invalid("The latest repair ID needs to be provided in order to create a new repair")
    if given is not None and int(given) != latest:
        raise invalid(f"latest_repair_id {given} is not the latest repair of run {run.run_id}, which is {latest}.")
    if unknown := sorted(set(named) - run.tasks.keys()):
        raise invalid(f"Run {run.run_id} has no task {', '.join(unknown)}; it has {', '.join(run.tasks)}.")
    chosen = set(named)
    if all_failed:
        chosen = {key for key, attempt in run.current.items() if attempt.result not in NOT_FAILED}
    if not chosen:
        raise invalid(f"Run {run.run_id} has no failed task to repair.")
    if request.get("rerun_dependent_tasks"):
        chosen |= downstream(run.tasks, chosen)
    return [key for key in run.tasks if key in chosen]


def run_state_is_over(run: Run) -> bool:
    return run_state(run).life in TERMINAL


def parameters_of(run: Run, attempt: Attempt) -> dict[str, str]:
    """Merge a task's parameters: its own, then the run's notebook_params, then job parameters, which win.

    ``{{job.parameters.x}}``, ``{{job.id}}``, ``{{job.run_id}}``, ``{{run_id}}``, ``{{task.name}}`` and
    ``{{task.run_id}}`` are replaced; other references stay as they are.
    """
    known = {f"job.parameters.{name}": value for name, value in run.job_parameters.items()} | {
        "job.id": run.job_id,
        "job.name": run.name,
        "job.run_id": run.run_id,
        "parent_run_id": run.run_id,
        "run_id": attempt.run_id,
        "task.name": attempt.task_key,
        "task_key": attempt.task_key,
        "task.run_id": attempt.run_id,
    }
    notebook_task = run.tasks[attempt.task_key].get("notebook_task") or {}
    merged = {
        **(notebook_task.get("base_parameters") or {}),
        **(run.overriding.get("notebook_params") or {}),
        **run.job_parameters,
    }
    return {
        name: re.sub(r"\{\{\s*([\w.-]+)\s*}}", lambda found: str(known.get(found[1], found[0])), str(value))
        for name, value in merged.items()
    }


def failures_in_a_row(runs: list[Run]) -> int:
    """Count a continuous job's failed runs since its last success, healthy stretch, cancellation or manual start."""
    count = 0
    for run in reversed(runs):
        if run_state(run).result not in ("FAILED", "TIMEDOUT") or run.end_time - run.start_time >= HEALTHY_AFTER_MS:
            break
        count += 1
        if run.trigger != "CONTINUOUS":
            break
    return count


def restart_delay_seconds(failures: int, base: float, longest: float) -> float:
    """Return the wait before a continuous job's next run: ``base`` doubled for each failure after the first."""
    return min(base * 2 ** (failures - 1), longest) if failures else min(1.0, base)
