"""Kafka topics as they are declared and as they are: the topics file, and what differs. No I/O but the file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.json_templates import fill, read_json

RETENTION = "retention.ms"  # the topic's setting
MS_PER_HOUR = 3_600_000
FOREVER = -1
COMMENT = "comment"
NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")  # Kafka's own rule
RANGES = {"partitions": range(1, 100_001), "replication_factor": range(1, 101), "retention_hours": range(1, 10**6)}


@dataclass(frozen=True)
class Topic:
    """A topic as it is declared.

    :param retention_hours: How long Kafka keeps a record; -1 for ever.
    """

    name: str
    partitions: int
    replication_factor: int
    retention_hours: int

    @property
    def retention_ms(self) -> int:
        return FOREVER if self.retention_hours == FOREVER else self.retention_hours * MS_PER_HOUR


@dataclass(frozen=True)
class FoundTopic:
    """A topic as the cluster has it."""

    name: str
    partitions: int
    replication_factor: int
    retention_ms: int


MEMBERS = tuple(field.name for field in fields(Topic))


def read_topics_file(file: Path, values: Mapping[str, Any]) -> list[Topic]:
    """Return the topics that ``file`` declares, its ``${placeholders}`` filled from ``values``.

    It is an object of objects; each has the members of :class:`Topic`, and may have a ``comment``.

    :raises PermanentError: naming the file, and every topic and member that is wrong in it.
    """
    what = f"Topics file {file}"
    content = read_json(file, "Topics file", argument="topics_file")
    if not isinstance(content, dict) or not content:
        raise PermanentError(f"{what} declares no topic: write an object of names and their topics into it.")
    if no_objects := [key for key, topic in content.items() if not isinstance(topic, dict)]:
        raise PermanentError(
            f"{what}: {', '.join(no_objects)}: expected an object with {', '.join(MEMBERS)}: correct it."
        )
    declared = fill(content, values, what, remedy="correct it, or topics_values")
    problems = [problem for key, topic in declared.items() for problem in _problems(key, topic)]
    names = [topic["name"] for topic in declared.values() if "name" in topic]
    problems += [
        f"{name} is declared {names.count(name)} times" for name in dict.fromkeys(names) if names.count(name) > 1
    ]
    if problems:
        raise PermanentError(f"{what}: {'; '.join(problems)}: correct it.")
    return [Topic(topic["name"], *(int(topic[name]) for name in MEMBERS[1:])) for topic in declared.values()]


def _problems(key: str, topic: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(topic.keys() - {*MEMBERS, COMMENT}):
        yield f"{key}.{name} is no member of a topic, expected {', '.join(MEMBERS)}"
    for name in MEMBERS:
        if name not in topic:
            yield f"{key} has no {name}"
    if "name" in topic and not NAME.fullmatch(str(topic["name"])):
        yield f"{key}.name is {topic['name']!r}, expected 1 to 249 of a-z, A-Z, 0-9, _ . and -"
    for name, allowed in RANGES.items():
        if name in topic and not _is_within(topic[name], allowed, forever=name == "retention_hours"):
            least, most = allowed[0], allowed[-1]
            more = " or -1 (for ever)" if name == "retention_hours" else ""
            yield f"{key}.{name} is {topic[name]!r}, expected a whole number of {least} to {most}{more}"


def _is_within(value: Any, allowed: range, *, forever: bool) -> bool:
    number = int(value) if isinstance(value, str) and re.fullmatch(r"-?\d+", value) else value  # a rendered Variable
    return type(number) is int and (number in allowed or (forever and number == FOREVER))


def differences(declared: Topic, found: FoundTopic) -> list[str]:
    """Return a sentence for each difference, with what can be done about it."""
    alter = f"kafka-topics.sh --alter --topic {declared.name} --partitions {declared.partitions}"
    configure = (
        f"kafka-configs.sh --alter --entity-type topics --entity-name {declared.name} "
        f"--add-config {RETENTION}={declared.retention_ms}"
    )
    said = []
    if found.partitions < declared.partitions:
        remedy = f"{alter} (keys then move to other partitions), or declare {found.partitions}"
        said.append(f"has {found.partitions} partitions, declared {declared.partitions}: {remedy}")
    if found.partitions > declared.partitions:
        remedy = f"Kafka takes none away, declare {found.partitions}, or create the topic again"
        said.append(f"has {found.partitions} partitions, declared {declared.partitions}: {remedy}")
    if found.retention_ms != declared.retention_ms:
        wanted = hours(declared.retention_ms)
        said.append(
            f"keeps records {hours(found.retention_ms)}, declared {wanted}: {configure}, or declare what it has"
        )
    if found.replication_factor != declared.replication_factor:
        remedy = f"kafka-reassign-partitions.sh, or declare {found.replication_factor} (kafka_replication_factor)"
        said.append(
            f"has replication factor {found.replication_factor}, declared {declared.replication_factor}: {remedy}"
        )
    return [f"topic {declared.name} {sentence}" for sentence in said]


def hours(milliseconds: int) -> str:
    """Say a retention in words: hours, as they are declared."""
    if milliseconds < 0:
        return "for ever"
    whole, rest = divmod(milliseconds, MS_PER_HOUR)
    return f"{milliseconds} ms" if rest else f"{whole} hours"
