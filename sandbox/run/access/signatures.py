"""Check AWS Signature Version 4, recomputed by botocore, since the stand-ins take any signature or none."""

import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore.auth import SIGV4_TIMESTAMP, UNSIGNED_PAYLOAD, S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW = timedelta(minutes=15)  # the services' own
CONTENT_HASH = "x-amz-content-sha256"
MAX_BUFFERED_BYTES = 32 * 1024 * 1024  # of a body that is hashed here; S3's clients send the hash as a header


class SignatureError(Exception):
    """A request that the service would refuse; ``code`` is the service's own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RequireSignature:
    """ASGI middleware: 403 in the service's shape for what is not signed with the sandbox's keys.

    :param open_paths: How the paths begin that need no signature: they have a credential of their own, or tell nothing.
    """

    def __init__(self, app: ASGIApp, access_key: str, secret_key: str, open_paths: tuple[str, ...] = ()) -> None:
        self._app = app
        self._credentials = Credentials(access_key, secret_key)
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._open_paths):
            await self._app(scope, receive, send)
            return
        body = None if CONTENT_HASH in Headers(scope=scope) else await body_of(receive)
        try:
            check(scope, body or b"", self._credentials)
        except SignatureError as error:
            await refusal(scope, 403, error.code, str(error))(scope, receive, send)
            return
        await self._app(scope, receive if body is None else replay(body, receive), send)


def check(scope: Scope, body: bytes, credentials: Credentials) -> None:
    """Raise :class:`SignatureError` unless the request is signed, recently, with these credentials."""
    headers = Headers(scope=scope)
    query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode(), True).items()}
    presigned = query.get("X-Amz-Algorithm") == ALGORITHM
    given = fields_of_query(query) if presigned else fields_of_header(headers.get("authorization", ""))
    timestamp = query.get("X-Amz-Date", "") if presigned else headers.get("x-amz-date", "")
    access_key, _, region, service, _ = scope_of(given)
    if access_key != credentials.access_key:
        raise SignatureError("InvalidClientTokenId", "The security token included in the request is invalid.")
    lifetime = timedelta(seconds=int(query.get("X-Amz-Expires", "0"))) if presigned else MAX_SKEW
    check_time(timestamp, lifetime)
    if "host" not in given["SignedHeaders"].split(";"):
        raise SignatureError("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the Authorization.")
    request = signed_request(scope, given["SignedHeaders"].split(";"), body)
    request.context["timestamp"] = timestamp
    if presigned:
        request.headers[CONTENT_HASH] = UNSIGNED_PAYLOAD
    signer_class = S3Signer if service == "s3" else Signer
    signer = signer_class(credentials, service, region, given["SignedHeaders"].split(";"))
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if not hmac.compare_digest(expected, given["Signature"]):
        raise SignatureError(
            "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."
        )


def fields_of_header(authorization: str) -> dict[str, str]:
    algorithm, _, rest = authorization.partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if algorithm != ALGORITHM or not {"Credential", "SignedHeaders", "Signature"} <= fields.keys():
        raise SignatureError("MissingAuthenticationToken", "Request is missing Authentication Token")
    return fields


def fields_of_query(query: dict[str, str]) -> dict[str, str]:
    names = ("Credential", "SignedHeaders", "Signature")
    if missing := [name for name in names if f"X-Amz-{name}" not in query]:
        raise SignatureError("AuthorizationQueryParametersError", f"X-Amz-{missing[0]} is missing.")
    return {name: query[f"X-Amz-{name}"] for name in names}


def scope_of(fields: dict[str, str]) -> list[str]:
    """Return access key, date, region, service and ``aws4_request``."""
    parts = fields["Credential"].split("/")
    if len(parts) != 5 or parts[-1] != "aws4_request":
        raise SignatureError("IncompleteSignature", f"Credential must have 5 parts, not {len(parts)}.")
    return parts


def check_time(timestamp: str, lifetime: timedelta) -> None:
    try:
        signed_at = datetime.strptime(timestamp, SIGV4_TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        raise SignatureError("IncompleteSignature", f"X-Amz-Date is {timestamp!r}.") from None
    age = datetime.now(UTC) - signed_at
    if not -MAX_SKEW <= age <= lifetime:
        raise SignatureError("RequestExpired", f"The request was signed {age} ago.")


def signed_request(scope: Scope, signed_headers: list[str], body: bytes) -> AWSRequest:
    """Return the request as botocore signs it: the raw path and query, and no signature."""
    pairs = [pair for pair in scope["query_string"].decode().split("&") if not pair.startswith("X-Amz-Signature=")]
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0]
    headers = Headers(scope=scope)
    request = AWSRequest(scope["method"], f"http://{headers['host']}{path}?{'&'.join(pairs)}", data=body)
    for name in {*signed_headers, CONTENT_HASH} & set(headers.keys()):
        request.headers[name] = ",".join(headers.getlist(name))
    return request


class Signer(SigV4Auth):
    """Signs the headers that the client has signed, rather than those that botocore would choose."""

    def __init__(self, credentials: Credentials, service: str, region: str, signed_headers: list[str]) -> None:
        super().__init__(credentials, service, region)
        self._signed_headers = signed_headers

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        chosen = HTTPHeaders()
        for name in self._signed_headers:
            chosen[name] = request.headers.get(name, "")
        return chosen


class S3Signer(Signer, S3SigV4Auth):
    """S3's: its paths are not normalised."""

    _normalize_url_path = S3SigV4Auth._normalize_url_path


def refusal(scope: Scope, status: int, code: str, text: str) -> Response:
    """Return an error as S3 and the query services (XML) or the others (JSON) have it."""
    headers = Headers(scope=scope)
    if "/s3/" in headers.get("authorization", "/s3/"):
        body = f"<Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>"
    elif headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{escape(text)}</Message></Error></ErrorResponse>"
    else:
        return JSONResponse({"__type": code, "message": text}, status, {"x-amzn-errortype": code})
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{body}', status, media_type="application/xml")


async def body_of(receive: Receive) -> bytes:
    parts = bytearray()
    while True:
        message = await receive()
        parts += message.get("body", b"")
        if len(parts) > MAX_BUFFERED_BYTES or not message.get("more_body", False):
            return bytes(parts)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives the body first and afterwards what the server tells."""
    pending = [body]

    async def receive_again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return receive_again
