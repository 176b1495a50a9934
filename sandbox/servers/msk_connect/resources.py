"""Custom plugins, worker configurations and tags: the parts of the API that only remember."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.servers.msk_connect.errors import BadRequestError, ConflictError
from sandbox.servers.msk_connect.requests import body_of, page, store_of
from sandbox.servers.msk_connect.store import Resource, Store, new_arn, now

PLUGIN = "custom-plugin"
WORKER_CONFIGURATION = "worker-configuration"


def check_plugin(store: Store, wanted: Mapping[str, Any]) -> None:
    """Refuse a connector whose plugin does not exist in that revision."""
    plugin = store.get(PLUGIN, wanted["customPluginArn"])
    revision = plugin["latestRevision"]["revision"]
    if wanted.get("revision") != revision:
        raise BadRequestError(
            f"Invalid parameter plugins: plugin {plugin['name']} has revision {revision}, not {wanted.get('revision')}."
        )


async def create_plugin(request: Request) -> JSONResponse:
    wanted = await body_of(request)
    revision = {"revision": 1} | {name: wanted[name] for name in ("contentType", "location") if name in wanted}
    plugin = add(request, PLUGIN, wanted, ("name", "contentType", "location"), revision)
    return JSONResponse(
        {
            "customPluginArn": plugin["customPluginArn"],
            "customPluginState": "CREATING",
            "name": plugin["name"],
            "revision": 1,
        }
    )


async def create_worker_configuration(request: Request) -> JSONResponse:
    wanted = await body_of(request)
    revision = {"revision": 1, "propertiesFileContent": wanted.get("propertiesFileContent")}
    made = add(request, WORKER_CONFIGURATION, wanted, ("name", "propertiesFileContent"), revision)
    return JSONResponse(summary(made))


def add(
    request: Request, kind: str, wanted: Mapping[str, Any], required: tuple[str, ...], revision: dict[str, Any]
) -> Resource:
    if missing := [name for name in required if not wanted.get(name)]:
        raise BadRequestError(f"Invalid request: missing {', '.join(missing)}.")
    store = store_of(request)
    if any(other["name"] == wanted["name"] for other in store.all(kind)):
        raise ConflictError("A resource with this name already exists.")
    arn, created = new_arn(kind, wanted["name"]), now()
    field = field_of(kind)
    resource = {
        f"{field}Arn": arn,
        f"{field}State": "ACTIVE",
        "name": wanted["name"],
        "description": wanted.get("description", ""),
        "creationTime": created,
        "latestRevision": {**revision, "creationTime": created},
        "tags": wanted.get("tags", {}),
    }
    return store.add(kind, arn, resource)


def field_of(kind: str) -> str:
    """Turn ``custom-plugin`` into ``customPlugin``."""
    first, *others = kind.split("-")
    return first + "".join(word.capitalize() for word in others)


def summary(resource: Resource) -> dict[str, Any]:
    """Leave out what only Describe shows."""
    revision = {k: v for k, v in resource["latestRevision"].items() if k != "propertiesFileContent"}
    return {**{k: v for k, v in resource.items() if k != "tags"}, "latestRevision": revision}


def routes_of(kind: str) -> list[Route]:
    """List, describe and delete resources of a kind."""
    field = field_of(kind)

    async def list_all(request: Request) -> JSONResponse:
        prefix = request.query_params.get("namePrefix", "")
        found = [resource for resource in store_of(request).all(kind) if resource["name"].startswith(prefix)]
        return page(request, f"{field}s", [summary(resource) for resource in found])

    async def describe(request: Request) -> JSONResponse:
        resource = store_of(request).get(kind, request.path_params["arn"])
        return JSONResponse({k: v for k, v in resource.items() if k != "tags"})

    async def delete(request: Request) -> JSONResponse:
        arn = request.path_params["arn"]
        resource = store_of(request).get(kind, arn)
        if kind == PLUGIN and (user := user_of(store_of(request), arn)):
            raise BadRequestError(f"Custom plugin {resource['name']} is in use by connector {user}.")
        store_of(request).remove(kind, arn)
        return JSONResponse({f"{field}Arn": arn, f"{field}State": "DELETING"})

    return [
        Route(f"/v1/{kind}s", list_all),
        Route(f"/v1/{kind}s/{{arn:path}}", describe),
        Route(f"/v1/{kind}s/{{arn:path}}", delete, methods=["DELETE"]),
    ]


def user_of(store: Store, plugin_arn: str) -> str | None:
    for connector in store.all("connector"):
        if any(plugin["customPlugin"]["customPluginArn"] == plugin_arn for plugin in connector["plugins"]):
            name: str = connector["connectorName"]
            return name
    return None


async def list_tags(request: Request) -> JSONResponse:
    return JSONResponse({"tags": store_of(request).tags(request.path_params["arn"])})


async def tag(request: Request) -> Response:
    wanted = (await body_of(request)).get("tags", {})
    store_of(request).tags(request.path_params["arn"]).update(wanted)
    store_of(request).save()
    return JSONResponse({})


async def untag(request: Request) -> Response:
    tags = store_of(request).tags(request.path_params["arn"])
    for key in request.query_params.getlist("tagKeys"):
        tags.pop(key, None)
    store_of(request).save()
    return JSONResponse({})


routes = [
    Route("/v1/custom-plugins", create_plugin, methods=["POST"]),
    Route("/v1/worker-configurations", create_worker_configuration, methods=["POST"]),
    *routes_of(PLUGIN),
    *routes_of(WORKER_CONFIGURATION),
    Route("/v1/tags/{arn:path}", list_tags),
    Route("/v1/tags/{arn:path}", tag, methods=["POST"]),
    Route("/v1/tags/{arn:path}", untag, methods=["DELETE"]),
]
