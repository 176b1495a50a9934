"""Mutate one line of product code at a time and see whether the tests notice: ``python tests/mutants/run.py [NAME …]``.

In a copy of the tree. A mutation whose tests fail, or take too long, is killed; one that survives names a test that is
missing. Exit code 1 when one survives, 2 when a mutation does not apply or its tests fail without it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from tests.support.groups import LANES, PATHS  # noqa: E402 - the path is set above

LINKED = (".venv", ".jars", ".node")
NOT_COPIED = (".git", "__pycache__", ".*_cache", ".sandbox*", "dist", *LINKED)
TIMEOUT_SECONDS = 600
PYTEST_PASSED, PYTEST_FAILED, PYTEST_INTERRUPTED = 0, 1, 2  # interrupted: the module cannot even be imported
TIMED_OUT = -1


class MutationError(Exception):
    """The list of mutations, or a test without any mutation, is wrong."""


@dataclass(frozen=True)
class Mutation:
    """One change of one file, and the test files (or ``file::test``) that must notice it."""

    name: str
    file: str
    old: str
    new: str
    tests: list[str]

    def of(self, source: str) -> str:
        """Return the mutated source.

        :raises MutationError: the old text is not there exactly once, or nothing changes.
        """
        if (found := source.count(self.old)) != 1:
            raise MutationError(f"{self.name}: {self.old!r} is {found} times in {self.file}, expected once")
        if self.new == self.old:
            raise MutationError(f"{self.name} changes nothing")
        return source.replace(self.old, self.new)


def main(names: Sequence[str]) -> int:
    began = time.monotonic()
    try:
        mutations = chosen(read_mutations(Path(__file__).with_name("mutations.toml")), names)
        with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
            tree = copy_of_tree(Path(scratch) / "tree")
            require_green(tree, mutations)
            survivors = [mutation for mutation in mutations if survives(tree, mutation)]
    except MutationError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    for mutation in survivors:
        print(f"\n{mutation.name} survived {' '.join(mutation.tests)}\n  {mutation.file}")
        print(f"  - {mutation.old}\n  + {mutation.new}")
    killed = len(mutations) - len(survivors)
    print(f"\n{killed} of {len(mutations)} killed in {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


def read_mutations(file: Path) -> list[Mutation]:
    return [Mutation(**entry) for entry in tomllib.loads(file.read_text(encoding="utf-8"))["mutation"]]


def chosen(mutations: list[Mutation], names: Sequence[str]) -> list[Mutation]:
    if unknown := set(names) - {mutation.name for mutation in mutations}:
        raise MutationError(f"there is no mutation {', '.join(sorted(unknown))}")
    return [mutation for mutation in mutations if not names or mutation.name in names]


def copy_of_tree(target: Path) -> Path:
    shutil.copytree(PROJECT, target, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
    for name in LINKED:
        (target / name).symlink_to((PROJECT / name).resolve())
    return target


def require_green(tree: Path, mutations: Iterable[Mutation]) -> None:
    """Run every test file once without a mutation: what fails already would kill all of its mutations."""
    by_environment: dict[str, set[str]] = {}
    for file in {file for mutation in mutations for file in mutation.tests}:
        by_environment.setdefault(environment_of(file), set()).add(file)
    for environment, files in by_environment.items():
        code, output = run_tests(tree, environment, sorted(files), timeout_seconds=4 * TIMEOUT_SECONDS)
        if code != PYTEST_PASSED:
            raise MutationError(f"the tests fail without a mutation ({environment}):\n{output}")


def survives(tree: Path, mutation: Mutation) -> bool:
    began = time.monotonic()
    file = tree / mutation.file
    source = file.read_text(encoding="utf-8")
    file.write_text(mutation.of(source), encoding="utf-8")
    try:
        codes = [run_tests(tree, name, files)[0] for name, files in in_environments(mutation.tests)]
    finally:
        file.write_text(source, encoding="utf-8")
    if unexpected := set(codes) - {PYTEST_PASSED, PYTEST_FAILED, PYTEST_INTERRUPTED, TIMED_OUT}:
        raise MutationError(f"{mutation.name}: pytest ended with {unexpected}")
    outcome = "timed out" if TIMED_OUT in codes else "killed" if any(codes) else "SURVIVED"
    print(f"{outcome:9} {time.monotonic() - began:5.1f} s  {mutation.name}", flush=True)
    return not any(codes)


def in_environments(files: Iterable[str]) -> list[tuple[str, list[str]]]:
    names = sorted({environment_of(file) for file in files})
    return [(name, [file for file in files if environment_of(file) == name]) for name in names]


def environment_of(file: str) -> str:
    """Return the environment of the first group in whose folder the test file is."""
    groups = (group for lane in LANES.values() for group in lane)
    for group in groups:
        if file.startswith(f"{group.folder}/"):
            return group.environment
    raise MutationError(f"{file} is in the folder of no group of tests/support/groups.py")


def run_tests(
    tree: Path, environment: str, files: Sequence[str], timeout_seconds: float = TIMEOUT_SECONDS
) -> tuple[int, str]:
    """Run test files in the tree; return pytest's exit code, or ``TIMED_OUT``, and its output."""
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(tree / path) for path in PATHS[environment]),
        "PYTHONDONTWRITEBYTECODE": "1",  # a mutation of the same size in the same second would look unchanged
        "AIRFLOW_HOME": str(tree.parent / "airflow"),
    }
    python = tree / ".venv" / environment / "bin" / "python"
    command = ["nice", "-n", "10", str(python), "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files]
    try:
        ended = subprocess.run(
            command, cwd=tree, env=variables, timeout=timeout_seconds, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return TIMED_OUT, f"no end within {timeout_seconds:.0f} s"
    return ended.returncode, ended.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
