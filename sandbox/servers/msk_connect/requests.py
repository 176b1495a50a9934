"""What every route does with a request: read its body, reach the store, cut an answer into pages."""

import base64
import binascii
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from sandbox.servers.msk_connect.errors import BadRequestError
from sandbox.servers.msk_connect.store import Store

MAX_PAGE = 100  # the service's limit of maxResults, and its default


def store_of(request: Request) -> Store:
    found: Store = request.app.state.store
    return found


async def body_of(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise BadRequestError(f"The request is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequestError("The request is not a JSON object.")
    return body


def page(request: Request, field: str, items: list[Any]) -> JSONResponse:
    """Answer one page of ``items``; the token is the place where the next one begins."""
    size = request.query_params.get("maxResults", str(MAX_PAGE))
    if not size.isdecimal() or not 1 <= int(size) <= MAX_PAGE:
        raise BadRequestError(f"Invalid parameter maxResults: {size[:20]}, expected 1 to {MAX_PAGE}.")
    start = start_of(request.query_params.get("nextToken"))
    end = start + int(size)
    answer: dict[str, Any] = {field: items[start:end]}
    if end < len(items):
        answer["nextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return JSONResponse(answer)


def start_of(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError):
        raise BadRequestError("Invalid parameter nextToken.") from None
