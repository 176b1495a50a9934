"""Run every group of tests in its own environment, in two lanes side by side, and close with one count of all.

Each group is a pytest run of its own, since Airflow, Spark and the sandbox live in environments of their own. The
stand-ins that a group starts stay up for the next one and are taken down at the end.
"""

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TEST_HOME = PROJECT / ".sandbox-test"
Group = tuple[str, str]  # an environment and a folder
LANES: tuple[tuple[Group, ...], ...] = (
    # One after the other, since they share stand-ins, which some of their tests kill.
    (
        ("sandbox", "tests/sandbox"),
        ("sandbox", "tests/contract/sandbox_env"),
        ("spark", "tests/contract/spark_env"),
        ("airflow", "tests/contract/airflow_env"),
        ("sandbox", "tests/e2e"),
    ),
    # Wait for no server, and so may take what the first lane leaves of the processors.
    (
        ("airflow", "tests/unit"),
        ("sandbox", "tests/docs"),
        ("airflow", "tests/dags"),
        ("mwaa-3.0.6", "tests/dags"),
        ("sandbox", "tests/bundle"),
        ("spark", "tests/spark"),
    ),
)
NICE = ("nice", "-n", "10")  # of the second lane, so that it makes no server late
PYTEST_TESTS_FAILED, PYTEST_INTERRUPTED = 1, 2
# Against a dozen servers on two cores a bounded wait may once be too short; what fails twice is broken.
REAL_SERVERS = ("tests/contract", "tests/e2e")
OUTCOMES = ("passed", "failed", "skipped")
NOTHING_RAN = {"passed": 0, "failed": 1, "skipped": 0}
PATHS = {
    "airflow": ("plugins", "."),
    "mwaa-3.0.6": ("plugins", ".", ".venv/mwaa-pytest"),
    "spark": ("include/spark", "."),
    "sandbox": (".",),
}


def main(chosen: list[str]) -> int:
    lanes = [tuple(group for group in lane if is_wanted(group, chosen)) for lane in LANES]
    with ThreadPoolExecutor(max_workers=len(lanes)) as pool:
        running = [pool.submit(run_lane, lane, nice) for lane, nice in zip(lanes, ((), NICE), strict=True)]
    results = list(chain.from_iterable(lane.result() for lane in running))
    take_down()
    passed, failed, skipped = (sum(count[outcome] for _, count in results) for outcome in OUTCOMES)
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return int(any(code for code, _ in results) or not passed)


def is_wanted(group: Group, chosen: list[str]) -> bool:
    return (not chosen or group[1] in chosen) and any((PROJECT / group[1]).glob("**/test_*.py"))


def run_lane(groups: tuple[Group, ...], nice: tuple[str, ...]) -> list[tuple[int, dict[str, int]]]:
    """Run groups one after the other and print what each said once it has ended, undivided by the other lane."""
    results = []
    for environment, folder in groups:
        began = time.monotonic()
        print(f"=== {folder} ({environment} environment) begins", flush=True)
        code, counts, said = run_group(environment, folder, nice)
        if code == PYTEST_TESTS_FAILED and folder.startswith(REAL_SERVERS):
            code, again, more = run_group(environment, folder, nice, "--last-failed")
            said += f"=== {counts['failed']} failed; once more, those alone\n{more}"
            said += f"=== {again['passed']} of them passed the second time\n"
            counts = {**counts, "failed": again["failed"], "passed": counts["passed"] + again["passed"]}
        seconds = time.monotonic() - began
        print(f"\n=== {folder} ({environment} environment)\n{said}=== {folder}: {seconds:.0f} s\n", flush=True)
        results.append((code, counts))
        if code == PYTEST_INTERRUPTED:
            break
    return results


def run_group(environment: str, folder: str, nice: tuple[str, ...], *options: str) -> tuple[int, dict[str, int], str]:
    """Return pytest's exit code, the tests by outcome, and its output."""
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "result.xml"
        python = python_of(environment)
        if python is None:
            return 1, NOTHING_RAN, f"The environment {environment} could not be made.\n"
        paths = os.pathsep.join(str(PROJECT / path) for path in PATHS[environment])
        variables = {
            **os.environ,
            "PYTHONPATH": paths,
            "PINTEREST_SANDBOX_HOME": str(TEST_HOME),
            "AIRFLOW_HOME": str(Path(scratch) / "airflow"),
        }
        cache = f"cache_dir=.pytest_cache/{environment}/{folder}"  # its own, for the other lane writes at the same time
        options = ("-q", "--durations=8", "-o", cache, f"--junit-xml={result}", *options)
        done = subprocess.run(
            [*nice, str(python), "-m", "pytest", *options, folder], cwd=PROJECT, env=variables, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        return done.returncode, count(result) if result.exists() else NOTHING_RAN, done.stdout


def python_of(environment: str) -> Path | None:
    """Return the interpreter; the one of an older MWAA is made here, since nothing but its tests needs it."""
    if environment.startswith("mwaa-"):
        command = [
            str(python_of("sandbox")),
            "-m",
            "deploy",
            "environment",
            "--airflow",
            environment.removeprefix("mwaa-"),
        ]
        if subprocess.run(command, cwd=PROJECT, check=False, stdout=subprocess.DEVNULL, timeout=1800).returncode:
            return None
        lend_pytest()
    return PROJECT / ".venv" / environment / "bin" / "python"


def lend_pytest() -> None:
    """An environment that holds exactly what MWAA has borrows pytest from the one of Airflow's tests."""
    lent = PROJECT / ".venv" / "mwaa-pytest"
    lent.mkdir(exist_ok=True)
    for name in ("pytest", "_pytest", "py.py", "iniconfig"):
        (lent / name).unlink(missing_ok=True)
        (lent / name).symlink_to(PROJECT / ".venv" / "airflow" / "lib" / "python3.12" / "site-packages" / name)


def count(result: Path) -> dict[str, int]:
    suites = list(ET.parse(result).getroot().iter("testsuite"))  # noqa: S314 - pytest wrote it a moment ago
    total, failed, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "skipped")
    )
    failed += sum(int(suite.get("errors", 0)) for suite in suites)
    return {"passed": total - failed - skipped, "failed": failed, "skipped": skipped}


def take_down() -> None:
    command = [str(PROJECT / ".venv" / "sandbox" / "bin" / "python"), "-m", "sandbox", "down"]
    variables = {**os.environ, "PINTEREST_SANDBOX_HOME": str(TEST_HOME)}
    subprocess.run(command, cwd=PROJECT, env=variables, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
