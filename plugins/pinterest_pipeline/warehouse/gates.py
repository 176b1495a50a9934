"""Gates: limits of the Variable above or below which nothing is published. No I/O.

``gates`` of the Variable: ``{"quarantined_share": {"warn": 0.01, "fail": 0.2}, …}``; what it leaves out is as here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf
from typing import Any

from pinterest_pipeline.common.tables import TABLES
from pinterest_pipeline.common.times import parse_utc

QUARANTINED, DEFECTS, ANSWER_ROWS = "quarantined_share", "defect_share", "answer_rows_share"
FRESHNESS = "freshness_hours"
FEWEST_ROWS = 20  # of an answer; of fewer, ties alone move the share
FEWEST_RECORDS = 2  # that are at fault: one is a warning, however few there are


@dataclass(frozen=True)
class Limits:
    """Shares from 0 to 1, or hours: beyond ``warn`` a warning, beyond ``fail`` nothing is published.

    :param tables: Limits of single tables, which go before these.
    """

    warn: float
    fail: float
    tables: Mapping[str, "Limits"] = field(default_factory=dict)

    def of(self, table: str) -> "Limits":
        return self.tables.get(table, self)


DEFAULTS = {
    QUARANTINED: Limits(warn=0.01, fail=0.2),
    DEFECTS: Limits(warn=0.01, fail=0.2),
    ANSWER_ROWS: Limits(warn=0.9, fail=0.5),
    FRESHNESS: Limits(warn=24, fail=168),
}


def read_gates(given: Any) -> dict[str, Limits]:
    """Return the limits by gate.

    :param given: ``gates`` of the Variable; nothing where it has none.
    :raises ValueError: naming what is no gate, no limit, no share or no number of hours.
    """
    if given in (None, ""):
        given = {}
    if not isinstance(given, Mapping) or given.keys() - DEFAULTS.keys():
        raise ValueError(f"expected an object with some of {', '.join(DEFAULTS)}, got {given!r}")
    return {name: read_gate(name, given.get(name, {}), default) for name, default in DEFAULTS.items()}


def read_gate(name: str, given: Any, default: Limits) -> Limits:
    tables = given.get("tables", {}) if name == FRESHNESS and isinstance(given, Mapping) else {}
    if not isinstance(tables, Mapping) or tables.keys() - set(TABLES):
        raise ValueError(f"{name}.tables: expected an object with some of {', '.join(TABLES)}, got {tables!r}")
    own = {limit: value for limit, value in given.items() if limit != "tables"} if tables else given
    limits = read_limits(name, own, default)
    return Limits(
        limits.warn, limits.fail,
        {table: read_limits(f"{name}.tables.{table}", some, limits) for table, some in tables.items()},
    )  # fmt: skip


def read_limits(name: str, given: Any, default: Limits) -> Limits:
    if not isinstance(given, Mapping) or given.keys() - {"warn", "fail"}:
        raise ValueError(f"{name}: expected an object with warn, fail or both, got {given!r}")
    found = {"warn": default.warn, "fail": default.fail, **given}
    most, what = (inf, "a number of hours") if name.startswith(FRESHNESS) else (1, "a share from 0 to 1")
    for limit, number in found.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= most:
            raise ValueError(f"{name}.{limit}: expected {what}, got {number!r}")
    return Limits(**found)


def freshness(source_counts: Iterable[Sequence[Any]], window_end: str, limits: Limits) -> tuple[list[str], list[str]]:
    """Return warnings and problems: one sentence for each table whose newest post is long before the interval's end.

    Held against the interval's end and not against now, so that the backfill of an old day is as fresh as it was then.

    :param source_counts: Rows of ``include/sql/source/counts.sql``, of which the last two are id and time of a table's
        newest post before ``window_end``; None where it has none.
    """
    warnings: list[str] = []
    problems: list[str] = []
    newest = {table: tuple(post) for table, _, _, *post in source_counts}
    for table in TABLES:
        ind, posted_at = newest.get(table, (None, None))
        of_table = limits.of(table)
        age = parse_utc(window_end) - parse_utc(posted_at) if posted_at else None
        if age is not None and age <= timedelta(hours=min(of_table.warn, of_table.fail)):
            continue
        is_failure = age is None or age > timedelta(hours=of_table.fail)
        limit = f"limit {of_table.fail:g}" if is_failure else f"warned above {of_table.warn:g}"
        hours = "none" if age is None else f"{age / timedelta(hours=1):.4g}"
        post = f"its newest post is {ind} of {posted_at}" if posted_at else "it has no post"
        sentence = f"{table}: {post}, the interval ends at {window_end} ({FRESHNESS} {hours}, {limit})."
        (problems if is_failure else warnings).append(sentence)
    return warnings, problems


def answer_rows(before: Mapping[str, int], after: Mapping[str, int], limits: Limits) -> tuple[list[str], list[str]]:
    """Return warnings and problems: one sentence for each answer that has fewer rows than when it was published last.

    An answer that had rows has rows, and not every answer is empty.
    """
    warnings, problems = [], []
    if after and not any(after.values()):
        problems.append(f"none of the {len(after)} answers has a row")
    for name, rows in sorted(after.items()):
        known = before.get(name, 0)
        share = rows / known if known else 1.0
        if share >= max(limits.warn, limits.fail) or (rows and known < FEWEST_ROWS):
            continue
        sentence = f"{name} has {rows:,} rows, published are {known:,} ({ANSWER_ROWS} {share:.2g}"
        if share < limits.fail:
            problems.append(f"{sentence}, limit {limits.fail:g})")
        else:
            warnings.append(f"{sentence}, warned below {limits.warn:g})")
    return warnings, problems
