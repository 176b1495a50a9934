"""``/api/2.x/jobs/{create,get,list,update,reset,delete}``."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from sandbox.servers.databricks.continuous import is_unpaused
from sandbox.servers.databricks.model import Job, now_ms
from sandbox.servers.databricks.requests import Services, arguments, find_job, flag, number, services
from sandbox.servers.databricks.settings_check import FIELDS_OF_A_JOB, check_continuous, normalized, refuse_unknown
from sandbox.servers.databricks.views import CREATOR

PAGE_LIMIT = 100
BY_KEY = {"tasks": "task_key", "job_clusters": "job_cluster_key", "parameters": "name"}  # merged, not replaced
NOT_LISTED = (*BY_KEY, "environments")

Answer = dict[str, Any]


def checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    complete = normalized({"name": "Untitled", "max_concurrent_runs": 1, "format": "MULTI_TASK", **settings}, "main")
    refuse_unknown(complete, FIELDS_OF_A_JOB, "Job settings")
    check_continuous(complete)
    return complete


def store_settings(at: Services, job: Job, settings: dict[str, Any]) -> None:
    job.settings = settings
    at.store.save_job(job)
    at.engine.notify()


def job_json(job: Job, *, expand: bool) -> Answer:
    settings = job.settings if expand else {name: job.settings[name] for name in job.settings if name not in NOT_LISTED}
    shown: Answer = {
        "job_id": job.job_id,
        "creator_user_name": CREATOR,
        "run_as_user_name": CREATOR,
        "created_time": job.created_time,
        "settings": settings,
    }
    if job.settings.get("continuous"):
        shown["trigger_state"] = {"pause_status": "UNPAUSED" if is_unpaused(job) else "PAUSED"}
    return shown


async def create(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    job = Job(at.store.next_id(), now_ms(), {})
    store_settings(at, job, checked(given))
    return {"job_id": job.job_id}


async def get(request: Request) -> Answer:
    return job_json(find_job(services(request).store, await arguments(request)), expand=True)


async def list_jobs(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    limit = number(given, "limit", default=20, most=PAGE_LIMIT) or PAGE_LIMIT
    offset = number(given, "page_token", default=number(given, "offset", default=0))
    name = str(given.get("name") or "").lower()
    wanted = [job for job in reversed(at.store.jobs.values()) if not name or job.settings["name"].lower() == name]
    page = wanted[offset : offset + limit]
    answer: Answer = {"jobs": [job_json(job, expand=flag(given, "expand_tasks")) for job in page]}
    more = len(wanted) > offset + limit
    if more:
        answer["next_page_token"] = str(offset + limit)
    if "/2.2/" not in request.url.path:
        answer["has_more"] = more
    return answer


async def reset(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    store_settings(at, find_job(at.store, given), checked(given.get("new_settings") or {}))
    return {}


async def update(request: Request) -> Answer:
    given, at = await arguments(request), services(request)
    job = find_job(at.store, given)
    left = {name: value for name, value in job.settings.items() if name not in (given.get("fields_to_remove") or [])}
    store_settings(at, job, checked(merged(left, given.get("new_settings") or {})))
    return {}


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings after an update: top-level fields are replaced, lists of keyed things merged by their keys."""
    result = {**old, **new}
    for name, key in BY_KEY.items():
        if name in old and name in new:
            result[name] = list({each[key]: each for each in [*old[name], *new[name]]}.values())
    return result


async def delete(request: Request) -> Answer:
    """Delete a job; its active runs are cancelled, its finished ones stay readable."""
    given, at = await arguments(request), services(request)
    job = find_job(at.store, given)
    at.store.delete_job(job.job_id)
    for run in at.store.runs_of(job.job_id):
        at.engine.cancel(run)
    at.engine.notify()
    return {}


ROUTES = {
    ("POST", "jobs/create"): create,
    ("GET", "jobs/get"): get,
    ("GET", "jobs/list"): list_jobs,
    ("POST", "jobs/reset"): reset,
    ("POST", "jobs/update"): update,
    ("POST", "jobs/delete"): delete,
}
