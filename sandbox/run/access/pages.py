"""Refuse what a web page sends: any page in the user's browser can reach a loopback port.

A browser tells where a request comes from by ``Origin`` and ``Sec-Fetch-Site``; a page that had its own name resolved
to 127.0.0.1 (DNS rebinding) still sends that name as ``Host``. No preflight is answered, so no page may send more than
a simple request, and that is refused by its Origin.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
OWN_SITES = frozenset({"same-origin", "none"})  # "none": the user typed the address


def refusal_of_page(method: str, headers: Headers) -> str | None:
    """Return why a request is not one of a local program or of the server's own page, or None where it may pass."""
    host = headers.get("host", "")
    if host_name(host) not in LOOPBACK_NAMES:
        return f"Host is {host!r}: this server answers on 127.0.0.1 and localhost only."
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return f"Origin is {origin!r}: this server answers no page of another origin."
    site = headers.get("sec-fetch-site", "none")
    if site not in OWN_SITES and not (method == "GET" and headers.get("sec-fetch-mode") == "navigate"):
        return f"Sec-Fetch-Site is {site!r}: this server answers no page of another site."
    if method == "OPTIONS":
        return "This server answers no CORS preflight."
    return None


def host_name(host: str) -> str:
    """Return the name in a Host header, without its port; an empty one where it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class RefusePages:
    """ASGI middleware: 403 for what ``refusal_of_page`` refuses; no WebSocket, which nothing in the sandbox speaks."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif refusal := refusal_of_page(scope["method"], Headers(scope=scope)):
            await PlainTextResponse(refusal, 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
