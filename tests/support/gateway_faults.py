"""The fault proxy before API Gateway, for tests of every environment: the standard library only."""

import json
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen


class GatewayFaults:
    """Yielded by fixture ``gateway_faults``: ``.url`` is a connection's host, ``.set(rule, …)`` makes it fail."""

    def __init__(self, origin: str, gateway_url: str) -> None:
        self.origin = origin
        self.url = origin + urlsplit(gateway_url).path

    def set(self, *rules: dict[str, Any]) -> None:
        self._call("POST", json.dumps(rules).encode())

    def clear(self) -> None:
        self._call("DELETE")

    def fired(self) -> list[str]:
        """Return the kinds that fired since the rules were set."""
        return [fault["kind"] for fault in self._call("GET")["fired"]]

    def _call(self, method: str, body: bytes | None = None) -> Any:
        request = Request(f"{self.origin}/_faults", data=body, method=method)  # noqa: S310 - our own loopback address
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)
