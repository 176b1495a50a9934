"""The ASGI application: a route for each endpoint and API version, tokens, refusals in the service's shape."""

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.servers.databricks import jobs_api, runs_api, secrets_api, uploads_api, workspace_api
from sandbox.servers.databricks.clusters import Clusters
from sandbox.servers.databricks.config import Config
from sandbox.servers.databricks.continuous import ContinuousJobs
from sandbox.servers.databricks.driver_process import DriverLostError
from sandbox.servers.databricks.engine import Engine
from sandbox.servers.databricks.errors import ApiError
from sandbox.servers.databricks.page import run_page
from sandbox.servers.databricks.requests import Services, services
from sandbox.servers.databricks.store import Store

log = logging.getLogger(__name__)
VERSIONS = ("2.0", "2.1", "2.2")
Endpoint = Callable[[Request], Awaitable[dict[str, Any]]]


class Json(JSONResponse):
    """JSON by orjson: a run list of thousands must not hold up the event loop."""

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def refusal(error: ApiError) -> Response:
    return Json({"error_code": error.code, "message": error.message}, error.status)


class RateLimit:
    """So many requests in each second of the clock, of all clients."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self.second, self.count = 0, 0

    def refuses(self) -> bool:
        second = int(time.monotonic())
        self.second, self.count = second, self.count + 1 if second == self.second else 1
        return self.count > self.per_second


def too_many(limit: RateLimit) -> Response:
    answer = refusal(
        ApiError("REQUEST_LIMIT_EXCEEDED", f"Current request has to be retried: more than {limit.per_second} a second.")
    )
    answer.headers["Retry-After"] = "1"
    return answer


def guarded(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """Check the token first, then answer with the endpoint's dictionary or its refusal."""

    async def answer(request: Request) -> Response:
        expected = f"Bearer {services(request).config.token}"
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected.encode()):
            return refusal(
                ApiError("UNAUTHENTICATED", "Request does not have a valid access token: send Authorization: Bearer.")
            )
        limit: RateLimit = request.app.state.limit
        if limit.refuses():
            return too_many(limit)
        try:
            return Json(await endpoint(request))
        except DriverLostError as lost:
            return refusal(ApiError("TEMPORARILY_UNAVAILABLE", str(lost)))
        except ApiError as error:
            log.info("%s %s refused: %s", request.method, request.url.path, error.message)
            return refusal(error)

    return answer


async def databricks_config(request: Request) -> Response:
    """What databricks-sdk asks on construction; there is no OAuth server behind it."""
    host = services(request).config.url
    return Json({"oidc_endpoint": f"{host}/oidc", "host_type": "workspace", "workspace_id": "1"})


async def not_found(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    missing = ApiError("ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.url.path}'")
    return Json({"error_code": missing.code, "message": missing.message}, status)


def routes() -> list[Route]:
    endpoints = {
        **runs_api.ROUTES, **jobs_api.ROUTES, **workspace_api.ROUTES, **uploads_api.ROUTES, **secrets_api.ROUTES,
    }  # fmt: skip
    return [
        *(
            Route(f"/api/{version}/{path}", guarded(endpoint), methods=[method])
            for (method, path), endpoint in endpoints.items()
            for version in VERSIONS
        ),
        Route("/.well-known/databricks-config", databricks_config),
        Route("/jobs/{job_id:int}/runs/{run_id:int}", run_page),
    ]


def create_app(config: Config) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        store = Store(config.state_dir / "state.sqlite3")
        clusters = Clusters(config)
        engine = Engine(config, store, clusters)
        continuous = ContinuousJobs(engine)
        app.state.limit = RateLimit(config.requests_per_second)
        app.state.services = Services(config, store, clusters, engine)
        clusters.start()
        engine.recover()
        continuous.start()
        yield
        await continuous.close()
        await asyncio.gather(engine.close(), clusters.close())  # in this order: no retry starts a driver again
        store.close()

    return Starlette(routes=routes(), lifespan=lifespan, exception_handlers={404: not_found, 405: not_found})
