"""Gates: limits of the Variable above or below which nothing is published. No I/O.

``gates`` of the Variable: ``{"quarantined_share": {"warn": 0.01, "fail": 0.2}, …}``; what it leaves out is as here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

QUARANTINED, DEFECTS, ANSWER_ROWS = "quarantined_share", "defect_share", "answer_rows_share"
FEWEST_ROWS = 20  # of an answer; of fewer, ties alone move the share
FEWEST_RECORDS = 2  # that are at fault: one is a warning, however few there are


@dataclass(frozen=True)
class Limits:
    """Shares from 0 to 1: beyond ``warn`` a warning, beyond ``fail`` nothing is published."""

    warn: float
    fail: float


DEFAULTS = {
    QUARANTINED: Limits(warn=0.01, fail=0.2),
    DEFECTS: Limits(warn=0.01, fail=0.2),
    ANSWER_ROWS: Limits(warn=0.9, fail=0.5),
}


def read_gates(given: Any) -> dict[str, Limits]:
    """Return the limits by gate.

    :param given: ``gates`` of the Variable; nothing where it has none.
    :raises ValueError: naming what is no gate, no limit or no share.
    """
    if given in (None, ""):
        given = {}
    if not isinstance(given, Mapping) or given.keys() - DEFAULTS.keys():
        raise ValueError(f"expected an object with some of {', '.join(DEFAULTS)}, got {given!r}")
    return {name: read_limits(name, given.get(name, {}), default) for name, default in DEFAULTS.items()}


def read_limits(name: str, given: Any, default: Limits) -> Limits:
    if not isinstance(given, Mapping) or given.keys() - {"warn", "fail"}:
        raise ValueError(f"{name}: expected an object with warn, fail or both, got {given!r}")
    found = {"warn": default.warn, "fail": default.fail, **given}
    for limit, share in found.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"{name}.{limit}: expected a share from 0 to 1, got {share!r}")
    return Limits(**found)


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
