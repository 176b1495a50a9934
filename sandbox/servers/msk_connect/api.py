"""The service's HTTP API (REST with JSON, as boto3's model of ``kafkaconnect`` 2021-09-14 has it)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.servers.msk_connect import resources, translation, updates
from sandbox.servers.msk_connect.errors import BadRequestError, ConflictError, ServiceError
from sandbox.servers.msk_connect.lifecycle import Lifecycle
from sandbox.servers.msk_connect.metrics import Publisher
from sandbox.servers.msk_connect.requests import body_of, page, store_of
from sandbox.servers.msk_connect.store import Resource, Store, new_arn, new_version, now
from sandbox.servers.msk_connect.worker import Worker

NEVER_ANSWERED = frozenset({"tags"})
NOT_LISTED = frozenset({"connectorConfiguration", "stateDescription", "tags"})
OPERATION_SUMMARY = (
    "connectorOperationArn",
    "connectorOperationType",
    "connectorOperationState",
    "creationTime",
    "endTime",
)


def create_app(state_folder: Path, worker_url: str, kafka_client: Mapping[str, str]) -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.store = store = Store(state_folder)
        worker = Worker(worker_url)
        app.state.lifecycle = lifecycle = Lifecycle(store, worker)
        lifecycle.recover()
        publishing = asyncio.create_task(Publisher(store, worker, kafka_client).run())
        yield
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await lifecycle.close()
        await worker.close()

    connector = "/v1/connectors/{arn:path}"
    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/v1/connectors", create_connector, methods=["POST"]),
            Route("/v1/connectors", list_connectors),
            Route(f"{connector}/operations", list_operations),
            Route(f"{connector}/restart", restart_connector, methods=["POST"]),
            Route(f"{connector}/pause", pause_connector, methods=["PUT"]),
            Route(f"{connector}/resume", resume_connector, methods=["PUT"]),
            Route(connector, describe_connector),
            Route(connector, update_connector, methods=["PUT"]),
            Route(connector, delete_connector, methods=["DELETE"]),
            Route("/v1/connectorOperations/{arn:path}", describe_operation),
            *resources.routes,
        ],
        exception_handlers={ServiceError: refuse},
    )


async def create_connector(request: Request) -> JSONResponse:
    wanted = await body_of(request)
    translation.check_creation(wanted)
    store = store_of(request)
    if any(other["connectorName"] == wanted["connectorName"] for other in store.all("connector")):
        raise ConflictError("A resource with this name already exists.")
    for plugin in wanted["plugins"]:
        resources.check_plugin(store, plugin["customPlugin"])
    arn = new_arn("connector", wanted["connectorName"])
    connector = {
        **wanted,
        "connectorConfiguration": updates.scaled(wanted),
        "networkType": wanted.get("networkType", "IPV4"),
        "connectorArn": arn,
        "connectorState": "CREATING",
        "creationTime": now(),
        "currentVersion": new_version(),
    }
    lifecycle_of(request).create(store.add("connector", arn, connector))
    return answer(connector, "connectorArn", "connectorName", "connectorState")


async def list_connectors(request: Request) -> JSONResponse:
    prefix = request.query_params.get("connectorNamePrefix", "")
    found = [c for c in store_of(request).all("connector") if c["connectorName"].startswith(prefix)]
    return page(request, "connectors", [without(connector, NOT_LISTED) for connector in found])


async def describe_connector(request: Request) -> JSONResponse:
    return JSONResponse(without(connector_of(request), NEVER_ANSWERED))


async def update_connector(request: Request) -> JSONResponse:
    connector = connector_of(request)
    wanted = await body_of(request)
    kind = updates.check(wanted, connector, request.query_params.get("currentVersion"))
    store = store_of(request)
    for plugin in wanted.get("plugins") or ():
        resources.check_plugin(store, plugin["customPlugin"])
    if configuration := wanted.get("workerConfiguration"):
        store.get(resources.WORKER_CONFIGURATION, configuration["workerConfigurationArn"])
    operation = lifecycle_of(request).update(connector, kind, wanted)
    return JSONResponse(
        {
            "connectorArn": connector["connectorArn"],
            "connectorState": connector["connectorState"],
            "connectorOperationArn": operation["connectorOperationArn"],
        }
    )


async def restart_connector(request: Request) -> JSONResponse:
    connector = connector_of(request)
    translation.check_state(connector, frozenset({"RUNNING"}))
    only_failed = request.query_params.get("onlyFailedTasks", "false").lower() == "true"
    return operation_answer(lifecycle_of(request).restart(connector, only_failed=only_failed))


async def pause_connector(request: Request) -> JSONResponse:
    connector = connector_of(request)
    translation.check_idle(connector)
    translation.check_state(connector, frozenset({"RUNNING"}))
    return operation_answer(lifecycle_of(request).pause(connector))


async def resume_connector(request: Request) -> JSONResponse:
    connector = connector_of(request)
    translation.check_idle(connector)
    translation.check_state(connector, frozenset({"PAUSED"}))
    return operation_answer(lifecycle_of(request).resume(connector))


def operation_answer(operation: Resource) -> JSONResponse:
    return answer(operation, "connectorArn", "connectorOperationArn")


async def delete_connector(request: Request) -> JSONResponse:
    connector = connector_of(request)
    if (version := request.query_params.get("currentVersion")) is not None:
        translation.check_version(connector, version)
    translation.check_state(connector, frozenset({"RUNNING", "FAILED", "PAUSED"}))
    lifecycle_of(request).delete(connector)
    return answer(connector, "connectorArn", "connectorState")


async def list_operations(request: Request) -> JSONResponse:
    connector = connector_of(request)
    mine = [
        {name: operation[name] for name in OPERATION_SUMMARY if name in operation}
        for operation in reversed(store_of(request).all("connector-operation"))
        if operation["connectorArn"] == connector["connectorArn"]
    ]
    return page(request, "connectorOperations", mine)


async def describe_operation(request: Request) -> JSONResponse:
    return JSONResponse(store_of(request).get("connector-operation", request.path_params["arn"]))


def connector_of(request: Request) -> Resource:
    arn: str = request.path_params["arn"]
    if ":connector/" not in arn:
        raise BadRequestError(f"Invalid parameter connectorArn: {arn[:200]}")
    return store_of(request).get("connector", arn)


def lifecycle_of(request: Request) -> Lifecycle:
    found: Lifecycle = request.app.state.lifecycle
    return found


def without(resource: Resource, hidden: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in hidden}


def answer(resource: Resource, *names: str) -> JSONResponse:
    return JSONResponse({name: resource[name] for name in names})


async def refuse(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ServiceError):
        raise error
    return JSONResponse({"message": error.message}, error.status, headers={"x-amzn-errortype": error.type})
