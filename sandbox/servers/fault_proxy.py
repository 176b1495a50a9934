"""What the proxies that fail on request share: their rules, forwarding, cutting a connection, a port of their own."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, Self

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox.run.access.pages import RefusePages

NOT_FORWARDED = {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "accept-encoding"}
TRANSPORT = "sandbox.transport"


def forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that a proxy passes on."""
    return {name: value for name, value in headers.items() if name.lower() not in NOT_FORWARDED}


@dataclass(kw_only=True)
class Rule:
    """What to do with the next calls that it fits; a proxy adds its own fields and kinds.

    :param times: How many calls it applies to; None is for ever.
    :param when: Whether ``cut`` comes before or after the call was carried out.
    """

    KINDS: ClassVar[tuple[str, ...]]

    kind: str
    times: int | None = 1
    seconds: float = 0.0
    when: Literal["before", "after"] = "before"

    @classmethod
    def parse(cls, given: dict[str, Any]) -> Self:
        """Return the rule; ``ValueError`` names what is wrong with it."""
        if unknown := set(given) - {each.name for each in fields(cls)}:
            raise ValueError(f"A rule has no {', '.join(sorted(unknown))}.")
        if given.get("kind") not in cls.KINDS:
            raise ValueError(f"The kind of a rule is one of {', '.join(cls.KINDS)}, not {given.get('kind')!r}.")
        rule = cls(**given)
        if rule.when not in {"before", "after"}:
            raise ValueError(f"A rule acts before or after, not {rule.when!r}.")
        rule.check()
        return rule

    def check(self) -> None:
        """Raise ``ValueError`` where fields of the rule's own are missing."""


class Faults[OneRule: Rule]:
    """The rules that are in force, and what fired since they were set."""

    def __init__(self, rule: type[OneRule]) -> None:
        self._rule = rule
        self.rules: list[OneRule] = []
        self.fired: list[dict[str, str]] = []

    def next(self, fits: Callable[[OneRule], bool], **told: str) -> OneRule | None:
        """Return the first rule that fits, and count it with what is ``told`` of the call; None where none does."""
        rule = next((rule for rule in self.rules if rule.times != 0 and fits(rule)), None)
        if rule is not None:
            rule.times = None if rule.times is None else rule.times - 1
            self.fired.append({"kind": rule.kind, **told})
        return rule

    async def control(self, request: Request) -> Response:
        """Answer at ``/_faults``: POST takes rules in place of the earlier ones, GET tells, DELETE forgets all."""
        if request.method == "GET":
            return JSONResponse({"rules": [asdict(rule) for rule in self.rules], "fired": self.fired})
        try:
            given = await request.json() if request.method == "POST" else []
            self.rules, self.fired = [self._rule.parse(one) for one in given], []
        except (ValueError, TypeError) as error:
            return JSONResponse({"message": str(error)}, 400)
        return JSONResponse({"rules": len(self.rules)})

    def routes(self, call: Callable[[Request], Awaitable[Response]], methods: Sequence[str]) -> list[Route]:
        control = Route("/_faults", self.control, methods=["GET", "POST", "DELETE"])
        return [control, Route("/{path:path}", call, methods=list(methods))]


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
