"""No answer says that something was done before it would survive ``kill -9``, and none on a disk that is nearly full.

ministack (read in its source, 1.5.33) writes buckets' settings, secrets and APIs when it is stopped in good order, so
that a killed one came back without them; and where it cannot write an object it logs a warning and answers 200.
"""

import logging
import os
import re
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.run.access.signatures import refusal
from sandbox.run.disk import shortage

READS = re.compile(r"(Get|List|Describe|BatchGet|Validate)")  # operations of a service whose every call is a POST
SIGNED_SERVICE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
MONITORING = "monitoring"  # its metrics are sent again every few seconds, and kept when it is stopped in good order
LOST = re.compile(r"Failed to (delete )?persist|Persistence: (failed to save|error getting)")
LOSING_LOGGERS = ("s3", "persistence")  # ministack's
failures: ContextVar[list[str] | None] = ContextVar("failures", default=None)


class Failures(logging.Handler):
    """Notes with the request that is being answered what ministack could not write, which it only logs."""

    def emit(self, record: logging.LogRecord) -> None:
        noted = failures.get()
        if noted is not None and LOST.match(text := record.getMessage()):
            noted.append(text)


class Durable:
    """ASGI middleware: writes what a change has changed before it is answered; 503 where the disk is nearly full.

    Where a write fails all the same, the process ends without an answer: what it holds is not what the disk holds,
    and the next one starts with what the disk holds.

    :param save: Writes everything but objects, which are written one by one.
    :param end: Ends the process.
    """

    def __init__(
        self,
        app: ASGIApp,
        folder: Path,
        save: Callable[[], None],
        min_free: int,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._app = app
        self._folder = folder
        self._save = save
        self._min_free = min_free
        self._end = end
        for name in LOSING_LOGGERS:
            logging.getLogger(name).addHandler(Failures())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not changes(scope):
            await self._app(scope, receive, send)
            return
        needed = int(Headers(scope=scope).get("content-length") or 0)
        if not deletes(scope) and (full := shortage(self._folder, needed, self._min_free)):
            await refusal(scope, 503, "ServiceUnavailable", full)(scope, receive, send)
            return
        failures.set(noted := [])

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] < 400 and not is_of_an_object(scope):
                    self._save()
                if noted:
                    logging.getLogger("durable").critical("Not kept, so not acknowledged: %s", "; ".join(noted))
                    self._end(1)
            await send(message)

        await self._app(scope, receive, answer)


def service_of(scope: Scope) -> str:
    """Return the service that a request is signed for."""
    query = parse_qs(scope["query_string"].decode())
    credential = f"Credential={query.get('X-Amz-Credential', [''])[0]}"
    found = SIGNED_SERVICE.search(Headers(scope=scope).get("authorization", "")) or SIGNED_SERVICE.search(credential)
    return found[1] if found else ""


def changes(scope: Scope) -> bool:
    operation = Headers(scope=scope).get("x-amz-target", "").rpartition(".")[2]
    return (
        scope["method"] not in {"GET", "HEAD", "OPTIONS"}
        and not READS.match(operation)
        and service_of(scope) not in {"", MONITORING}
    )


def deletes(scope: Scope) -> bool:
    return scope["method"] == "DELETE" or scope["query_string"].split(b"=")[0] == b"delete"


def is_of_an_object(scope: Scope) -> bool:
    """Whether it changes objects of S3: the path has a key behind the bucket's name, or the query says ``delete``."""
    return service_of(scope) == "s3" and ("/" in scope["path"].strip("/") or scope["method"] == "POST")
