"""Read requests and find what they name; shared by all endpoints."""

from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from sandbox.servers.databricks.clusters import Clusters
from sandbox.servers.databricks.config import Config
from sandbox.servers.databricks.engine import Engine
from sandbox.servers.databricks.errors import ApiError, invalid
from sandbox.servers.databricks.model import Attempt, Job, Run
from sandbox.servers.databricks.store import Store

TRUE = frozenset({"true", "1", "yes"})


@dataclass(frozen=True)
class Services:
    """What the endpoints work with, held in the application's state."""

    config: Config
    store: Store
    clusters: Clusters
    engine: Engine


def services(request: Request) -> Services:
    return request.app.state.services  # type: ignore[no-any-return]


async def arguments(request: Request) -> dict[str, Any]:
    """Return query parameters and JSON body as one: Airflow's async hook sends a GET's parameters as a body."""
    raw = await request.body()
    try:
        body = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError as error:
        raise ApiError("MALFORMED_REQUEST", f"The request's body is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise ApiError("MALFORMED_REQUEST", "The request's body must be a JSON object.")
    return {**request.query_params, **body}


def number(given: dict[str, Any], name: str, default: int | None = None, most: int | None = None) -> int:
    """Return an integer argument; one without a default must be given."""
    value = given.get(name, default)
    if value in (None, ""):
        if default is not None:
            return default
        raise invalid(f"Missing required field: {name}")
    try:
        parsed = int(value)
    except (TypeError, ValueError) as error:
        raise invalid(f"{name} must be an integer, got {value!r}.") from error
    if parsed < 0 or (most is not None and parsed > most):
        raise invalid(f"{name} must be between 0 and {most}, got {parsed}.")
    return parsed


def flag(given: dict[str, Any], name: str) -> bool:
    return str(given.get(name, "")).lower() in TRUE


def find_run(store: Store, run_id: int) -> tuple[Run, Attempt | None]:
    """Return the run of that id, or the run and the attempt where the id is a task run's."""
    if (run := store.runs.get(run_id)) is not None:
        return run, None
    for run in store.runs.values():
        for attempt in run.attempts:
            if attempt.run_id == run_id:
                return run, attempt
    raise invalid(f"Run {run_id} does not exist.")


def find_job(store: Store, given: dict[str, Any]) -> Job:
    job_id = number(given, "job_id")
    if job_id not in store.jobs:
        raise invalid(f"Job {job_id} does not exist.")
    return store.jobs[job_id]
