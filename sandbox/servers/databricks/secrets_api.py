"""``/api/2.0/secrets/…``: scopes and their secrets, in the private file that drivers read for ``dbutils.secrets``."""

import base64
import json
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request

from sandbox.run.settings import write_private
from sandbox.servers.databricks.errors import ApiError, invalid
from sandbox.servers.databricks.requests import arguments, services
from sandbox.servers.databricks.settings_check import refuse_unknown

Answer = dict[str, Any]
Scopes = dict[str, dict[str, str]]


def secrets_file(request: Request) -> Path:
    return services(request).config.secrets_file


def read(request: Request) -> Scopes:
    file = secrets_file(request)
    scopes: Scopes = json.loads(file.read_text()) if file.exists() else {}
    return scopes


def save(request: Request, scopes: Scopes) -> Answer:
    write_private(secrets_file(request), json.dumps(scopes))
    return {}


def text(given: Answer, name: str) -> str:
    if not given.get(name):
        raise invalid(f"Missing required field: {name}")
    return str(given[name])


def scope_of(scopes: Scopes, scope: str) -> dict[str, str]:
    if scope not in scopes:
        raise ApiError("RESOURCE_DOES_NOT_EXIST", f"Scope {scope} does not exist!")
    return scopes[scope]


async def create_scope(request: Request) -> Answer:
    given, scopes = await arguments(request), read(request)
    refuse_unknown(given, ("scope", "initial_manage_principal", "scope_backend_type"), "secrets/scopes/create")
    if (scope := text(given, "scope")) in scopes:
        raise ApiError("RESOURCE_ALREADY_EXISTS", f"Scope {scope} already exists!")
    return save(request, {**scopes, scope: {}})


async def delete_scope(request: Request) -> Answer:
    given, scopes = await arguments(request), read(request)
    scope_of(scopes, text(given, "scope"))
    return save(request, {name: values for name, values in scopes.items() if name != given["scope"]})


async def list_scopes(request: Request) -> Answer:
    return {"scopes": [{"name": name, "backend_type": "DATABRICKS"} for name in read(request)]}


async def put(request: Request) -> Answer:
    given, scopes = await arguments(request), read(request)
    refuse_unknown(given, ("scope", "key", "string_value"), "secrets/put")
    scope_of(scopes, text(given, "scope"))[text(given, "key")] = text(given, "string_value")
    return save(request, scopes)


async def delete(request: Request) -> Answer:
    given, scopes = await arguments(request), read(request)
    values, key = scope_of(scopes, text(given, "scope")), text(given, "key")
    if values.pop(key, None) is None:
        raise ApiError("RESOURCE_DOES_NOT_EXIST", f"Secret {key} does not exist in scope {given['scope']}!")
    return save(request, scopes)


async def list_secrets(request: Request) -> Answer:
    given = await arguments(request)
    values, now = scope_of(read(request), text(given, "scope")), int(time.time() * 1000)
    return {"secrets": [{"key": key, "last_updated_timestamp": now} for key in values]}


async def get(request: Request) -> Answer:
    given = await arguments(request)
    values, key = scope_of(read(request), text(given, "scope")), text(given, "key")
    if key not in values:
        raise ApiError("RESOURCE_DOES_NOT_EXIST", f"Secret {key} does not exist in scope {given['scope']}!")
    return {"key": key, "value": base64.b64encode(values[key].encode()).decode()}


ROUTES = {
    ("POST", "secrets/scopes/create"): create_scope,
    ("POST", "secrets/scopes/delete"): delete_scope,
    ("GET", "secrets/scopes/list"): list_scopes,
    ("POST", "secrets/put"): put,
    ("POST", "secrets/delete"): delete,
    ("GET", "secrets/list"): list_secrets,
    ("GET", "secrets/get"): get,
}
