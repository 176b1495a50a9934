"""Dead letters of one task try, stored in the lake as JSON lines, a bounded number in memory.

The last try's dead letters are those of the task: when it ends well, those of earlier tries are moved away, since it
has delivered their rows or has dead letters of them of its own.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, Self

from pinterest_pipeline.common.records import DeadLetter

MAX_BUFFERED_RECORDS = 1000
MAX_BUFFERED_CHARACTERS = 8 * 1024 * 1024


class JsonLinesStore(Protocol):
    """Where dead letters go: :class:`pinterest_pipeline.lake.hook.LakeHook`, or a fake."""

    bucket: str

    def write_json_lines(self, key: str, rows: Sequence[Mapping[str, Any]]) -> str: ...

    def read_json_lines(self, key: str) -> list[dict[str, Any]]: ...

    def names(self, prefix: str) -> list[str]: ...

    def move(self, key: str, new_key: str) -> None: ...


def task_name(ti: Any) -> str:
    """Return the name of a task instance, the same in all its tries."""
    mapped = f".{ti.map_index}" if ti.map_index >= 0 else ""
    return f"{ti.dag_id}.{ti.run_id}.{ti.task_id}{mapped}"


def safe_name(text: str) -> str:
    """Return text as part of an object's name: a character that S3 or a shell may treat specially becomes ``_``."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)


class DeadLetterBox:
    """Collects dead letters and writes them to ``<prefix>/<topic>/dt=<day>/<task>.try<n>-<number>.json``.

    :param task: Names the task instance; the same try of it writes the same names again.
    """

    def __init__(self, store: JsonLinesStore, *, prefix: str, topic: str, day: str, task: str, try_number: int) -> None:
        self.count = 0
        self.first_reason = ""
        self._store = store
        self._topic = topic
        self._task = task
        self._run = f"{task}.try{try_number}"
        self._prefix = prefix.strip("/")
        self._subfolder = f"{topic}/dt={day}"
        self._all_tries = f"{self._prefix}/{self._subfolder}/{safe_name(task)}.try"
        self._buffer: list[Mapping[str, Any]] = []
        self._characters = 0
        self._objects = 0

    @classmethod
    def of_task(
        cls, store: JsonLinesStore, context: Mapping[str, Any], *, prefix: str, topic: str, started_at: datetime
    ) -> Self:
        """Return the box of a task's try, under the day of its run, or the day it started where that has none."""
        ti = context["ti"]
        run_after = getattr(context.get("dag_run"), "run_after", None) or started_at  # of a run without a logical date
        return cls(
            store,
            prefix=prefix,
            topic=topic,
            day=context.get("ds") or run_after.date().isoformat(),
            task=task_name(ti),
            try_number=ti.try_number,
        )

    @property
    def uri(self) -> str | None:
        """Prefix of all objects written, None where there are none."""
        if not self._objects:
            return None
        return f"s3://{self._store.bucket}/{self._object_prefix}"

    @property
    def _object_prefix(self) -> str:
        return f"{self._prefix}/{self._subfolder}/{safe_name(self._run)}-"

    def add(self, dead_letter: DeadLetter) -> None:
        """Buffer a dead letter; write an object when the buffer is full."""
        self.count += 1
        self.first_reason = self.first_reason or dead_letter.reason
        self._put(dead_letter)

    def _put(self, dead_letter: DeadLetter, **more: Any) -> None:
        self._buffer.append(
            {
                "topic": self._topic,
                "key": dead_letter.key,
                "value": dead_letter.payload,
                "reason": dead_letter.reason,
                "error_code": dead_letter.error_code,
                "run": self._run,
                **more,
            }
        )
        self._characters += len(dead_letter.payload)
        if len(self._buffer) >= MAX_BUFFERED_RECORDS or self._characters >= MAX_BUFFERED_CHARACTERS:
            self._write()

    def flush(self) -> None:
        """Write what is still in memory."""
        self._write()

    def _write(self) -> None:
        if not self._buffer:
            return
        self._store.write_json_lines(f"{self._object_prefix}{self._objects}.json", self._buffer)
        self._objects += 1
        self._buffer = []
        self._characters = 0

    def supersede_earlier(self) -> int:
        """Move the objects of earlier tries to ``<prefix>-superseded/…``; return how many. Call it when all is sent.

        Costs one LIST, and a COPY and a DELETE an object.
        """
        own = {f"{self._object_prefix}{number}.json" for number in range(self._objects)}
        earlier = [name for name in self._store.names(self._all_tries) if name not in own]
        for name in earlier:
            self._store.move(name, f"{self._prefix}-superseded{name.removeprefix(self._prefix)}")
        return len(earlier)
