"""The report in a page of text: one verdict, the counts, the answers in words, where the time went, where to look.

Lines have at most 80 characters. Colour is rich's: none into a pipe, or with ``NO_COLOR``.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

WIDTH = 80
TABLES = ("pin", "geo", "user")
FIRST_ROWS = 2
BAR = 40  # characters of the longest stage
UNITS = ((10**3, "k"), (10**6, "M"), (10**9, "B"))
FIRST_SHORT, LARGEST = 10_000, 1000  # so that a year stays a year, and 999,999 is 1 M
BATCH = {"in": "landed", "silver": "silver", "duplicate": "duplicates", "rejected": "quarantined"}
STREAM = {"in": "put", "committed": "committed", "duplicate": "duplicates", "rejected": "quarantined"}

type Rows = Sequence[Sequence[Any]]


class Question(NamedTuple):
    """What the report needs of an answer's file."""

    name: str
    text: str
    key: tuple[str, ...]
    value: tuple[str, ...]

    @classmethod
    def read(cls, file: Path) -> "Question":
        declared = tomllib.loads(file.read_text(encoding="utf-8").partition("*/")[0].removeprefix("/*"))
        return cls(file.stem, declared["question"], tuple(declared["key"]), tuple(declared["value"]))

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.key, *self.value)


def show(
    console: Console,
    report: Mapping[str, Any],
    answers: Mapping[Question, Rows],
    access: Mapping[str, str],
    *,
    is_good: bool,
) -> None:
    """Print the report.

    :param answers: The rows of schema ``gold``.
    :param access: What to open, by name.
    """
    console.print(Text(verdict(report), style="bold green" if is_good else "bold red"))
    for line in lines(report, answers, access):
        console.print(Text(line), soft_wrap=True)


def verdict(report: Mapping[str, Any]) -> str:
    """Return one sentence on the batch's rows and the stream's records; a row too many makes up for no lost one."""
    rows = [
        (max(row["landed"], row["acknowledged"]), row["silver"] + row["duplicates"] + row["quarantined"])
        for row in report["rows"].values()
    ]
    came, accounted = (sum(numbers) for numbers in zip(*rows, strict=True))
    said = f"{came:,} rows in, {accounted:,} accounted for, {sum(max(0, all_ - some) for all_, some in rows):,} lost"
    if stream := report.get("stream"):
        put = sum(stream[table]["put"] for table in TABLES)
        lost = sum(
            max(
                0,
                stream[table]["put"] - sum(stream[table][name] for name in ("committed", "duplicates", "quarantined")),
            )
            for table in TABLES
        )
        differ = sum(sum(found["differences"].values()) for found in stream["same_as_silver"].values())
        said += f"; stream {put:,} in, {lost:,} lost"
        said += f", {differ:,} unlike silver" if differ else ""
    return f"{said}."


def lines(report: Mapping[str, Any], answers: Mapping[Question, Rows], access: Mapping[str, str]) -> Iterator[str]:
    yield from counts("Batch", report["rows"], BATCH)
    if stream := report.get("stream"):
        yield from counts("Stream", stream, STREAM)
        latency = stream["latency_ms"]
        waits = ", ".join(f"p{percent} {seconds(latency[f'p{percent}'])}" for percent in (50, 95))
        yield f"  from put to committed row: {waits}"
    yield from rejected(report)
    yield from section("Answers")
    for answer, rows in answers.items():
        yield from answered(answer, rows)
    yield from section("Time")
    longest = max(report["seconds"].values(), default=0) or 1
    for stage, taken in report["seconds"].items():
        yield f"  {stage:10}{taken:7.0f} s  {'█' * round(BAR * taken / longest)}".rstrip()
    jobs, commits = (
        sum(one[name] or 0 for one in report.get("work", {}).values()) for name in ("spark_jobs", "delta_commits")
    )
    yield f"  Spark did {jobs:,} jobs, Delta {commits:,} commits"
    yield from section("Where to look")
    for name, place in access.items():
        yield f"  {name:10}{place}"


def section(title: str) -> Iterator[str]:
    yield from ("", title)


def counts(title: str, by_table: Mapping[str, Mapping[str, int]], names: Mapping[str, str]) -> Iterator[str]:
    yield ""
    yield f"{title:10}" + "".join(f"{name:>12}" for name in names)
    for table in TABLES:
        yield f"  {table:8}" + "".join(f"{by_table[table][name]:12,}" for name in names.values())


def rejected(report: Mapping[str, Any]) -> Iterator[str]:
    """Say why rows were rejected, and which columns of accepted rows were not readable."""
    why = [
        *(
            (table, reason, rows)
            for table, found in report["quarantine_reasons"].items()
            for reason, rows in found.items()
        ),
        *(
            (f"{table}, stream", reason, rows)
            for table in TABLES
            for reason, rows in report.get("stream", {}).get(table, {}).get("quarantine_reasons", {}).items()
        ),
        *(
            (table, f"kept, {column} unreadable", rows)
            for table, found in report["defects"].items()
            for column, rows in (found or {}).items()
        ),
    ]
    yield from section("Rejected rows" if why else "No row was rejected.")
    for table, reason, rows in sorted(why):
        yield f"  {cut(f'{table}: {reason}', WIDTH - 14):{WIDTH - 14}}{rows:10,}"


def answered(answer: Question, rows: Rows) -> Iterator[str]:
    """Return an answer's question and its first rows in words."""
    yield f"  {answer.text}"
    said = [in_words(answer, row) for row in rows[:FIRST_ROWS]]
    more = f" … {len(rows) - FIRST_ROWS:,} more" if len(rows) > FIRST_ROWS else ""
    yield f"    {cut('; '.join(said) or 'no rows', WIDTH - 4 - len(more))}{more}"


def in_words(answer: Question, row: Sequence[Any]) -> str:
    """Return a row as ``Liechtenstein 15 M``: its key as it is, its values short."""
    key, values = row[: len(answer.key)], row[len(answer.key) :]
    return f"{' · '.join(map(str, key))} {' · '.join(map(short, values))}"


def short(value: object) -> str:
    """Return a number with three digits and its unit, anything else as it is."""
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        return str(value)
    for size, unit in UNITS if abs(value) >= FIRST_SHORT else ():
        if abs(scaled := float(f"{float(value) / size:.3g}")) < LARGEST:
            return f"{scaled:g} {unit}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def seconds(milliseconds: float | None) -> str:
    return "unknown" if milliseconds is None else f"{milliseconds / 1000:.1f} s"


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
