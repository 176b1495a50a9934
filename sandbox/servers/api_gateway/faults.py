"""A proxy before API Gateway that fails on request: ``python -m sandbox.servers.api_gateway.faults --upstream URL``.

It prints its own URL, which takes the place of the upstream's scheme, host and port, and forwards every request, but
for those that a rule says something else about. ``POST /_faults`` takes a JSON list of rules in place of the earlier
ones, ``GET /_faults`` says which are left and what fired, ``DELETE /_faults`` forgets both. A rule is an object with

- ``kind``: ``answer`` | ``acl`` | ``delay`` | ``cut`` | ``drip``
- ``method``, ``path``, ``contains``: only for requests of this method, with this text in the path or in the body
- ``times``: how many requests it applies to, 1 where it is left out; null is for ever
- ``name``: of ``answer``: one of ``REFUSALS`` of ``gateway.py``, such as ``QUOTA_EXCEEDED`` or ``FIREWALL``;
  or ``status``, ``body`` (text, or JSON) and ``headers``
- ``seconds``: how long ``delay`` waits before it forwards; between two bytes of ``drip``
- ``when``: ``before`` (default) or ``after`` the request was carried out; after makes the outcome ambiguous

``acl`` answers a produce request as Confluent's proxy does whose Kafka user may not write: 403, with ``offsets``.
The first rule that fits a request applies, alone. A request of an upstream that is gone is cut, too.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sandbox.servers.api_gateway.gateway import METHODS, REFUSALS, raw_path, refuse
from sandbox.servers.fault_proxy import Cut, Faults, Rule, forwarded, serve

UPSTREAM_SECONDS = 90
KAFKA_JSON = "application/vnd.kafka.v2+json"


@dataclass(kw_only=True)
class GatewayRule(Rule):
    """What to do with the next requests of a kind; see the module for the fields."""

    KINDS = ("answer", "acl", "delay", "cut", "drip")

    method: str = ""
    path: str = ""
    contains: str = ""
    name: str = ""
    status: int = 0
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)

    def check(self) -> None:
        if self.kind == "answer" and not self.status and self.name not in REFUSALS:
            raise ValueError(f"answer needs a status, or a name: {', '.join(REFUSALS)}.")

    def fits(self, request: Request, body: bytes) -> bool:
        return self.method in {"", request.method} and self.path in request.url.path and self.contains.encode() in body


class Proxy:
    def __init__(self, upstream: str) -> None:
        self.faults = Faults(GatewayRule)
        self.client = httpx.AsyncClient(base_url=upstream, timeout=UPSTREAM_SECONDS)

    async def call(self, request: Request) -> Response:
        body = await request.body()
        told = {"method": request.method, "path": request.url.path}
        rule = self.faults.next(lambda rule: rule.fits(request, body), **told)
        try:
            return await self.forward(request, body) if rule is None else await self.fail(rule, request, body)
        except httpx.TransportError:
            return Cut()

    async def fail(self, rule: GatewayRule, request: Request, body: bytes) -> Response:
        if rule.when == "after":
            await self.forward(request, body)
        match rule.kind:
            case "delay":
                await asyncio.sleep(rule.seconds)
                return await self.forward(request, body)
            case "drip":
                answer = await self.forward(request, body)
                headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
                return StreamingResponse(drip(bytes(answer.body), rule.seconds), answer.status_code, headers)
            case "cut":
                return Cut()
            case "acl":
                return denied(request, body)
            case _:
                return canned(rule)

    async def forward(self, request: Request, body: bytes) -> Response:
        headers = forwarded(request.headers)
        answer = await self.client.request(request.method, raw_path(request), content=body, headers=headers)
        return Response(answer.content, answer.status_code, forwarded(answer.headers))


async def drip(content: bytes, seconds: float) -> AsyncIterator[bytes]:
    for byte in content:
        yield bytes([byte])
        await asyncio.sleep(seconds)


def canned(rule: GatewayRule) -> Response:
    if rule.name:
        return refuse(rule.name)
    content = rule.body.encode() if isinstance(rule.body, str) else orjson.dumps(rule.body)
    return Response(content, rule.status, rule.headers)


def denied(request: Request, body: bytes) -> Response:
    """Answer for each record that its topic may not be written."""
    topic = request.url.path.rpartition("/")[2]
    entry = {
        "partition": None,
        "offset": None,
        "error_code": 40301,
        "error": f"Not authorized to access topics: [{topic}]",
    }
    offsets = [entry for _ in orjson.loads(body)["records"]]
    answer = {"offsets": offsets, "key_schema_id": None, "value_schema_id": None}
    return Response(orjson.dumps(answer), 403, media_type=KAFKA_JSON)


def create_app(upstream: str) -> Starlette:
    proxy = Proxy(upstream)
    return Starlette(routes=proxy.faults.routes(proxy.call, METHODS))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.servers.api_gateway.faults")
    parser.add_argument("--upstream", required=True, help="scheme, host and port of the gateway")
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    options = parser.parse_args()
    serve(create_app(options.upstream), options.port)


if __name__ == "__main__":
    main()
