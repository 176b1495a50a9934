"""Jobs, runs and the attempts of their tasks, as they are stored. Decisions about them are in ``rules``."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

TERMINAL = frozenset({"TERMINATED", "SKIPPED", "INTERNAL_ERROR"})


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Attempt:
    """One attempt of one task; a retry or a repair adds another with the same key.

    :param life: A documented life-cycle state (``RunLifeCycleState`` of the Jobs API).
    :param code: The termination code of the ``status`` object.
    :param values: What it set by ``dbutils.jobs.taskValues``.
    :param repair_id: The repair it belongs to, 0 for the original run.
    """

    run_id: int
    task_key: str
    start_time: int
    original_attempt_run_id: int = 0
    attempt_number: int = 0
    repair_id: int = 0
    life: str = "BLOCKED"
    result: str = ""
    message: str = ""
    code: str = ""
    execution_start: int = 0
    end_time: int = 0
    cluster_id: str = ""
    output: str | None = None
    truncated: bool = False
    error: str | None = None
    error_trace: str | None = None
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.life in TERMINAL

    def finish(self, life: str, result: str, code: str, message: str = "") -> None:
        self.life, self.result, self.code, self.message = life, result, code, message
        self.end_time = now_ms()


@dataclass
class Repair:
    """One repair of a run."""

    id: int
    start_time: int
    end_time: int = 0
    state: dict[str, Any] = field(default_factory=dict)


@dataclass
class Run:
    """One run of a job, or of a one-time submission.

    :param settings: Its tasks, job clusters, timeout and so on, as they were when the run began.
    :param stop: ``USER`` or ``TIMEOUT`` once it is to be stopped.
    :param refused: It was skipped because the job already had as many active runs as it may.
    """

    run_id: int
    job_id: int
    name: str
    run_type: str
    trigger: str
    start_time: int
    settings: dict[str, Any]
    job_parameters: dict[str, str] = field(default_factory=dict)
    overriding: dict[str, Any] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)
    original_state: dict[str, Any] = field(default_factory=dict)
    end_time: int = 0
    queued: bool = False
    refused: bool = False
    stop: str = ""

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        return {task["task_key"]: task for task in self.settings["tasks"]}

    @property
    def current(self) -> dict[str, Attempt]:
        """The newest attempt of each task."""
        return {attempt.task_key: attempt for attempt in self.attempts}

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Run":
        attempts = [Attempt(**attempt) for attempt in stored["attempts"]]
        repairs = [Repair(**repair) for repair in stored["repairs"]]
        return cls(**{**stored, "attempts": attempts, "repairs": repairs})


@dataclass
class Job:
    """A job's settings."""

    job_id: int
    created_time: int
    settings: dict[str, Any]
