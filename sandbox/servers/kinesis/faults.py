"""A proxy before Kinesis that fails on request: ``python -m sandbox.servers.kinesis.faults --upstream URL --port 0``.

It prints its own URL and forwards every call, but for those that a rule says something else about. ``POST /_faults``
takes a JSON list of rules in place of the earlier ones, ``GET /_faults`` says which are left and what fired,
``DELETE /_faults`` forgets both. A rule is an object with

- ``kind``: ``fail_records`` | ``throttle`` | ``error`` | ``expired_iterator`` | ``delay`` | ``cut``
- ``operation``: such as ``GetRecords``; any where it is left out (``fail_records`` knows PutRecords only)
- ``times``: how many calls it applies to, 1 where it is left out; null is for ever
- ``code``: of ``fail_records`` and ``throttle``; ``ProvisionedThroughputExceededException`` where it is left out
- ``indexes``, ``every`` (n: the n-th, the 2n-th …) or ``partition_keys``: which records fail; they are not forwarded
- ``seconds``: how long ``delay`` waits before it forwards
- ``when``: ``before`` (default) or ``after`` Kinesis has done what was requested; after makes the outcome ambiguous

The first rule that fits a call applies, alone. A call of an upstream that is gone is cut too.
"""

import argparse
import asyncio
import os
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from sandbox.run.access.signatures import RequireSignature
from sandbox.servers.fault_proxy import Cut, Faults, Rule, forwarded, serve

CONTENT_TYPE = "application/x-amz-json-1.1"
UPSTREAM_SECONDS = 60
FORWARDED = {"content-type", "x-amz-target"}  # the rest is of the connection, or signed again for the changed body
MESSAGES = {
    "ProvisionedThroughputExceededException": "Rate exceeded for shard shardId-000000000000 in stream.",
    "LimitExceededException": "Rate exceeded.",
    "InternalFailure": "Internal Service Failure.",
    "ExpiredIteratorException": "Iterator expired: it was created more than 5 minutes ago.",
}


@dataclass(kw_only=True)
class KinesisRule(Rule):
    """What to do with the next calls of an operation; see the module for the fields."""

    KINDS = ("fail_records", "throttle", "error", "expired_iterator", "delay", "cut")

    operation: str = "*"
    code: str = "ProvisionedThroughputExceededException"
    indexes: tuple[int, ...] = ()
    every: int = 0
    partition_keys: tuple[str, ...] = ()

    def check(self) -> None:
        if self.kind == "fail_records":
            self.operation = "PutRecords"
            if not (self.indexes or self.every > 0 or self.partition_keys):
                raise ValueError("fail_records needs indexes, every or partition_keys.")

    def fails(self, index: int, record: dict[str, Any]) -> bool:
        return (
            index in self.indexes
            or (self.every > 0 and index % self.every == self.every - 1)
            or record["PartitionKey"] in self.partition_keys
        )

    def fits(self, operation: str, body: bytes) -> bool:
        if self.operation not in {"*", operation}:
            return False
        if self.kind != "fail_records":
            return True
        return any(self.fails(index, record) for index, record in enumerate(orjson.loads(body)["Records"]))


class Proxy:
    def __init__(self, upstream: str) -> None:
        self.faults = Faults(KinesisRule)
        self.upstream = upstream.rstrip("/")
        self.client = httpx.AsyncClient(timeout=UPSTREAM_SECONDS)
        self.signer = SigV4Auth(Credentials(*keys()), "kinesis", os.environ["AWS_REGION"])

    async def call(self, request: Request) -> Response:
        body = await request.body()
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        rule = self.faults.next(lambda rule: rule.fits(operation, body), operation=operation)
        try:
            return await self.forward(request, body) if rule is None else await self.fail(rule, request, body)
        except httpx.TransportError:
            return Cut()

    async def fail(self, rule: KinesisRule, request: Request, body: bytes) -> Response:
        match rule.kind:
            case "throttle":
                return refusal(400, rule.code)
            case "error":
                return refusal(500, "InternalFailure")
            case "expired_iterator":
                return refusal(400, "ExpiredIteratorException")
            case "delay":
                await asyncio.sleep(rule.seconds)
                return await self.forward(request, body)
            case "cut":
                if rule.when == "after":
                    await self.forward(request, body)
                return Cut()
            case _:
                return await self.fail_records(rule, request, orjson.loads(body))

    async def fail_records(self, rule: KinesisRule, request: Request, request_body: dict[str, Any]) -> Response:
        """Forward the records that the rule spares, and put their results where they were requested."""
        records = request_body["Records"]
        spared = [record for index, record in enumerate(records) if not rule.fails(index, record)]
        answered: dict[str, Any] = {"FailedRecordCount": 0, "Records": []}
        if spared:
            answer = await self.forward(request, orjson.dumps({**request_body, "Records": spared}))
            if answer.status_code != httpx.codes.OK:
                return answer
            answered = orjson.loads(answer.body)
        results = iter(answered["Records"])
        failure = {"ErrorCode": rule.code, "ErrorMessage": message_of(rule.code)}
        merged = [failure if rule.fails(index, record) else next(results) for index, record in enumerate(records)]
        failed = answered["FailedRecordCount"] + len(records) - len(spared)
        return reply(200, {**answered, "FailedRecordCount": failed, "Records": merged})

    async def forward(self, request: Request, body: bytes) -> Response:
        headers = {name: value for name, value in request.headers.items() if name in FORWARDED}
        signed = AWSRequest(request.method, f"{self.upstream}{request.url.path}", headers, body)
        self.signer.add_auth(signed)
        answer = await self.client.request(request.method, signed.url, content=body, headers=dict(signed.headers))
        return Response(answer.content, answer.status_code, forwarded(answer.headers))


def message_of(code: str) -> str:
    return MESSAGES.get(code, code)


def reply(status: int, content: dict[str, Any]) -> Response:
    return Response(orjson.dumps(content), status, media_type=CONTENT_TYPE)


def refusal(status: int, code: str) -> Response:
    return reply(status, {"__type": code, "message": message_of(code)})


def keys() -> tuple[str, str]:
    """Return the access key and the secret key that callers sign with, and that the forwarded call is signed with."""
    return os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]


def create_app(upstream: str) -> ASGIApp:
    proxy = Proxy(upstream)
    app = Starlette(routes=proxy.faults.routes(proxy.call, ["GET", "POST"]))
    return RequireSignature(app, *keys(), open_paths=("/_faults",))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.servers.kinesis.faults")
    parser.add_argument("--upstream", required=True, help="the URL of Kinesis")
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    options = parser.parse_args()
    serve(create_app(options.upstream), options.port)


if __name__ == "__main__":
    main()
