"""Databricks runs as values, and the decisions about them: attach or start again, wait, repair or fail. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pinterest_pipeline.common.errors import PermanentError

TERMINAL = frozenset({"TERMINATED", "SKIPPED", "INTERNAL_ERROR"})
NOT_BEGUN = frozenset({"BLOCKED", "PENDING", "QUEUED"})
UPSTREAM_RESULTS = frozenset({"UPSTREAM_FAILED", "UPSTREAM_CANCELED", "UPSTREAM_EVICTED", "EXCLUDED"})
RESULT_OF_CODE = {  # termination codes of `status`, which replaces `state`; every other code is a failure
    "SUCCESS": "SUCCESS",
    "SUCCESS_WITH_FAILURES": "SUCCESS_WITH_FAILURES",
    "USER_CANCELED": "CANCELED",
    "CANCELED": "CANCELED",
    "SKIPPED": "UPSTREAM_FAILED",
    "MAX_CONCURRENT_RUNS_EXCEEDED": "MAXIMUM_CONCURRENT_RUNS_REACHED",
}
CANCEL_GRACE_SECONDS = 60  # a cancellation this soon after a later try began was asked for by the try before it


@dataclass(frozen=True)
class State:
    """Life-cycle and result state, as the Jobs API words them."""

    life_cycle: str
    result: str = ""
    message: str = ""

    @property
    def is_over(self) -> bool:
        return self.life_cycle in TERMINAL

    @property
    def is_success(self) -> bool:
        return self.result == "SUCCESS"

    @property
    def is_stopping(self) -> bool:
        return self.life_cycle == "TERMINATING"

    @property
    def is_cancelled(self) -> bool:
        return self.result in {"CANCELED", "UPSTREAM_CANCELED"}

    def __str__(self) -> str:
        return " ".join(filter(None, (self.life_cycle, self.result, f"({self.message})" if self.message else "")))


@dataclass(frozen=True)
class TaskRun:
    """The newest attempt of one task of a run."""

    key: str
    run_id: int
    state: State
    upstream: tuple[str, ...] = ()
    page_url: str = ""


@dataclass(frozen=True)
class Run:
    """One run and the newest attempt of each of its tasks; times are epoch seconds, 0 where there is none yet."""

    run_id: int
    name: str
    state: State
    page_url: str
    tasks: Mapping[str, TaskRun]
    job_id: int = 0
    latest_repair_id: int | None = None
    start_time: float = 0
    end_time: float = 0
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Whose run it is, where that is known, else the job's name."""
        return self.parameters.get("requested_by") or self.name

    def task(self, key: str) -> TaskRun:
        if (task := self.tasks.get(key)) is None:
            raise PermanentError(
                f"Databricks run {self.run_id} ({self.name}) has no task {key!r}, only {', '.join(sorted(self.tasks))}."
            )
        return task

    def has_ended(self, key: str) -> bool:
        """Tell whether a task has ended for good: Databricks may list its own retry only after the failed attempt.

        A failed attempt is the last one once the run has ended, or a task that waited for it no longer waits.
        """
        task = self.task(key)
        if self.state.is_over or task.state.is_success:
            return True
        waiting = (other.state for other in self.tasks.values() if key in other.upstream)
        return task.state.is_over and any(state.life_cycle not in NOT_BEGUN for state in waiting)

    def root_cause(self, key: str) -> TaskRun:
        """The task that kept ``key`` from running, or the task itself: upstream, the first that did not succeed."""
        task = self.task(key)
        if task.state.result in UPSTREAM_RESULTS or task.state.life_cycle == "SKIPPED":
            for name in task.upstream:
                if not self.task(name).state.is_success:
                    return self.root_cause(name)
        return task


def run_from(pages: Sequence[Mapping[str, Any]]) -> Run:
    """Read the pages of one ``runs/get`` answer (100 tasks a page), or one entry of ``runs/list``."""
    first = pages[0]
    newest: dict[str, Mapping[str, Any]] = {}
    for task in (task for page in pages for task in page.get("tasks", [])):
        known = newest.get(task["task_key"])
        if known is None or _age(task) >= _age(known):
            newest[task["task_key"]] = task
    repairs = [entry["id"] for page in pages for entry in page.get("repair_history", []) if entry.get("id")]
    return Run(
        run_id=first["run_id"],
        name=first.get("run_name", ""),
        state=_state_from(first),
        page_url=first.get("run_page_url", ""),
        tasks={key: _task_from(task) for key, task in newest.items()},
        job_id=first.get("job_id", 0),
        latest_repair_id=repairs[-1] if repairs else None,
        start_time=first.get("start_time", 0) / 1000,
        end_time=first.get("end_time", 0) / 1000,
        parameters={
            each["name"]: str(each.get("value", each.get("default", ""))) for each in first.get("job_parameters", [])
        },
    )


def _value_of(parameter: Mapping[str, Any]) -> str:
    return str(parameter.get("value", parameter.get("default", "")))


def _age(task: Mapping[str, Any]) -> tuple[int, int]:
    return task.get("attempt_number", 0), task.get("start_time", 0)


def _state_from(described: Mapping[str, Any]) -> State:
    if not described.get("state"):
        return _state_of_status(described.get("status") or {})
    state = described["state"]
    return State(
        state.get("life_cycle_state", "PENDING"), state.get("result_state", ""), state.get("state_message", "").strip()
    )


def _state_of_status(status: Mapping[str, Any]) -> State:
    life, details = status.get("state", "PENDING"), status.get("termination_details") or {}
    code, message = details.get("code", ""), details.get("message", "").strip()
    if life != "TERMINATED":
        return State("WAITING_FOR_RETRY" if life == "WAITING" else life, "", message)
    return State("SKIPPED" if code == "SKIPPED" else life, RESULT_OF_CODE.get(code, "FAILED"), message)


def _task_from(task: Mapping[str, Any]) -> TaskRun:
    return TaskRun(
        key=task["task_key"],
        run_id=task["run_id"],
        state=_state_from(task),
        upstream=tuple(upstream["task_key"] for upstream in task.get("depends_on", [])),
        page_url=task.get("run_page_url", ""),
    )


class AfterStart(StrEnum):
    """What to do with the run that a start returned."""

    ATTACH = "attach"
    WAIT_FOR_END = "wait for its end"
    START_AGAIN = "start again"


def after_start(state: State) -> AfterStart:
    """A used token returns its old run: take it while it runs or if it succeeded, else try the next token."""
    if state.is_stopping:
        return AfterStart.WAIT_FOR_END
    if state.is_over and not state.is_success:
        return AfterStart.START_AGAIN
    return AfterStart.ATTACH


class StageStep(StrEnum):
    """What the watcher of one task of a run does next."""

    DONE = "done"
    WAIT = "wait"
    WAIT_FOR_END = "wait until the run has ended, then repair"
    REPAIR = "repair"
    FAIL = "fail"


@dataclass(frozen=True)
class Watch:
    """What one try of the watcher remembers.

    :param is_later_try: A retry, or a try after a clear.
    :param is_first_check: The first check of this try.
    :param seconds: Since this try began.
    :param replaced: The task run that a repair of this try replaces; 0 without one. A try repairs once.
    :param must_repair: Decided at an earlier check, waiting for the run to end.
    :param is_cleared: The first try since a clear, for which no stage before has run this one again.
    """

    is_later_try: bool = False
    is_first_check: bool = False
    seconds: float = 0
    replaced: int = 0
    must_repair: bool = False
    is_cleared: bool = False


def stage_step(run: Run, key: str, watch: Watch) -> StageStep:
    """Choose the next step.

    A stage that had ended without success before a later try began is repaired, and one that had ended at all before
    it was cleared; one that fails during a try fails that try. Killing a try cancels the run, maybe only after its
    successor has polled: that, too, calls for a repair.
    """
    task = run.task(key)
    if task.run_id == watch.replaced:
        return StageStep.WAIT  # the service has accepted the repair and not yet begun it
    left_by_earlier_try = watch.is_first_check or (
        watch.seconds < CANCEL_GRACE_SECONDS and (task.state.is_cancelled or run.state.is_cancelled)
    )
    must_run_again = watch.is_cleared and not watch.replaced and (watch.is_first_check or watch.must_repair)
    if task.state.is_success and not must_run_again:
        return StageStep.DONE
    over = task.state.is_over or run.state.is_over
    stopping = task.state.is_stopping or run.state.is_stopping
    may_repair = watch.is_later_try and not watch.replaced
    if watch.must_repair or (may_repair and left_by_earlier_try and (over or stopping)):
        return StageStep.REPAIR if run.state.is_over else StageStep.WAIT_FOR_END
    return StageStep.FAIL if run.has_ended(key) else StageStep.WAIT


def has_ended(run: Run, key: str | None, replaced: int) -> bool:
    """Tell whether a task (without a key, the whole run) has ended, well or not.

    :param replaced: A run of the task that a repair has replaced: its end does not count.
    """
    if key is None:
        return run.state.is_over
    return run.task(key).run_id != replaced and run.has_ended(key)


def why_it_failed(run: Run, key: str) -> str:
    """Say in one line which stage failed, and how."""
    task, cause = run.task(key), run.root_cause(key)
    if cause.key != task.key:
        return f"stage {key} did not run ({task.state}), because stage {cause.key} ended as {cause.state}"
    if not task.state.is_over:
        return f"stage {key} did not run, because the run ended as {run.state}"
    return f"stage {key} ended as {task.state}"
