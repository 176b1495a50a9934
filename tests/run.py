"""Run every group of tests in the environment it belongs to, fast to slow, and close with one count of all.

Each group is a pytest run of its own, since Airflow, Spark and the sandbox live in environments of their own. The
stand-ins that a group starts stay up for the next one and are taken down at the end.
"""

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TEST_HOME = PROJECT / ".sandbox-test"
GROUPS = (
    ("airflow", "tests/unit"),
    ("sandbox", "tests/sandbox"),
    ("sandbox", "tests/docs"),
    ("airflow", "tests/dags"),
    ("mwaa-3.0.6", "tests/dags"),
    ("sandbox", "tests/bundle"),
    ("spark", "tests/spark"),
    ("sandbox", "tests/contract/sandbox_env"),
    ("spark", "tests/contract/spark_env"),
    ("airflow", "tests/contract/airflow_env"),
    ("sandbox", "tests/e2e"),
)
PYTEST_TESTS_FAILED = 1
# Against a dozen servers on two cores a bounded wait may once be too short; what fails twice is broken.
REAL_SERVERS = ("tests/contract", "tests/e2e")
PATHS = {
    "airflow": ("plugins", "."),
    "mwaa-3.0.6": ("plugins", ".", ".venv/mwaa-pytest"),
    "spark": ("include/spark", "."),
    "sandbox": (".",),
}


def main(chosen: list[str]) -> int:
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    broken = False
    for environment, folder in GROUPS:
        if (chosen and folder not in chosen) or not any((PROJECT / folder).glob("**/test_*.py")):
            continue
        began = time.monotonic()
        print(f"\n=== {folder} ({environment} environment)", flush=True)
        code, group = run_group(environment, folder)
        if code == PYTEST_TESTS_FAILED and folder.startswith(REAL_SERVERS):
            print(f"=== {folder}: {group['failed']} failed; once more, those alone", flush=True)
            code, again = run_group(environment, folder, "--last-failed")
            print(f"=== {folder}: {again['passed']} of them passed the second time", flush=True)
            group = {**group, "failed": again["failed"], "passed": group["passed"] + again["passed"]}
        broken = broken or code != 0
        for outcome, count in group.items():
            counts[outcome] += count
        print(f"=== {folder}: {time.monotonic() - began:.0f} s", flush=True)
    take_down()
    print(f"\n{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped", flush=True)
    return int(broken or not counts["passed"])


def run_group(environment: str, folder: str, *options: str) -> tuple[int, dict[str, int]]:
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "result.xml"
        python = python_of(environment)
        if python is None:
            return 1, {"passed": 0, "failed": 1, "skipped": 0}
        paths = os.pathsep.join(str(PROJECT / path) for path in PATHS[environment])
        variables = {
            **os.environ,
            "PYTHONPATH": paths,
            "PINTEREST_SANDBOX_HOME": str(TEST_HOME),
            "AIRFLOW_HOME": str(Path(scratch) / "airflow"),
        }
        command = [str(python), "-m", "pytest", "-q", "--durations=8", f"--junit-xml={result}", *options, folder]
        code = subprocess.run(command, cwd=PROJECT, env=variables, check=False).returncode
        return code, count(result) if result.exists() else {"passed": 0, "failed": 1, "skipped": 0}


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
