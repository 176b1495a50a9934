"""The REST API of the Kafka Connect worker, as far as the service needs it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

REBALANCING = HTTPStatus.CONFLICT
TIMED_OUT = "timed out"  # in the message of the 500 that a worker sends while it has no leader yet
CALL_SECONDS = 30


class WorkerBusyError(Exception):
    """The worker cannot answer now: it is down, or its group rebalances."""


class ConfigurationRefusedError(Exception):
    """The worker will never take this configuration; the message is its own."""


class Worker:
    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=CALL_SECONDS)

    async def close(self) -> None:
        await self._http.aclose()

    async def put_configuration(self, name: str, configuration: Mapping[str, str]) -> None:
        """Create the connector or change it."""
        await self._call("PUT", f"{path(name)}/config", json=configuration)

    async def has(self, name: str) -> bool:
        return await self._call("GET", path(name)) is not None

    async def status(self, name: str) -> Mapping[str, Any] | None:
        """Return the states of connector and tasks, or None where the worker knows nothing of it (yet)."""
        status: Mapping[str, Any] | None = await self._call("GET", f"{path(name)}/status")
        return status

    async def restart(self, name: str, *, only_failed: bool) -> None:
        flags = {"includeTasks": "true", "onlyFailed": str(only_failed).lower()}
        await self._call("POST", f"{path(name)}/restart", params=flags)

    async def pause(self, name: str) -> None:
        await self._call("PUT", f"{path(name)}/pause")

    async def resume(self, name: str) -> None:
        await self._call("PUT", f"{path(name)}/resume")

    async def delete(self, name: str) -> None:
        await self._call("DELETE", path(name))

    async def _call(self, method: str, path: str, **arguments: Any) -> Any:
        """Return the answer's JSON, or None for 404 and for answers without a body."""
        try:
            response = await self._http.request(method, path, **arguments)
        except httpx.TransportError as error:
            raise WorkerBusyError(f"{method} {path}: {error!r}") from error
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        if response.is_success:
            return response.json() if response.content else None
        message = message_of(response)
        if response.status_code == REBALANCING or TIMED_OUT in message.lower():
            raise WorkerBusyError(f"{method} {path}: {message}")
        raise ConfigurationRefusedError(message)


def path(name: str) -> str:
    return f"/connectors/{quote(name, safe='')}"


def message_of(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text[:1000]
