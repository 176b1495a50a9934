"""Dead letters that are sent again: they stay where they are until all of them are sent, and are then resolved.

The object of a dead letter is moved to ``<prefix>-redriven/<task>/<rest of its name>``. What was refused again is a
dead letter of the task that sent it again, with a new reason, and remembers in ``redrives`` for which it stands.
"""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypedDict, override

from pinterest_pipeline.common.records import DeadLetter
from pinterest_pipeline.lake.dead_letters import DeadLetterBox, safe_name

NUMBER = re.compile(r"\d+\.json$")


class StoredDeadLetter(NamedTuple):
    """One line of an object with dead letters.

    :param uris: Of the tries whose dead letter it is, as ``dead_letter_uri`` of their results; more than one where it
        was redriven before and refused again.
    """

    key: str | None
    value: str
    name: str
    uris: tuple[str, ...]


class Redriven(TypedDict):
    """What became of the dead letters of one object, which is resolved once, and of one try of a task.

    :param name: Of the object, before it was moved.
    :param dead_letter_uri: As in the result of that task.
    :param redriven: Dead letters that are delivered now.
    :param refused: Dead letters that were refused again.
    """

    name: str
    dead_letter_uri: str
    redriven: int
    refused: int


class RedriveBox(DeadLetterBox):
    """The box of a task that sends dead letters again; used by one thread.

    Those refused again are in memory until all is sent: a task that fails has changed nothing but what is delivered.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._names: list[str] = []
        self._sent: defaultdict[str | None, deque[StoredDeadLetter]] = defaultdict(deque)  # by key
        self._refused: list[DeadLetter] = []
        self._counts: Counter[tuple[str, str]] = Counter()  # of name and URI
        self._refused_counts: Counter[tuple[str, str]] = Counter()

    @property
    @override
    def uri(self) -> str | None:
        """Prefix of what is written; of where the dead letters still are, as long as nothing is."""
        if self._refused:
            return f"s3://{self._store.bucket}/{self._prefix}/{self._topic}/"
        return super().uri

    def read(self, names: Sequence[str]) -> Iterator[StoredDeadLetter]:
        """Yield the dead letters of objects, also of those that an earlier try of this task moved already.

        An object that is in neither place was resolved by another task and has none.
        """
        self._names = list(names)
        for name in names:
            uri = f"s3://{self._store.bucket}/{NUMBER.sub('', name)}"
            for row in self._store.read_json_lines(name) or self._store.read_json_lines(self._moved(name)):
                yield StoredDeadLetter(row["key"], row["value"], name, (*row.get("redrives", ()), uri))

    def sending(self, stored: StoredDeadLetter, key: str | None) -> None:
        """Note what is sent under a key: it is redriven, unless :meth:`add` gets a dead letter of that key."""
        self._sent[key].append(stored)
        self._counts.update((stored.name, uri) for uri in stored.uris)

    @override
    def add(self, dead_letter: DeadLetter) -> None:
        self.count += 1
        self.first_reason = self.first_reason or dead_letter.reason
        self._refused.append(dead_letter)

    @override
    def flush(self) -> None:
        """Write nothing before all is sent."""

    @override
    def supersede_earlier(self) -> int:
        """Write what was refused again, move the objects that were read, then those of earlier tries as the base class.

        Costs, beside that, a COPY and a DELETE for each object that was read.
        """
        for dead_letter in self._refused:
            stored = self._sent[dead_letter.key].popleft()
            self._refused_counts.update((stored.name, uri) for uri in stored.uris)
            self._put(dead_letter, redrives=stored.uris)
        self._refused = []
        self._write()
        there = set(self._store.names(f"{self._prefix}/{self._topic}/"))
        for name in self._names:
            if name in there:
                self._store.move(name, self._moved(name))
        return super().supersede_earlier()

    def outcome(self) -> list[Redriven]:
        """Return what became of the dead letters, by object and try; call it when all is resolved."""
        return [
            Redriven(name=name, dead_letter_uri=uri, redriven=count - refused, refused=refused)
            for (name, uri), count in sorted(self._counts.items())
            for refused in (self._refused_counts[name, uri],)
        ]

    def _moved(self, name: str) -> str:
        return f"{self._prefix}-redriven/{safe_name(self._task)}{name.removeprefix(self._prefix)}"
