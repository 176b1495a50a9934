"""The declarations of the answers: files of ``include/sql/answers``, whose README says what each entry means.

Needs the standard library only: Airflow, the page and the documentation's build read the files with it.
``pinterest_spark.lakehouse.answers`` reads the same files on Databricks, and a test compares the two.
"""

import hashlib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "include/sql/answers"
LAYOUT = re.compile(r"/\*\n(?P<declaration>.*?)^\*/\n(?P<select>.+)", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"[a-z][a-z0-9_]{0,57}")  # PostgreSQL cuts names at 63 bytes; the primary key appends "_pkey"
RESERVED = "load"  # gold_staging.load is the record of the staged load
TYPES = ("text", "integer", "bigint", "double precision")
KINDS = ("bars", "grid")
TOMORROW = "tomorrow"
REQUIRED = ("question", "chart", "key", "value")
ENTRIES = (*REQUIRED, "ties", "bounds")
ERROR_LINE = re.compile(r"\(at line (\d+)")


class AnswerError(Exception):
    """A file of an answer is malformed, or another version of it was computed; the message says what to do."""


class MalformedError(Exception):
    """What is wrong with an entry.

    :param near: Where to look for its line: the text at the start of the line.
    """

    def __init__(self, what: str, near: str = "") -> None:
        super().__init__(what)
        self.near = near


@dataclass(frozen=True)
class Ties:
    """``column`` has one value for each combination of the columns ``per``."""

    column: str
    per: tuple[str, ...]


@dataclass(frozen=True)
class Bounds:
    """The values that a column may have; ``most`` may be ``tomorrow``, the year of tomorrow in UTC."""

    least: float | None = None
    most: float | str | None = None
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chart:
    """``bars``, one a row, or ``grid``: the first label down, the second across."""

    kind: str
    labels: tuple[str, ...]
    value: str


@dataclass(frozen=True)
class Answer:
    """One file. ``key`` and ``value`` are PostgreSQL's types by column, in the order of the file."""

    name: str
    text: str
    question: str
    key: Mapping[str, str]
    value: Mapping[str, str]
    chart: Chart
    ties: Ties | None
    bounds: Mapping[str, Bounds]

    @property
    def columns(self) -> dict[str, str]:
        """The columns of the tables, in order."""
        return {**self.key, **self.value}

    @property
    def version(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_answers(folder: Path) -> list[Answer]:
    """Return the answers of a folder in the order of their names; line ends are ``\\n``, whatever git made of them.

    :raises AnswerError: naming every malformed file with a line and what to write there; or where there is no file.
    """
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise AnswerError(f"There is no SQL file in {folder}: deploy {FOLDER}.")
    answers, problems = [], []
    for file in files:
        try:
            answers.append(parse(file.stem, file.read_text(encoding="utf-8")))
        except AnswerError as error:
            problems.append(str(error))
    if problems:
        raise AnswerError("\n".join(problems))
    return answers


def parse(name: str, text: str) -> Answer:
    """Return the answer that a file declares.

    :raises AnswerError: of the first mistake, with file, line and what to write.
    """
    try:
        return declared(name, text, load(name, text))
    except MalformedError as error:
        line = next((n for n, found in enumerate(text.splitlines(), 1) if error.near and starts(found, error.near)), 1)
        raise AnswerError(f"{FOLDER}/{name}.sql, line {line}: {error}.") from error


def starts(line: str, entry: str) -> bool:
    return re.match(rf"\[?{re.escape(entry)}\b", line) is not None


def load(name: str, text: str) -> dict[str, Any]:
    """Return the declaration's entries, unchecked."""
    if not NAME.fullmatch(name) or name == RESERVED:
        raise MalformedError(
            f"the file is named {name!r}; use a-z, 0-9 and _, at most 58 characters, and not {RESERVED!r}"
        )
    layout = LAYOUT.fullmatch(text)
    if layout is None or not layout["select"].strip():
        raise MalformedError("the file must be a line /*, the declaration in TOML, a line */, and one SELECT")
    if "/*" in layout["declaration"] or "*/" in layout["declaration"]:
        raise MalformedError("the declaration contains /* or */, which would end the comment for Spark: take it out")
    try:
        return tomllib.loads("\n" + layout["declaration"])  # the line /* counts, so that the lines are the file's
    except tomllib.TOMLDecodeError as error:
        at = ERROR_LINE.search(str(error))
        lines = text.splitlines()
        near = lines[int(at[1]) - 1] if at else ""
        raise MalformedError(f"the declaration is not TOML: {error}", near.split("=")[0].strip()) from error


def declared(name: str, text: str, entries: Mapping[str, Any]) -> Answer:
    if unknown := sorted(entries.keys() - set(ENTRIES)):
        raise MalformedError(f"unknown entry {unknown[0]!r}; the entries are {', '.join(ENTRIES)}", unknown[0])
    if missing := [entry for entry in REQUIRED if entry not in entries]:
        raise MalformedError(f"entry {missing[0]!r} is missing")
    question = entries["question"]
    if not isinstance(question, str) or not question.strip():
        raise MalformedError('write question = "…", the headline of the chart', "question")
    key, value = (columns(entries[group], group) for group in ("key", "value"))
    if both := sorted(key.keys() & value.keys()):
        raise MalformedError(f"column {both[0]!r} is in [key] and in [value]; write it once", both[0])
    return Answer(
        name=name,
        text=text,
        question=question,
        key=key,
        value=value,
        chart=chart(entries["chart"], key, value),
        ties=ties(entries["ties"], {**key, **value}) if "ties" in entries else None,
        bounds=all_bounds(entries.get("bounds", {}), {**key, **value}),
    )


def columns(found: Any, group: str) -> dict[str, str]:
    if not isinstance(found, dict) or not found:
        raise MalformedError(f'write [{group}] and below it one line a column, such as country = "text"', group)
    for name, kind in found.items():
        if not NAME.fullmatch(name):
            raise MalformedError(f"column {name!r} must be named with a-z, 0-9 and _", name)
        if kind not in TYPES:
            raise MalformedError(f"column {name!r} has type {kind!r}; the types are {', '.join(TYPES)}", name)
    return dict(found)


def table_of(found: Any, entry: str, *, required: Iterable[str] = (), optional: Iterable[str] = ()) -> dict[str, Any]:
    """Return an inline table that has all the required keys and no key but the named ones."""
    names = [*required, *optional]
    if not isinstance(found, dict) or not set(required) <= found.keys() <= set(names):
        raise MalformedError(f"write {entry} = {{ {', '.join(f'{name} = …' for name in names)} }}", entry)
    return found


def names_of(found: Any, entry: str, allowed: Iterable[str]) -> tuple[str, ...]:
    """Return a list of columns, each named once."""
    known = list(allowed)
    if not isinstance(found, list) or any(name not in known for name in found) or len(set(found)) != len(found):
        near = entry.split(maxsplit=1)[0]
        raise MalformedError(f"{entry} names {found!r}; write a list of columns among {', '.join(known)}", near)
    return tuple(found)


def chart(found: Any, key: Mapping[str, str], value: Mapping[str, str]) -> Chart:
    entries = table_of(found, "chart", required=("kind", "labels", "value"))
    if entries["kind"] not in KINDS:
        raise MalformedError(f"chart kind is {entries['kind']!r}; the kinds are {', '.join(KINDS)}", "chart")
    labels = names_of(entries["labels"], "chart labels", key)
    if len(labels) != len(key):
        raise MalformedError(f"chart labels must name every key column: {', '.join(key)}", "chart")
    if entries["kind"] == "grid" and len(labels) != 2:
        raise MalformedError("a grid needs exactly two key columns; use bars", "chart")
    if entries["value"] not in value or value[entries["value"]] == "text":
        raise MalformedError(f"chart value is {entries['value']!r}; name a numeric column of [value]", "chart")
    return Chart(entries["kind"], labels, entries["value"])


def ties(found: Any, of_answer: Mapping[str, str]) -> Ties:
    entries = table_of(found, "ties", required=("column", "per"))
    (column,) = names_of([entries["column"]], "ties column", of_answer)
    return Ties(column, names_of(entries["per"], "ties per", [name for name in of_answer if name != column]))


def all_bounds(found: Any, of_answer: Mapping[str, str]) -> dict[str, Bounds]:
    if not isinstance(found, dict):
        raise MalformedError("write [bounds] and below it lines such as category_count = { least = 1 }", "bounds")
    names_of(list(found), "bounds", of_answer)
    return {column: bounds(column, entry, of_answer[column]) for column, entry in found.items()}


def bounds(column: str, found: Any, kind: str) -> Bounds:
    if kind == "text":
        entries = table_of(found, column, required=("one_of",))
        texts = entries["one_of"]
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise MalformedError(f'write {column} = {{ one_of = ["…", "…"] }}', column)
        return Bounds(one_of=tuple(texts))
    entries = table_of(found, column, optional=("least", "most"))
    least, most = entries.get("least"), entries.get("most")
    is_year = most == TOMORROW and kind in ("integer", "bigint")
    if not entries or not is_number(least) or not (is_number(most) or is_year):
        raise MalformedError(f'least and most of {column} must be numbers, or most = "{TOMORROW}" of a year', column)
    return Bounds(least, most)


def is_number(found: Any) -> bool:
    """Tell whether an entry is a finite number or left out; to Python a boolean would be a number too."""
    return found is None or (type(found) in (int, float) and math.isfinite(found))
