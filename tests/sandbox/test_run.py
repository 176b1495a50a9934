"""The decisions of ``tests/run.py``: which groups run, what a second try changes, the exit code and the table."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.groups import LANES, PROJECT, chosen_groups
from tests.support.processes import run_measured
from tests.support.results import MAX_FLAKY, Outcomes, Result, after_second_try, closing_lines, exit_code_of
from tests.support.results import read_outcomes as read

SUITE = """
import pytest
def test_good(): pass
@pytest.mark.parametrize("n", [1, 2])
def test_bad(n): assert n == 1
@pytest.fixture
def broken(): raise OSError
def test_error(broken): pass
def test_skipped(): pytest.skip("no")
@pytest.fixture
def ends_badly():
    yield
    raise OSError
def test_fails_twice(ends_badly): assert False
"""


def result(**values: object) -> Result:
    return Result(**{"group": "tests/x (sandbox)", "exit_code": 0, "outcomes": Outcomes(passed=3), **values})  # type: ignore[arg-type]


def test_a_report_of_pytest_is_read_test_by_test(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(SUITE)
    report = tmp_path / "result.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-o", "junit_family=xunit1", f"--junit-xml={report}", "test_x.py"]
    subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, timeout=60)

    failed = ("test_x.py::test_bad[2]", "test_x.py::test_error", "test_x.py::test_fails_twice")
    assert read(report) == Outcomes(passed=2, failed=failed, skipped=1)


def test_a_group_without_a_report_has_failed(tmp_path: Path) -> None:
    assert len(read(tmp_path / "result.xml").failed) == 1


def test_what_passes_the_second_time_is_flaky_and_what_fails_twice_has_failed() -> None:
    first = Outcomes(passed=10, failed=("a", "b", "c"), skipped=1)

    outcomes, flaky = after_second_try(first, Outcomes(passed=2, failed=("b",)))

    assert outcomes == Outcomes(passed=12, failed=("b",), skipped=1)
    assert flaky == ("a", "c")


@pytest.mark.parametrize(
    ("results", "code"),
    [
        pytest.param([result()], 0, id="passed"),
        pytest.param([result(), result(exit_code=1)], 1, id="a group failed"),
        pytest.param([result(), result(outcomes=Outcomes(failed=("a",)))], 1, id="a test failed"),
        pytest.param([result(outcomes=Outcomes(skipped=3))], 1, id="nothing passed"),
        pytest.param([], 1, id="nothing ran"),
        pytest.param([result(flaky=("a",)), result(flaky=("b",))], 0, id="two flaky tests"),
        pytest.param([result(flaky=("a",)), result(flaky=("b", "c"))], 1, id="three flaky tests in two groups"),
    ],
)
def test_exit_code(results: list[Result], code: int) -> None:
    assert exit_code_of(results) == code


def test_the_closing_lines_have_wall_and_processor_time_by_group_the_flaky_tests_and_the_count() -> None:
    slow = result(group="slow", wall_seconds=61.4, cpu_seconds=50.2, server_cpu_seconds=20.9, flaky=("t.py::a",))
    failed = result(group="failed", wall_seconds=5, cpu_seconds=80, outcomes=Outcomes(1, ("x",), 2))

    lines = closing_lines([slow, failed], wall_seconds=62)

    table = [line.split() for line in lines[1:4]]
    assert table == [
        ["failed", "1", "5", "80", "0"],
        ["slow", "3", "61", "50", "21"],
        ["together", "4", "62", "130", "21"],
    ]
    assert lines[4:] == ["flaky: t.py::a", "4 passed, 1 failed, 2 skipped"]


def test_more_flaky_tests_than_allowed_are_said_to_fail_the_run() -> None:
    lines = closing_lines([result(flaky=tuple("abc"))], 1)

    assert len([line for line in lines if line.startswith("flaky: ")]) == MAX_FLAKY + 1
    assert "3 tests passed only the second time, more than 2: the run fails" in lines


def test_every_folder_of_tests_is_in_a_lane_and_in_one_only() -> None:
    folders = [group.folder for lane in LANES.values() for group in lane if group.environment != "mwaa-3.0.6"]
    files = {file.relative_to(PROJECT) for file in (PROJECT / "tests").glob("**/test_*.py")}

    assert len(folders) == len(set(folders))
    assert {str(file) for file in files if not any(file.is_relative_to(folder) for folder in folders)} == set()


def test_the_lanes_together_are_the_whole_run() -> None:
    by_lane = {lane: list(groups) for lane, groups in LANES.items()}

    assert chosen_groups(None, ()) == by_lane
    assert {lane: chosen_groups(lane, ())[lane] for lane in LANES} == by_lane


def test_folders_choose_their_groups_in_every_environment() -> None:
    assert {lane: [str(group) for group in groups] for lane, groups in chosen_groups(None, ["tests/dags"]).items()} == {
        "isolated": ["tests/dags (airflow)", "tests/dags (mwaa-3.0.6)"],
    }


@pytest.mark.parametrize("start", ["subprocess.run", "subprocess.Popen"], ids=["waited for", "left behind"])
def test_processor_time_includes_that_of_a_grandchild(start: str) -> None:
    burn = "import time\nwhile time.process_time() < 0.4: pass"
    program = f"import subprocess, sys; {start}([sys.executable, '-c', {burn!r}]); print('said'); sys.exit(3)"

    finished = run_measured([sys.executable, "-c", program], {})

    assert (finished.exit_code, finished.output) == (3, "said\n")
    assert 0.4 <= finished.cpu_seconds < 5
