"""What earlier tries of a task that sends rows got acknowledged, so that the next try sends the rest only.

Runs of consecutive acknowledged records are stored in the lake, each with a digest of its keys and values: a row that
has changed at the source since then, and all rows around it in its run, are sent again.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from pinterest_pipeline.common.errors import PipelineError, TransientError
from pinterest_pipeline.common.offsets import OffsetRange, OffsetsOfPartitions
from pinterest_pipeline.common.records import DeadLetter, Record
from pinterest_pipeline.lake.dead_letters import safe_name, task_name

SECONDS_BETWEEN_SAVES = 10.0  # what a task that is killed outright loses
DIGEST_BYTES = 16
log = logging.getLogger(__name__)


class ProgressStore(Protocol):
    """What is needed of :class:`pinterest_pipeline.lake.hook.LakeHook`."""

    def write_json_lines(self, key: str, rows: Sequence[Mapping[str, Any]]) -> str: ...

    def read_json_lines(self, key: str) -> list[dict[str, Any]]: ...


class Nowhere:
    """A store for those who want none."""

    def write_json_lines(self, key: str, _rows: Sequence[Mapping[str, Any]]) -> str:
        return key

    def read_json_lines(self, _key: str) -> list[dict[str, Any]]:
        return []


class AcknowledgedRun(NamedTuple):
    """Consecutive records of the query, all acknowledged."""

    first_key: str
    rows: int
    digest: str

    @classmethod
    def of(cls, records: Sequence[Record]) -> "AcknowledgedRun":
        content = b"\0".join([field for record in records for field in record])
        return cls(records[0].key.decode(), len(records), blake2b(content, digest_size=DIGEST_BYTES).hexdigest())


class SendProgress:
    """The progress of one task instance over its tries; ``add`` may be called by several threads.

    Stored in ``<prefix>/<dag>.<run>.<task>.<number>.json``, one object for each save: a line with its topic, the first
    try's start and the offsets, and a line for each run of records.

    :param target: Names topic and cluster; what was sent elsewhere does not count.
    """

    def __init__(self, store: ProgressStore, *, prefix: str, target: str, name: str, started_at: datetime) -> None:
        self.started_at = started_at
        self.skipped_rows = 0
        self.earlier_offsets: tuple[OffsetRange, ...] = ()
        self._store = store
        self._key = f"{prefix.strip('/')}/{safe_name(name)}"
        self._target = target
        self._chain = uuid4().hex  # tells objects that an earlier success left from those of these tries
        self._runs: dict[str, list[AcknowledgedRun]] = {}
        self._lock = threading.Lock()
        self._unsaved: list[AcknowledgedRun] = []
        self._offsets = OffsetsOfPartitions()
        self._objects = 0
        self._saved_at = time.monotonic()

    @classmethod
    def of_task(
        cls, store: ProgressStore | None, ti: Any, *, prefix: str, target: str, started_at: datetime
    ) -> "SendProgress":
        """Return the progress of a task instance, with that of its earlier tries.

        :param store: None stores nothing.
        """
        progress = cls(store or Nowhere(), prefix=prefix, target=target, name=task_name(ti), started_at=started_at)
        if ti.try_number > 1:
            progress.load()
        return progress

    def load(self) -> None:
        """Read what earlier tries stored."""
        offsets = OffsetsOfPartitions()
        heads: list[Mapping[str, Any]] = []
        while lines := self._store.read_json_lines(self._object(self._objects)):
            head, *runs = lines
            if head["target"] != self._target or (heads and head["chain"] != heads[0]["chain"]):
                break
            heads.append(head)
            for run in runs:
                found = AcknowledgedRun(**run)
                self._runs.setdefault(found.first_key, []).append(found)
            offsets.add(OffsetRange(*part) for part in head["offsets"])
            self._objects += 1
        if heads:
            self._chain = heads[0]["chain"]
            self.started_at = datetime.fromisoformat(heads[0]["started_at"])
            self.earlier_offsets = tuple(offsets)
            rows = sum(run.rows for runs in self._runs.values() for run in runs)
            log.info("Earlier tries got %d rows acknowledged: those that are unchanged are not sent again", rows)

    def _object(self, number: int) -> str:
        return f"{self._key}.{number}.json"

    def unacknowledged(self, records: Iterable[Record | DeadLetter]) -> Iterator[Record | DeadLetter]:
        """Yield the records that no earlier try got acknowledged, in order; holds one run of records."""
        ahead: deque[Record] = deque()
        source = iter(records)
        while (record := ahead.popleft() if ahead else next(source, None)) is not None:
            if isinstance(record, DeadLetter):
                yield record
                continue
            for run in self._runs.get(record.key.decode(), ()):
                yield from read_ahead(source, ahead, run.rows - 1)
                if AcknowledgedRun.of([record, *islice(ahead, run.rows - 1)]) == run:
                    self.skipped_rows += run.rows
                    for _ in range(run.rows - 1):
                        ahead.popleft()
                    break
            else:
                yield record

    def add(self, records: Sequence[Record], acknowledged: Collection[int], offsets: Iterable[OffsetRange]) -> None:
        """Note which records of a batch were acknowledged, by their places; store that every few seconds."""
        runs = [AcknowledgedRun.of(run) for run in consecutive(records, acknowledged)]
        with self._lock:
            self._unsaved += runs
            self._offsets.add(offsets)
            if time.monotonic() - self._saved_at >= SECONDS_BETWEEN_SAVES:
                self._save()

    def save(self) -> None:
        """Store what is not stored yet."""
        with self._lock:
            self._save()

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        if not self._unsaved:
            return
        head = {
            "target": self._target,
            "chain": self._chain,
            "started_at": self.started_at.isoformat(),
            "offsets": list(self._offsets),
        }
        try:
            self._store.write_json_lines(self._object(self._objects), [head, *[run._asdict() for run in self._unsaved]])
        except PipelineError as error:
            log.warning("The progress was not stored, so the next try sends more again: %s", error)
            return
        self._objects += 1
        self._unsaved = []

    def clear(self) -> None:
        """Make the next try, or a task that is cleared after a success, send all rows."""
        with self._lock:
            if self._objects:
                self._store.write_json_lines(self._object(0), [])
            self._objects = 0
            self._chain = uuid4().hex
            self._unsaved = []

    def require_same_topic(self, topic: str, offsets: Iterable[OffsetRange]) -> None:
        """Raise, and forget all, where the topic was created again since: its offsets then begin at 0 again."""
        last = {known.partition: known.last_offset for known in self.earlier_offsets}  # sorted: the highest of each
        for found in offsets:
            if found.first_offset <= last.get(found.partition, -1):
                self.clear()
                raise TransientError(
                    f"topic {topic} was created again since the task's last try: partition {found.partition} gave "
                    f"offset {found.first_offset} after {last[found.partition]}: the next try sends all rows"
                )


def read_ahead(source: Iterator[Record | DeadLetter], ahead: deque[Record], count: int) -> Iterator[DeadLetter]:
    """Hold ``count`` records of the source, or what it has; yield the dead letters among them."""
    while len(ahead) < count and (found := next(source, None)) is not None:
        if isinstance(found, DeadLetter):
            yield found
        else:
            ahead.append(found)


def consecutive(records: Sequence[Record], chosen: Collection[int]) -> Iterator[Sequence[Record]]:
    """Yield each run of neighbours among the chosen records."""
    if len(chosen) == len(records):
        yield records
        return
    start = None
    for index in range(len(records) + 1):
        if index < len(records) and index in chosen:
            start = index if start is None else start
        elif start is not None:
            yield records[start:index]
            start = None
