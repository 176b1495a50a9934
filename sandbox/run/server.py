"""What a stand-in server is to the sandbox: a command, its environment, and how to know that it is ready."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from sandbox.run.settings import CALL_SECONDS


def nothing() -> None:
    """Do nothing: the default of the two hooks below."""


@dataclass(frozen=True)
class Server:
    """One supervised process.

    :param name: The name in ``sandbox up --only``, in the log file and in the pid file.
    :param command: Program and arguments. Secrets belong in ``environment``, never here (``ps`` shows them).
    :param is_ready: Polled until true; connection errors count as "not yet", so it may raise ``OSError``.
    :param environment: Added to a minimal environment (PATH, HOME, LANG, TMPDIR, JAVA_HOME and certificates). A
        callable is called at each start, after ``prepare``: for what only the servers in ``needs`` can tell.
    :param needs: Names of the servers that must be ready first.
    :param prepare: Runs before every start; idempotent (files, initdb).
    :param provision: Runs once ready, at every ``up``; idempotent (databases, topics, buckets, pools).
    :param ready_within_seconds: After this ``up`` fails and shows the end of the log. For what hangs, on a loaded
        machine too: a server that ends is found out before.
    :param user: Drop to this user when the sandbox is run by root.
    :param directory: The working directory; the project's own where none is given.
    :param stop_signal: What asks the program to end in good order, as supervisor names it.
    """

    name: str
    command: tuple[str, ...]
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] | Callable[[], Mapping[str, str]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] = nothing
    provision: Callable[[], None] = nothing
    ready_within_seconds: float = 600
    user: str | None = None
    directory: Path | None = None
    stop_signal: str = "TERM"


def http_get(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """Return status and body of one of the sandbox's own servers; ``OSError`` where none answers.

    For polls: ``httpx.get`` reads the machine's certificates at each call, 65 ms of CPU instead of 7, and a dozen
    servers that are polled while they start had a core busy with it.
    """
    try:
        with urlopen(Request(url, headers=headers or {}), timeout=CALL_SECONDS) as response:  # noqa: S310 - our own loopback address
            return response.status, response.read()
    except HTTPError as error:
        return error.code, error.read()
    except HTTPException as error:
        raise ConnectionError(f"{url}: {error!r}") from error
