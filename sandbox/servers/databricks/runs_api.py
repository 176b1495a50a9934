"""``/api/2.x/jobs/runs/…`` and ``jobs/run-now``."""

from typing import Any

from starlette.requests import Request

from sandbox.servers.databricks import rules
from sandbox.servers.databricks.continuous import is_unpaused, new_run
from sandbox.servers.databricks.errors import invalid
from sandbox.servers.databricks.model import Run, now_ms
from sandbox.servers.databricks.requests import arguments, find_job, find_run, flag, number, services
from sandbox.servers.databricks.settings_check import FIELDS_OF_A_RUN, normalized, refuse_unknown
from sandbox.servers.databricks.store import Store
from sandbox.servers.databricks.views import output_json, run_json, task_run_json

ACTIVE = frozenset({"QUEUED", "PENDING", "RUNNING", "TERMINATING"})  # the service leaves out WAITING_FOR_RETRY, BLOCKED
TOKEN_LIMIT = 64
PAGE_LIMIT = 25
MULTIPLE = (
    "Retrieving the output of runs with multiple tasks is not supported. "
    "Please retrieve the output of each individual task run instead."
)
OVERRIDES = ("notebook_params",)  # the other kinds are for tasks that the sandbox does not run
OF_A_START = ("idempotency_token", *OVERRIDES)
OF_A_REPAIR = (
    "run_id", "rerun_tasks", "rerun_all_failed_tasks", "rerun_dependent_tasks", "latest_repair_id", "job_parameters",
    "notebook_params",
)  # fmt: skip

Answer = dict[str, Any]


def known_token(store: Store, scope: str, given: Answer) -> tuple[str, int | None]:
    """Return the token as stored, and the run that it already began, if any; a deleted run's token is refused."""
    token = given.get("idempotency_token")
    if not token:
        return "", None
    if len(token) > TOKEN_LIMIT:
        raise invalid(f"idempotency_token can have at most {TOKEN_LIMIT} characters, got {len(token)}.")
    scoped = f"{scope}:{token}"
    run_id = store.tokens.get(scoped)
    if run_id is not None and run_id not in store.runs:
        raise invalid(f"The run {run_id} of idempotency token {token} was deleted: use another token.")
    return scoped, run_id


async def submit(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    token, known = known_token(at.store, "submit", given)
    if known is not None:
        return {"run_id": known}
    name = str(given.get("run_name") or "Untitled")
    settings = normalized(given, default_key=name)
    refuse_unknown(settings, {*FIELDS_OF_A_RUN, *OF_A_START, "run_name"}, "runs/submit")
    if settings.get("job_clusters"):
        raise invalid("runs/submit takes no job_clusters: give each task its new_cluster, or create a job and run it.")
    for cluster in (task.get("existing_cluster_id") for task in settings["tasks"]):
        if cluster:
            at.clusters.find({"existing_cluster_id": cluster})
    run = Run(
        run_id=at.store.next_id(),
        job_id=at.store.next_id(),
        name=name,
        run_type="SUBMIT_RUN",
        trigger="ONE_TIME",
        start_time=now_ms(),
        settings=settings,
        overriding={field: given[field] for field in OVERRIDES if given.get(field)},
    )
    at.engine.create(run, token)
    return {"run_id": run.run_id}


async def run_now(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    refuse_unknown(given, {*OF_A_START, "job_id", "job_parameters", "queue"}, "run-now")
    job = find_job(at.store, given)
    token, known = known_token(at.store, f"run-now:{job.job_id}", given)
    if known is not None:
        return {"run_id": known, "number_in_job": known}
    run = new_run(at.engine, job, "CONTINUOUS_RESTART" if job.settings.get("continuous") else "ONE_TIME")
    run.job_parameters |= declared_parameters(job.settings, given)
    run.overriding = {field: given[field] for field in OVERRIDES if given.get(field)}
    if given.get("queue"):
        run.settings = {**run.settings, "queue": given["queue"]}
    if is_unpaused(job):  # the service restarts a continuous job: the new run begins once the active one has ended
        run.settings = {**run.settings, "queue": {"enabled": True}}
        for other in at.store.runs_of(job.job_id):
            at.engine.cancel(other)
    at.engine.create(run, token)
    return {"run_id": run.run_id, "number_in_job": run.run_id}


def declared_parameters(settings: Answer, given: Answer) -> dict[str, str]:
    """Return the job parameters of a request as text; one that the job does not declare is refused."""
    values = given.get("job_parameters") or {}
    declared = {each["name"] for each in settings.get("parameters") or []}
    if unknown := sorted(values.keys() - declared):
        raise invalid(f"Job parameters {', '.join(unknown)} are not defined in the job; it has: {sorted(declared)}.")
    return {name: str(value) for name, value in values.items()}


async def get(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    run, attempt = find_run(at.store, number(given, "run_id"))
    if attempt is not None:
        return task_run_json(at.config, run, attempt)
    offset = number(given, "page_token", default=0)
    return run_json(at.config, run, history=flag(given, "include_history"), offset=offset)


async def get_output(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    run, attempt = find_run(at.store, number(given, "run_id"))
    if attempt is None:
        if len(run.tasks) > 1:
            raise invalid(MULTIPLE)
        attempt = run.attempts[-1]
    return output_json(at.config, run, attempt)


async def list_runs(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    active_only, completed_only = flag(given, "active_only"), flag(given, "completed_only")
    if active_only and completed_only:
        raise invalid("active_only and completed_only cannot both be true.")
    limit = number(given, "limit", default=20, most=PAGE_LIMIT) or PAGE_LIMIT
    offset = number(given, "page_token", default=number(given, "offset", default=0))
    job_id = number(given, "job_id", default=0)
    earliest, latest = number(given, "start_time_from", default=0), number(given, "start_time_to", default=0)

    def is_wanted(run: Run) -> bool:
        state = rules.run_state(run)
        return (
            (not job_id or run.job_id == job_id)
            and (not active_only or state.life in ACTIVE)
            and (not completed_only or bool(state.result))
            and (not given.get("run_type") or run.run_type == given["run_type"])
            and run.start_time >= earliest
            and (not latest or run.start_time <= latest)
        )

    wanted = [run for run in reversed(list(at.store.runs.values())) if is_wanted(run)]
    page = wanted[offset : offset + limit]
    answer: Answer = {"runs": [run_json(at.config, run, expand=flag(given, "expand_tasks")) for run in page]}
    if offset:
        answer["prev_page_token"] = str(max(offset - limit, 0))
    more = len(wanted) > offset + limit
    if more:
        answer["next_page_token"] = str(offset + limit)
    if "/2.2/" not in request.url.path:  # 2.2 has no has_more
        answer["has_more"] = more
    return answer


async def cancel(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    run, _ = find_run(at.store, number(given, "run_id"))
    at.engine.cancel(run)
    return {}


async def cancel_all(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    every_queued = flag(given, "all_queued_runs")
    job_id = number(given, "job_id", default=0)
    if not every_queued and not job_id:
        raise invalid("Either job_id or all_queued_runs must be given.")
    for run in list(at.store.runs.values()):
        if (job_id in (0, run.job_id)) and (run.queued or not every_queued):
            at.engine.cancel(run)
    return {}


async def delete(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    run, _ = find_run(at.store, number(given, "run_id"))
    if not run.end_time:
        raise invalid(f"Run {run.run_id} is active and cannot be deleted: cancel it first.")
    at.store.delete_run(run.run_id)
    return {}


async def repair(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    run, attempt = find_run(at.store, number(given, "run_id"))
    if attempt is not None:
        raise invalid(f"{attempt.run_id} is a task run: repair its job run, {run.run_id}.")
    refuse_unknown(given, OF_A_REPAIR, "runs/repair")
    declared_parameters(run.settings, given)
    return {"repair_id": at.engine.repair(run, given)}


ROUTES = {
    ("POST", "jobs/runs/submit"): submit,
    ("POST", "jobs/run-now"): run_now,
    ("GET", "jobs/runs/get"): get,
    ("GET", "jobs/runs/get-output"): get_output,
    ("GET", "jobs/runs/list"): list_runs,
    ("POST", "jobs/runs/cancel"): cancel,
    ("POST", "jobs/runs/cancel-all"): cancel_all,
    ("POST", "jobs/runs/delete"): delete,
    ("POST", "jobs/runs/repair"): repair,
}
