"""The body of a run's submission, and the token that makes submitting it twice harmless. No I/O."""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from pinterest_pipeline.common.errors import PermanentError


def idempotency_token(identity: Sequence[Any], body: Mapping[str, Any], attempt: int) -> str:
    """Return 64 characters, the API's limit, that differ for another task instance, body or attempt."""
    return sha256(json.dumps([*identity, body, attempt], sort_keys=True).encode()).hexdigest()


def own_name(run_name: str, dag_run_id: str, map_index: int) -> str:
    """Return the name under which this task instance submits, so that its own active run is told from others'."""
    suffix = f" {map_index}" if map_index >= 0 else ""
    return f"{run_name} ({dag_run_id}{suffix})"


def is_of_family(name: str, run_name: str) -> bool:
    """Tell whether a run was submitted as ``run_name`` by any task instance."""
    return name == run_name or name.startswith(f"{run_name} (")


def submission_body(
    name: str,
    tasks: Sequence[Mapping[str, Any]] | str,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Build the body of ``runs/submit``; JSON text is taken where the API wants an object (templates give text).

    Notebook parameters that are not text become JSON text: widgets hold nothing else.
    """
    body_tasks = [_with_parameters(_with_cluster(task)) for task in _as_json(tasks, "tasks", list)]
    check_tasks(body_tasks)
    return {**settings, "run_name": name, "tasks": body_tasks}


def check_tasks(tasks: Sequence[Mapping[str, Any]]) -> None:
    """Name everything that the service would refuse, all at once."""
    keys = [task.get("task_key") for task in tasks]
    problems = [] if tasks else ["there is none"]
    if None in keys or len(set(keys)) < len(keys):
        problems.append(f"each needs a task_key of its own, got {keys}")
    for task in tasks:
        key = task.get("task_key")
        unknown = [up["task_key"] for up in task.get("depends_on", []) if up.get("task_key") not in keys]
        if unknown:
            problems.append(f"{key} depends on {', '.join(map(str, unknown))}, which is not among them")
        if "job_cluster_key" in task:
            problems.append(f"{key} wants a shared job cluster, which runs/submit refuses: give it a new_cluster")
    if problems:
        raise PermanentError(
            f"The tasks of a Databricks run are wrong: {'; '.join(problems)}. Correct them in the DAG."
        )


def notebook_paths(body: Mapping[str, Any]) -> Iterator[str]:
    """The workspace notebooks that the run needs; those of a Git source are not in the workspace."""
    for task in body["tasks"]:
        notebook = task.get("notebook_task") or {}
        source = notebook.get("source") or ("GIT" if "git_source" in body else "WORKSPACE")
        if source == "WORKSPACE" and "notebook_path" in notebook:
            yield notebook["notebook_path"]


def _as_json(value: Any, what: str, kind: type) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise PermanentError(
                f"{what} of a Databricks run is text but not JSON ({error}): use | tojson in its template."
            ) from error
    if not isinstance(value, kind):
        raise PermanentError(f"{what} of a Databricks run is a {type(value).__name__}, expected a {kind.__name__}.")
    return value


def _with_cluster(described: Mapping[str, Any]) -> dict[str, Any]:
    if "new_cluster" not in described:
        return dict(described)
    return {**described, "new_cluster": _as_json(described["new_cluster"], "new_cluster", dict)}


def _with_parameters(task: Mapping[str, Any]) -> dict[str, Any]:
    notebook = task.get("notebook_task")
    if not notebook or "base_parameters" not in notebook:
        return dict(task)
    parameters = {
        name: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for name, value in notebook["base_parameters"].items()
    }
    return {**task, "notebook_task": {**notebook, "base_parameters": parameters}}
