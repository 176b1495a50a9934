"""Ask for an API key: of the Kafka REST proxy, which must not be reached around the gateway."""

import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class RequireKey:
    """ASGI middleware: 401 without header ``x-api-key``, which the gateway passes on from its caller."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = Headers(scope=scope).get("x-api-key", "").encode()
            if not hmac.compare_digest(given, self._key):
                message = "Only the gateway may call the Kafka REST proxy: send x-api-key."
                await JSONResponse({"error_code": 40101, "message": message}, 401)(scope, receive, send)
                return
        await self._app(scope, receive, send)
