"""A Databricks job as its file says, and how the service's differs from it. No I/O but the file."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.json_templates import fill, read_json

RUN_STATE = frozenset({"pause_status"})  # of `continuous`: what people and supervisors switch, not what the file says
EXACT = frozenset({"base_parameters"})  # a parameter that the file dropped must go; elsewhere the service adds defaults


@dataclass(frozen=True)
class Job:
    """A job as the service describes it."""

    job_id: int
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def continuous(self) -> Mapping[str, Any]:
        return self.settings.get("continuous") or {}

    @property
    def is_continuous(self) -> bool:
        return bool(self.continuous)

    @property
    def is_paused(self) -> bool:
        return self.continuous.get("pause_status") == "PAUSED"


def read_job_file(file: Path, values: Mapping[str, Any], may_be_empty: Collection[str] = ()) -> dict[str, Any]:
    """Return the job settings that ``file`` describes, its ``${placeholders}`` filled from ``values``.

    Parameters become text, since widgets hold nothing else; a continuous job is paused until it is launched.

    :param may_be_empty: Values that may be empty text, e.g. the address of an endpoint that AWS knows itself.
    :raises PermanentError: no file, no JSON, no name, or names that do not match its placeholders.
    """
    settings = read_json(file, "Job file", argument="job_file")
    if not isinstance(settings, dict) or not settings.get("name") or not settings.get("tasks"):
        raise PermanentError(f"Job file {file} has no name or no tasks: write the settings of a job into it.")
    remedy = "correct job_values, or the Variable that they come from"
    result: dict[str, Any] = fill(settings, values, f"Job file {file}", remedy=remedy, may_be_empty=may_be_empty)
    for task in result["tasks"]:
        notebook = task.get("notebook_task", {})
        notebook["base_parameters"] = {k: _as_text(v) for k, v in notebook.get("base_parameters", {}).items()}
    for parameter in result.get("parameters") or []:
        parameter["default"] = _as_text(parameter["default"])
    if result.get("continuous") is not None:
        result["continuous"] = {**result["continuous"], "pause_status": "PAUSED"}
    return result


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def single_job(jobs: Sequence[Job], name: str) -> Job | None:
    """Return the job of that name, None without one.

    :raises PermanentError: two have it: each could run, and two writers would corrupt a checkpoint, or a table.
    """
    if len(jobs) > 1:
        ids = ", ".join(str(job.job_id) for job in jobs)
        raise PermanentError(
            f"Databricks has {len(jobs)} jobs named {name} ({ids}), expected one: delete or rename the others."
        )
    return jobs[0] if jobs else None


def notebook_paths(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the workspace notebooks that a job needs; those of a Git source are not in the workspace."""
    for task in settings["tasks"]:
        notebook = task.get("notebook_task") or {}
        source = notebook.get("source") or ("GIT" if "git_source" in settings else "WORKSPACE")
        if source == "WORKSPACE" and "notebook_path" in notebook:
            yield notebook["notebook_path"]


def difference(job: Job, wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings in which the job is not as its file says; what the service adds is no difference."""
    return tuple(sorted(name for name in wanted if not _includes(job.settings.get(name), wanted[name])))


def _includes(current: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        if not isinstance(current, Mapping):
            return False
        return all(
            (current.get(name) == value if name in EXACT else _includes(current.get(name), value))
            for name, value in wanted.items()
            if name not in RUN_STATE
        )
    if isinstance(wanted, list):
        return isinstance(current, list) and len(current) == len(wanted) and all(map(_includes, current, wanted))
    return bool(current == wanted) or str(current) == str(wanted)  # a template may have made text of a number


def reset_settings(job: Job, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the job is to be reset to: the file's settings, and its own state of pause."""
    if not wanted.get("continuous"):
        return dict(wanted)
    status = "PAUSED" if job.is_paused or not job.is_continuous else "UNPAUSED"
    return {**wanted, "continuous": {**wanted["continuous"], "pause_status": status}}
