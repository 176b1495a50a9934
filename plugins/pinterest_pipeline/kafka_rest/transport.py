"""One HTTP request to a Kafka REST proxy: the session with a connection's settings, time-outs, and what went wrong.

requests bounds each read of a socket, so a server that sends a byte a second is never given up. Here the read
time-out is for the whole answer, headers and body. Connecting (TCP and TLS) and sending are bounded apart. One bound is
missing: the operating system's own, for resolving a name.
"""

import io
import re
import socket
import ssl
import time
from collections.abc import Buffer, Iterator
from http.client import HTTPResponse
from typing import Any, NamedTuple, override

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationValueError

from pinterest_pipeline.common.concurrency import MAX_IN_FLIGHT
from pinterest_pipeline.common.errors import PermanentError, PipelineError
from pinterest_pipeline.kafka_rest.connection import Endpoint
from pinterest_pipeline.kafka_rest.endpoint import METADATA, UnansweredError
from pinterest_pipeline.kafka_rest.refusals import Answer, refusal

JSON_RECORDS = "application/vnd.kafka.json.v2+json"
V2 = (METADATA, JSON_RECORDS)  # media types of answer and request
V3 = ("application/json", "application/json")
SUCCESS = frozenset({requests.codes.ok, requests.codes.created, requests.codes.no_content})
SEND_SECONDS = 30  # for a request's body; urllib3 would take the time-out for connecting


class BoundedReads(io.RawIOBase):
    """Reads from a socket until a deadline, however small the steps."""

    def __init__(self, raw: io.RawIOBase, connected: socket.socket) -> None:
        super().__init__()
        self._raw = raw
        self._socket = connected
        self._seconds = connected.gettimeout() or 0
        self._deadline = time.monotonic() + self._seconds

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._too_late()
        try:
            self._socket.settimeout(left)
            return self._raw.readinto(buffer)
        except TimeoutError:
            raise self._too_late() from None

    def _too_late(self) -> TimeoutError:
        return TimeoutError(f"the answer was not complete within {self._seconds:g} s")

    @override
    def close(self) -> None:
        self._raw.close()
        super().close()


class BoundedResponse(HTTPResponse):
    """An answer whose time-out began when its request was sent; the connection has just set it on the socket."""

    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp = io.BufferedReader(BoundedReads(self.fp.detach(), sock))


class BoundedConnection(HTTPConnection):
    response_class = BoundedResponse

    @override
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(SEND_SECONDS)


class BoundedTlsConnection(HTTPSConnection):
    response_class = BoundedResponse

    @override
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(SEND_SECONDS)


class BoundedPool(HTTPConnectionPool):
    ConnectionCls = BoundedConnection


class BoundedTlsPool(HTTPSConnectionPool):
    ConnectionCls = BoundedTlsConnection


POOLS = {"http": BoundedPool, "https": BoundedTlsPool}


class BoundedAdapter(HTTPAdapter):
    """Gives connections that bound a whole answer, also those through a forward proxy (but for SOCKS)."""

    @override
    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = POOLS

    @override
    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **named)
        if type(manager) is ProxyManager:
            manager.pool_classes_by_scheme = POOLS
        return manager


class HeadersOnly(AuthBase):
    """The endpoint's headers are the credentials: without any ``auth`` requests would take a login from ``.netrc``."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def open_session(endpoint: Endpoint, auth: AuthBase) -> requests.Session:
    """Return a session with an endpoint's settings; safe to use from several threads."""
    session = requests.Session()
    session.headers.update(endpoint.headers)
    session.auth = auth
    session.trust_env = endpoint.trust_env
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(pool_maxsize=MAX_IN_FLIGHT))
    return session


def request(
    session: requests.Session,
    endpoint: Endpoint,
    method: str,
    path: str,
    what: str,
    *,
    timeout: tuple[float, float],
    topic: str | None = None,
    body: bytes | None = None,
    media: tuple[str, str] = V2,
) -> bytes:
    """Make one HTTP request; return the body of a 200, 201 or 204, raise the error that anything else means.

    :param media: Media types of the answer and of the request.
    """
    headers = {"Accept": media[0], **({"Content-Type": media[1]} if body else {})}
    doing = f"{method} {endpoint.base_url}{path} ({what})"
    try:
        response = session.request(
            method,
            endpoint.base_url + path,
            data=body,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
            # for the request, since for a session the environment's would go before them
            verify=endpoint.verify,
            cert=endpoint.cert,
            proxies=dict(endpoint.proxies),
        )
    except (OSError, HTTPError) as error:  # OSError: every RequestException, and requests' own of files
        raise failure(error, doing, endpoint.conn_id) from error
    if response.status_code not in SUCCESS:
        answer = Answer(response.status_code, response.headers, response.content)
        has_records = body is not None and media == V2
        raise refusal(doing, answer, conn_id=endpoint.conn_id, topic=topic, has_records=has_records)
    return response.content


class Failure(NamedTuple):
    """A failure that lasts until a person changes something; ``says`` is a pattern of its words."""

    kind: type[BaseException]
    says: str
    remedy: str


CERTIFICATE = ssl.SSLCertVerificationError
FAILURES = (
    Failure(
        CERTIFICATE, "(?i)mismatch|not valid for", "its certificate is for another name: correct the host of {conn_id}"
    ),
    Failure(CERTIFICATE, "expired|not yet valid", "its certificate must be renewed (or this machine's clock set)"),
    Failure(CERTIFICATE, "", 'set {{"verify": "<file of its CA>"}} in the extra of {conn_id}, or REQUESTS_CA_BUNDLE'),
    Failure(ssl.SSLError, "WRONG_VERSION|HTTP_REQUEST|RECORD_LAYER", "no TLS is spoken there: is its scheme http?"),
    Failure(
        ssl.SSLError,
        "PEM|NO_CERTIFICATE|KEY_VALUES",
        "a file of verify or cert in the extra of {conn_id} is not usable",
    ),
    Failure(
        ssl.SSLError,
        "ALERT_(HANDSHAKE|CERT|BAD_CERT|UNKNOWN_CA)",
        "it refuses our certificate, or wants one: set cert in the extra of {conn_id}",
    ),
    Failure(
        socket.gaierror,
        rf"^(?!\[Errno {socket.EAI_AGAIN}\])",
        "there is no such name in DNS: correct the host of {conn_id}",
    ),
    Failure(OSError, "Tunnel connection failed: 4", "the forward proxy refuses: see proxies in the extra of {conn_id}"),
    Failure(
        OSError,
        "(TLS CA certificate|TLS certificate file|TLS key file)",
        "correct verify or cert in the extra of {conn_id}",
    ),
    Failure(requests.exceptions.InvalidProxyURL, "", "correct proxies in the extra of {conn_id}, or the environment's"),
    Failure(requests.exceptions.InvalidURL, "", "correct the host of {conn_id}"),
    Failure(LocationValueError, "", "correct the host of {conn_id}"),
    Failure(requests.exceptions.InvalidSchema, "", "correct the scheme in host or proxies of {conn_id}"),
)


def failure(error: Exception, doing: str, conn_id: str) -> PipelineError:
    """Return the error that a request without an answer amounts to, in the words of its root cause."""
    chain = list(causes(error))
    said = f"{doing}: {type(error).__name__}: {chain[-1]}"
    for row in FAILURES:
        if any(isinstance(cause, row.kind) and re.search(row.says, str(cause)) for cause in chain):
            return PermanentError(f"{said}: {row.remedy.format(conn_id=f'connection {conn_id}')}")
    was_sent = not isinstance(error, requests.ConnectTimeout)
    return UnansweredError(said, timed_out=was_sent and isinstance(chain[-1], TimeoutError))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from, the root cause last."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
