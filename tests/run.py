"""Run every group of tests in its own environment, and close with a table of what each took and one count of all.

``python tests/run.py [--lane NAME] [FOLDER ...]``. Each group is a pytest run of its own, since Airflow, Spark and the
sandbox live in environments of their own. The servers that a group needs are started while the one before it runs, stay
up for the next one, and are stopped at the end.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain, zip_longest
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from sandbox.run.java import java_home  # noqa: E402 - the path is set above
from tests.support.groups import (  # noqa: E402 - as above
    HOME_VARIABLE,
    LANES,
    PATHS,
    SERVER_ENVIRONMENT,
    Group,
    chosen_groups,
    home_of,
)
from tests.support.processes import Finished, run_measured, server_cpu_seconds  # noqa: E402 - as above
from tests.support.results import (  # noqa: E402 - as above
    Outcomes,
    Result,
    after_second_try,
    closing_lines,
    exit_code_of,
    read_outcomes,
)

NICE = ("nice", "-n", "10")  # of groups without servers, so that they do not delay a server that a test waits for
PYTEST_TESTS_FAILED, PYTEST_INTERRUPTED = 1, 2
SANDBOX = (str(PROJECT / ".venv" / "sandbox" / "bin" / "python"), "-m", "sandbox")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lane", choices=LANES, help="run the groups of this lane only, as one machine of the CI does")
    parser.add_argument("folders", nargs="*", help="run the groups in these folders only")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    lanes = chosen_groups(options.lane, options.folders)
    with ThreadPoolExecutor(max_workers=max(1, len(lanes))) as pool:
        results = list(chain.from_iterable(pool.map(run_lane, lanes, lanes.values())))
    print("\n" + "\n".join(closing_lines(results, time.monotonic() - began)), flush=True)
    return exit_code_of(results)


def run_lane(name: str, groups: list[Group]) -> list[Result]:
    """Run groups one after the other and print the output of each once it has ended, undivided by the other lanes."""
    results: list[Result] = []
    home = home_of(name)
    has_servers = any(group.servers for group in groups)
    with ThreadPoolExecutor(max_workers=1) as pool:
        starting = pool.submit(start_servers, home, groups[0].servers)
        for group, following in zip_longest(groups, groups[1:]):
            starting.result()
            before = server_cpu_seconds(PROJECT / home) if has_servers else 0
            starting = pool.submit(start_servers, home, following.servers if following else ())
            result = run_group(group, home)
            if has_servers:
                used = max(0.0, server_cpu_seconds(PROJECT / home) - before)
                result = replace(result, server_cpu_seconds=used)
            results.append(result)
            if result.exit_code == PYTEST_INTERRUPTED:
                break
    if has_servers:
        subprocess.run([*SANDBOX, "down"], cwd=PROJECT, env=variables(home), check=False)
    return results


def start_servers(home: str, names: tuple[str, ...]) -> None:
    """Start servers before the group that needs them; where that fails, the group starts them again and reports it."""
    if names:
        subprocess.run(
            [*SANDBOX, "up", "--only", ",".join(names)], cwd=PROJECT, env=variables(home), check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def run_group(group: Group, home: str) -> Result:
    print(f"=== {group} begins", flush=True)
    python = python_of(group.environment)
    if python is None:
        print(f"=== {group}: its environment could not be created\n", flush=True)
        return Result(str(group), 1, read_outcomes(Path()))
    outcomes, finished = run_pytest(group, home, python)
    result = Result(str(group), finished.exit_code, outcomes, (), finished.wall_seconds, finished.cpu_seconds)
    output = finished.output
    if finished.exit_code == PYTEST_TESTS_FAILED and group.may_fail_once:
        again, second = run_pytest(group, home, python, "--last-failed")
        outcomes, flaky = after_second_try(outcomes, again)
        output += f"=== the failed tests once more\n{second.output}"
        result = replace(
            result, exit_code=second.exit_code, outcomes=outcomes, flaky=flaky,
            wall_seconds=result.wall_seconds + second.wall_seconds,
            cpu_seconds=result.cpu_seconds + second.cpu_seconds,
        )  # fmt: skip
    print(f"\n=== {group}\n{output}=== {group}: {result.wall_seconds:.0f} s\n", flush=True)
    return result


def run_pytest(group: Group, home: str, python: Path, *options: str) -> tuple[Outcomes, Finished]:
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "result.xml"
        environment = variables(
            home,
            PYTHONPATH=os.pathsep.join(str(PROJECT / path) for path in PATHS[group.environment]),
            AIRFLOW_HOME=str(Path(scratch) / "airflow"),
        )
        # A cache of its own, for the other lane writes at the same time
        cache = f"cache_dir=.pytest_cache/{group.environment}/{group.folder}"
        options = ("-q", "--durations=8", "-o", cache, "-o", "junit_family=xunit1", f"--junit-xml={report}", *options)
        command = [*(() if group.servers else NICE), str(python), "-m", "pytest", *options, group.folder]
        finished = run_measured(command, environment)
        return read_outcomes(report), finished


def variables(home: str, **added: str) -> dict[str, str]:
    own = {HOME_VARIABLE: home, "PINTEREST_SANDBOX_HOME": str(PROJECT / home), "JAVA_HOME": str(java_home())}
    return {**os.environ, **SERVER_ENVIRONMENT, **own, **added}


def python_of(environment: str) -> Path | None:
    """Return the interpreter; what nothing but its tests needs is created here: an older MWAA's, and that of infra/."""
    if environment == "infra":
        command = [sys.executable, "-m", "sandbox.run.setup", environment]
        if subprocess.run(command, cwd=PROJECT, check=False, timeout=1800).returncode:
            return None
    if environment.startswith("mwaa-"):
        version = environment.removeprefix("mwaa-")
        command = [SANDBOX[0], "-m", "deploy", "environment", "--airflow", version]
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
