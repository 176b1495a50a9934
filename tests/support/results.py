"""What the groups of a test run add up to: the exit code, the closing table, and the tests that passed only once."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_FLAKY = 2


@dataclass(frozen=True)
class Outcomes:
    """What one pytest run found; ``failed`` has the ids of the tests."""

    passed: int = 0
    failed: tuple[str, ...] = ()
    skipped: int = 0


@dataclass(frozen=True)
class Result:
    """One group, after its second try where it had one.

    :param flaky: Tests that failed first and passed when they were run again.
    :param cpu_seconds: Of pytest and every process that it waited for.
    :param server_cpu_seconds: Of the sandbox's servers meanwhile.
    """

    group: str
    exit_code: int
    outcomes: Outcomes
    flaky: tuple[str, ...] = ()
    wall_seconds: float = 0
    cpu_seconds: float = 0
    server_cpu_seconds: float = 0


def read_outcomes(file: Path) -> Outcomes:
    """Read pytest's JUnit report, of the family ``xunit1``; where there is none, the group itself has failed."""
    if not file.is_file():
        return Outcomes(failed=("the group itself, before any test",))
    cases = list(ET.parse(file).getroot().iter("testcase"))  # noqa: S314 - pytest wrote it
    failed = tuple(
        dict.fromkeys(id_of(c) for c in cases if c.find("failure") is not None or c.find("error") is not None)
    )
    skipped = sum(case.find("skipped") is not None for case in cases)
    passed = len({id_of(case) for case in cases}) - len(failed) - skipped
    return Outcomes(passed, failed, skipped)


def id_of(case: ET.Element) -> str:
    return f"{case.get('file') or case.get('classname')}::{case.get('name')}"


def after_second_try(first: Outcomes, second: Outcomes) -> tuple[Outcomes, tuple[str, ...]]:
    """Return the outcomes of both tries together, and the tests that passed only the second time."""
    flaky = tuple(test for test in first.failed if test not in second.failed)
    new = tuple(test for test in second.failed if test not in first.failed)
    still_failed = tuple(test for test in first.failed if test in second.failed)
    return Outcomes(first.passed + len(flaky), still_failed + new, first.skipped), flaky


def exit_code_of(results: Sequence[Result]) -> int:
    """Return 1 where a group failed, no test passed, or more than ``MAX_FLAKY`` tests needed a second try."""
    has_failed = any(result.exit_code or result.outcomes.failed for result in results)
    has_passed = any(result.outcomes.passed for result in results)
    return int(has_failed or not has_passed or flaky_count(results) > MAX_FLAKY)


def flaky_count(results: Sequence[Result]) -> int:
    return sum(len(result.flaky) for result in results)


def closing_lines(results: Sequence[Result], wall_seconds: float) -> list[str]:
    """Return the table of groups, the flaky tests, and the count of all tests."""
    rows = [
        (r.group, r.outcomes.passed, r.wall_seconds, r.cpu_seconds, r.server_cpu_seconds)
        for r in sorted(results, key=lambda r: -r.cpu_seconds - r.server_cpu_seconds)
    ]
    rows.append(("together", sum(row[1] for row in rows), wall_seconds, *(sum(row[n] for row in rows) for n in (3, 4))))
    lines = [f"{'group':42} {'passed':>6} {'wall s':>7} {'CPU s':>7} {'servers':>8}"]
    lines += [
        f"{group:42} {passed:6} {wall:7.0f} {cpu:7.0f} {servers:8.0f}" for group, passed, wall, cpu, servers in rows
    ]
    lines += [f"flaky: {test}" for result in results for test in result.flaky]
    if flaky_count(results) > MAX_FLAKY:
        lines.append(f"{flaky_count(results)} tests passed only the second time, more than {MAX_FLAKY}: the run fails")
    passed, failed, skipped = (
        sum(r.outcomes.passed for r in results),
        sum(len(r.outcomes.failed) for r in results),
        sum(r.outcomes.skipped for r in results),
    )
    return [*lines, f"{passed} passed, {failed} failed, {skipped} skipped"]
