"""Per-notebook output in one process: what a thread prints goes to its notebook's log, secrets struck out."""

import io
import threading
from typing import TextIO

from sandbox.servers.databricks.dbutils import REDACTED


class Redactor:
    """Replaces the secret values that were added; an empty one is ignored."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def hide(self, value: str) -> None:
        if value:
            self._values.add(value)

    def __call__(self, text: str) -> str:
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, REDACTED)
        return text


class Output(io.TextIOBase):
    """A stand-in for ``sys.stdout``/``sys.stderr``.

    Text of a notebook's own thread goes to its log. Text of any other thread (a pool, a streaming callback) goes to
    the one notebook that runs, or to the driver's log where that is not clear.
    """

    def __init__(self, fallback: TextIO, logs: dict[int, TextIO], redact: Redactor) -> None:
        self._fallback = fallback
        self._logs = logs
        self._redact = redact

    def write(self, text: str) -> int:
        logs = dict(self._logs)
        target = logs.get(threading.get_ident())
        if target is None:
            target = next(iter(logs.values())) if len(logs) == 1 else self._fallback
        target.write(self._redact(text))
        target.flush()
        return len(text)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self._fallback.flush()

    def fileno(self) -> int:
        return self._fallback.fileno()
