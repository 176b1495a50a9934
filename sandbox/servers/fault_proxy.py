"""What the proxies that fail on request share: forwarding, cutting a connection, listening on a port of their own."""

import asyncio
import socket
from collections.abc import Mapping

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox.run.access.pages import RefusePages

NOT_FORWARDED = {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "accept-encoding"}
TRANSPORT = "sandbox.transport"


def forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that a proxy passes on."""
    return {name: value for name, value in headers.items() if name.lower() not in NOT_FORWARDED}


class Cut(Response):
    """No answer: the connection ends, as when the network or the service goes away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        scope[TRANSPORT].abort()
        await asyncio.sleep(0)  # let uvicorn hear of it, or it would answer 500


class CuttableProtocol(HttpToolsProtocol):
    """Let the application reach its connection, which ASGI has no word for."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[TRANSPORT] = self.transport  # type: ignore[typeddict-unknown-key]


def serve(application: ASGIApp, port: int) -> None:
    """Listen on loopback, to no web page, on any free port where ``port`` is 0, and print the URL."""
    listener = socket.create_server(("127.0.0.1", port))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    configuration = uvicorn.Config(
        RefusePages(application), http=CuttableProtocol, access_log=False, log_level="warning"
    )
    uvicorn.Server(configuration).run(sockets=[listener])
