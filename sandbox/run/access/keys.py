"""Ask for the gateway's key: the Kafka REST proxy must not be reached around the gateway, with any API key or none."""

import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HEADER = "x-gateway-key"


class RequireKey:
    """ASGI middleware: 401 without the key that only the gateway adds to a request."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = Headers(scope=scope).get(HEADER, "").encode()
            if not hmac.compare_digest(given, self._key):
                message = "Only the gateway may call the Kafka REST proxy."
                await JSONResponse({"error_code": 40101, "message": message}, 401)(scope, receive, send)
                return
        await self._app(scope, receive, send)
