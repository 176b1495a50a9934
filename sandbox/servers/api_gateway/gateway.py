"""The data plane of API Gateway, for REST APIs with an HTTP integration; ministack decides who may pass.

A request is first refused or allowed by ministack, which holds the API, its keys and usage plans and gets the request
without its body: there the integration is a mock that answers 200. What is allowed goes on to the Kafka REST proxy,
and its answer comes back as it is. API Gateway's limits and its own answers are ``REFUSALS``, by the names of its
gateway response types; sources: the API Gateway developer guide (gateway response types, quotas), AWS re:Post ("HTTP
403", "429", "504 errors"), and answers that clients of the service have published.
"""

import asyncio
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import NamedTuple

import orjson
import urllib3
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse

from sandbox.run.access.keys import HEADER
from sandbox.servers.fault_proxy import forwarded

PREFIX = "/_aws/execute-api/"  # ministack's form of https://<api>.execute-api.<region>.amazonaws.com/
MAX_PAYLOAD_BYTES = 10 * 1024 * 1024  # "10 MB", not adjustable
INTEGRATION_SECONDS = 29  # the default and, without a request to AWS, the most
AUTHORIZATION_SECONDS = 30
MOST_IN_FLIGHT = 64  # threads, and connections to each server behind it
JSON = "application/json"
# Of the integration's answer API Gateway gives these other names.
REMAPPED = ("date", "server", "www-authenticate")
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]


class Refusal(NamedTuple):
    """An answer of API Gateway's own, or of what stands before it."""

    status: int
    error_type: str
    message: str
    field: str = "message"

    @property
    def body(self) -> bytes:
        return orjson.dumps({self.field: self.message}) if self.field else self.message.encode()

    @property
    def headers(self) -> dict[str, str]:
        media_type = JSON if self.field else "text/html" if self.message.startswith("<") else "text/plain"
        return {"content-type": media_type, **({"x-amzn-ErrorType": self.error_type} if self.error_type else {})}


SERVER_ERROR = "InternalServerErrorException"
ANONYMOUS = "User: anonymous is not authorized to perform: execute-api:Invoke on resource: "
FIREWALL = (
    "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n"
    "</body>\r\n</html>\r\n"
)
REFUSALS: Mapping[str, Refusal] = {
    "ACCESS_DENIED": Refusal(403, "AccessDeniedException", f"{ANONYMOUS}arn:aws:execute-api:…", field="Message"),
    "INVALID_API_KEY": Refusal(403, "ForbiddenException", "Forbidden"),
    "WAF_FILTERED": Refusal(403, "ForbiddenException", "Forbidden"),
    "MISSING_AUTHENTICATION_TOKEN": Refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    "REQUEST_TOO_LARGE": Refusal(413, "", f"HTTP content length exceeded {MAX_PAYLOAD_BYTES} bytes.", field=""),
    "THROTTLED": Refusal(429, "TooManyRequestsException", "Too Many Requests"),
    "QUOTA_EXCEEDED": Refusal(429, "LimitExceededException", "Limit Exceeded"),
    "DEFAULT_5XX": Refusal(500, SERVER_ERROR, "Internal server error"),
    "BAD_GATEWAY": Refusal(502, SERVER_ERROR, "Internal server error"),  # what the integration said is no HTTP
    "INTEGRATION_FAILURE": Refusal(504, SERVER_ERROR, "Network error communicating with endpoint"),
    "INTEGRATION_TIMEOUT": Refusal(504, SERVER_ERROR, "Endpoint request timed out"),
    "FIREWALL": Refusal(403, "", FIREWALL, field=""),  # an HTML page: a firewall or load balancer before it
}
# ministack sends these two without their error type.
WITHOUT_TYPE = {(refusal.status, refusal.body): refusal for refusal in REFUSALS.values() if refusal.error_type}


def refuse(name: str) -> Response:
    """Answer as API Gateway does."""
    refusal = REFUSALS[name]
    return Response(refusal.body, refusal.status, {**refusal.headers, **request_ids()})


def request_ids() -> dict[str, str]:
    return {"x-amzn-RequestId": str(uuid.uuid4()), "x-amz-apigw-id": uuid.uuid4().hex[:15] + "="}


class Upstream:
    """A server behind the gateway, with connections that are kept; urllib3 takes a third of httpx's time here."""

    def __init__(self, url: str, seconds: float) -> None:
        self._pool = urllib3.connection_from_url(url, maxsize=MOST_IN_FLIGHT, timeout=seconds, retries=False)
        self._threads = ThreadPoolExecutor(MOST_IN_FLIGHT)

    async def request(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> BaseHTTPResponse:
        call = partial(self._pool.request, decode_content=False, redirect=False)
        whole = partial(call, method, path, body=body or None, headers=headers)
        return await asyncio.get_running_loop().run_in_executor(self._threads, whole)


class Gateway:
    """One API's way from client to integration.

    :param authorizer: The URL of ministack.
    :param integration: The URL of the Kafka REST proxy.
    :param seconds: After which the integration is given up.
    :param key: Lets the gateway into the integration.
    """

    def __init__(self, authorizer: str, integration: str, seconds: float, key: str | None) -> None:
        self._key = {HEADER: key} if key else {}
        self._authorizer = Upstream(authorizer, AUTHORIZATION_SECONDS)
        self._integration = Upstream(integration, seconds + 1)
        self._seconds = seconds

    async def call(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > MAX_PAYLOAD_BYTES:
            return refuse("REQUEST_TOO_LARGE")
        if (refusal := await self._refusal(request)) is not None:
            return refusal
        try:
            async with asyncio.timeout(self._seconds):
                return await self._integrate(request, body)
        except (TimeoutError, HTTPError) as error:
            return refuse(name_of(error))

    async def _refusal(self, request: Request) -> Response | None:
        """Ask ministack whether the request may pass; return its answer where not."""
        try:
            answer = await self._authorizer.request(request.method, raw_path(request), forwarded(request.headers))
        except HTTPError:
            return refuse("DEFAULT_5XX")
        if answer.status == HTTPStatus.OK:
            return None
        known = WITHOUT_TYPE.get((answer.status, orjson.dumps(orjson.loads(answer.data))))
        error_type = answer.headers.get("x-amzn-ErrorType") or (known.error_type if known else "")
        headers = {"content-type": JSON, **({"x-amzn-ErrorType": error_type} if error_type else {})}
        return Response(answer.data, answer.status, {**headers, **request_ids()})

    async def _integrate(self, request: Request, body: bytes) -> Response:
        _, _, path = raw_path(request).removeprefix(PREFIX).split("/", 2)
        answer = await self._integration.request(
            request.method, f"/{path}", {**forwarded(request.headers), **self._key}, body
        )
        headers = {
            f"x-amzn-Remapped-{name.title()}" if name.lower() in REMAPPED else name: value
            for name, value in forwarded(answer.headers).items()
        }
        return Response(answer.data, answer.status, {**headers, **request_ids()})


def name_of(error: Exception) -> str:
    """Return the refusal that an integration without a whole answer amounts to."""
    if isinstance(error, TimeoutError | ReadTimeoutError):
        return "INTEGRATION_TIMEOUT"
    cause = error.args[-1] if error.args else None
    is_malformed = isinstance(error, DecodeError) or (
        isinstance(cause, HTTPException) and not isinstance(cause, RemoteDisconnected | IncompleteRead)
    )
    return "BAD_GATEWAY" if is_malformed else "INTEGRATION_FAILURE"


def raw_path(request: Request) -> str:
    """Return path and query as they were sent: a topic's name may have a quoted slash."""
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("ascii")


async def outside(_request: Request) -> Response:
    """Answer for what is no API's."""
    return refuse("MISSING_AUTHENTICATION_TOKEN")


def create_app(
    authorizer: str, integration: str, seconds: float = INTEGRATION_SECONDS, key: str | None = None
) -> Starlette:
    gateway = Gateway(authorizer, integration, seconds, key)
    return Starlette(
        routes=[
            Route(f"{PREFIX}{{api}}/{{stage}}/{{path:path}}", gateway.call, methods=METHODS),
            Route("/{path:path}", outside, methods=METHODS),
        ]
    )
