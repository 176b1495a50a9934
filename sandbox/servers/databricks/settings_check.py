"""Check the tasks of a submission or of a job's settings, and bring the single-task form into the multi-task one."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sandbox.servers.databricks.errors import invalid
from sandbox.servers.databricks.rules import upstream

TASK_TYPES = (
    "notebook_task",
    "spark_python_task",
    "spark_jar_task",
    "spark_submit_task",
    "python_wheel_task",
    "pipeline_task",
    "sql_task",
    "dbt_task",
    "run_job_task",
    "condition_task",
    "for_each_task",
)
OF_A_TASK = (
    *TASK_TYPES,
    "new_cluster",
    "existing_cluster_id",
    "libraries",
    "max_retries",
    "min_retry_interval_millis",
    "retry_on_timeout",
)
NOTED = frozenset(  # only described or only told to people: kept, with no effect here or on what runs there
    {"tags", "description", "email_notifications", "webhook_notifications", "notification_settings", "health"}
)
FIELDS_OF_A_RUN = NOTED | {"tasks", "timeout_seconds", "job_clusters", "queue"}
FIELDS_OF_A_JOB = FIELDS_OF_A_RUN | {"name", "parameters", "max_concurrent_runs", "continuous", "format", "edit_mode"}
FIELDS_OF_A_TASK = NOTED | {
    "task_key", "depends_on", "run_if", "timeout_seconds", "job_cluster_key", "disable_auto_optimization", *OF_A_TASK,
}  # fmt: skip
FIELDS_OF_A_NOTEBOOK = frozenset({"notebook_path", "base_parameters", "source"})
RUN_IF = frozenset(
    {"ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED"}
)
MAX_TASKS = 100  # of one submission, a limit of the service


def normalized(request: Mapping[str, Any], default_key: str) -> dict[str, Any]:
    """Return settings whose ``tasks`` is a list, checked.

    :param default_key: The task key of the old single-task form; the service takes the run's name.
    """
    settings = dict(request)
    if not settings.get("tasks"):
        single = {name: settings.pop(name) for name in OF_A_TASK if name in settings}
        settings["tasks"] = [{"task_key": default_key, **single}]
    check_tasks(settings)
    return settings


def refuse_unknown(given: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    """Refuse the fields that the sandbox does not serve: the service would do something for them."""
    if unknown := sorted(name for name in given.keys() - set(known) if given[name] not in (None, "", [], {})):
        raise invalid(f"{what}: the sandbox does not serve {', '.join(unknown)}.")


def check_tasks(settings: Mapping[str, Any]) -> None:
    tasks = settings["tasks"]
    if not isinstance(tasks, list) or not all(isinstance(task, dict) and task.get("task_key") for task in tasks):
        raise invalid("tasks must be a list of objects that each have a task_key.")
    if len(tasks) > MAX_TASKS:
        raise invalid(f"At most {MAX_TASKS} tasks can be in one run, got {len(tasks)}.")
    keys = [task["task_key"] for task in tasks]
    if repeated := sorted({key for key in keys if keys.count(key) > 1}):
        raise invalid(f"Task keys must be unique; given more than once: {', '.join(repeated)}.")
    clusters = {each.get("job_cluster_key") for each in settings.get("job_clusters") or []}
    for task in tasks:
        check_task(task, set(keys), clusters)
    try:
        TopologicalSorter({task["task_key"]: upstream(task) for task in tasks}).prepare()
    except CycleError as error:
        raise invalid(f"Tasks depend on each other in a circle: {' -> '.join(error.args[1])}.") from error


def check_task(task: Mapping[str, Any], keys: set[str], clusters: set[str | None]) -> None:
    key = task["task_key"]
    refuse_unknown(task, FIELDS_OF_A_TASK, f"Task {key}")
    types = [name for name in TASK_TYPES if task.get(name)]
    if types != ["notebook_task"]:
        given = ", ".join(types) or "none"
        raise invalid(f"Task {key} must have a notebook_task, the one type that the sandbox runs; it has: {given}.")
    refuse_unknown(task["notebook_task"], FIELDS_OF_A_NOTEBOOK, f"Task {key}, notebook_task")
    if (source := task["notebook_task"].get("source") or "WORKSPACE") != "WORKSPACE":
        raise invalid(f"Task {key}: the sandbox has notebooks of the WORKSPACE only, got source {source!r}.")
    path = task["notebook_task"].get("notebook_path") or ""
    if not path.startswith("/"):
        raise invalid(
            f"Task {key}: only absolute notebook paths are supported, got {path!r}. Paths must begin with '/'."
        )
    if missing := sorted(set(upstream(task)) - keys):
        raise invalid(f"Task {key} depends on {', '.join(missing)}, which is no task of this run.")
    if (run_if := task.get("run_if") or "ALL_SUCCESS") not in RUN_IF:
        raise invalid(f"Task {key}: run_if {run_if!r} is not one of {', '.join(sorted(RUN_IF))}.")
    wanted = task.get("job_cluster_key")
    if wanted is not None and wanted not in clusters:
        raise invalid(f"Task {key}: job cluster {wanted!r} is not defined in job_clusters.")


def check_continuous(settings: Mapping[str, Any]) -> None:
    """Refuse what the service refuses in a continuous job: dependencies and retries of tasks, a schedule."""
    if not settings.get("continuous"):
        return
    for task in settings["tasks"]:
        if task.get("depends_on"):
            raise invalid(f"Task {task['task_key']}: task dependencies cannot be used in a continuous job.")
        if task.get("max_retries"):
            raise invalid(f"Task {task['task_key']}: retry policies cannot be used in a continuous job.")
    if int(settings.get("max_concurrent_runs") or 1) > 1:
        raise invalid("A continuous job has one active run: max_concurrent_runs cannot be more than 1.")


def cluster_of(settings: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a task runs on: ``{"existing_cluster_id": …}`` or a new cluster's specification."""
    if wanted := task.get("existing_cluster_id"):
        return {"existing_cluster_id": wanted}
    shared = {each["job_cluster_key"]: each["new_cluster"] for each in settings.get("job_clusters") or []}
    return dict(shared.get(task.get("job_cluster_key")) or task.get("new_cluster") or {})
