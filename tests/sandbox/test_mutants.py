"""The list of mutations fits the code, and the runner tells a killed mutation from one that survives."""

import ast
import difflib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.mutants.run import Mutation, MutationError, chosen, environment_of, read_mutations, survives

MUTATIONS = read_mutations(PROJECT / "tests" / "mutants" / "mutations.toml")
TEST = "tests/sandbox/test_sum.py"


def test_there_are_at_least_40_each_with_a_name_of_its_own() -> None:
    names = [mutation.name for mutation in MUTATIONS]

    assert len(names) >= 40
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("mutation", [pytest.param(mutation, id=mutation.name) for mutation in MUTATIONS])
def test_a_mutation_changes_one_line_of_product_code_and_names_tests_that_exist(mutation: Mutation) -> None:
    source = (PROJECT / mutation.file).read_text(encoding="utf-8")

    mutated = mutation.of(source)

    changed = [line for line in difflib.ndiff(source.splitlines(), mutated.splitlines()) if line.startswith("- ")]
    assert len(changed) == 1
    assert mutation.file.startswith(("plugins/", "include/", "dags/"))
    ast.parse(mutated)
    assert mutation.tests
    for test in mutation.tests:
        file, _, name = test.partition("::")
        assert f"def {name}" in (PROJECT / file).read_text(encoding="utf-8"), f"there is no {test}"
        assert environment_of(file)


@pytest.mark.parametrize(
    ("source", "new", "said"),
    [
        pytest.param("c", "b", "'a' is 0 times in f.py, expected once", id="moved on"),
        pytest.param("a a", "b", "'a' is 2 times in f.py", id="ambiguous"),
        pytest.param("a", "a", "changes nothing", id="no change"),
    ],
)
def test_a_mutation_that_does_not_apply_is_an_error(source: str, new: str, said: str) -> None:
    with pytest.raises(MutationError, match=f"stale.*{said}"):
        Mutation("stale", "f.py", "a", new, [TEST]).of(source)


def test_a_name_that_is_not_in_the_list_is_an_error() -> None:
    with pytest.raises(MutationError, match="there is no mutation typo"):
        chosen(MUTATIONS, ["typo"])


def test_a_mutation_is_killed_by_a_test_that_fails_and_the_file_is_as_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".venv").symlink_to(PROJECT / ".venv")
    (tmp_path / "tests" / "sandbox").mkdir(parents=True)
    (tmp_path / "sum.py").write_text("def total(a, b):\n    return a + b\n")
    (tmp_path / TEST).write_text("from sum import total\n\ndef test_total():\n    assert total(2, 2) == 4\n")

    found = [survives(tmp_path, Mutation(new, "sum.py", "a + b", new, [TEST])) for new in ("a - b", "a * b")]

    assert found == [False, True]
    assert (tmp_path / "sum.py").read_text() == "def total(a, b):\n    return a + b\n"
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["killed", "SURVIVED"]


def test_the_runner_refuses_an_unknown_name_with_its_own_exit_code() -> None:
    runner = [sys.executable, "tests/mutants/run.py", "typo"]

    ended = subprocess.run(runner, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)

    assert (ended.returncode, ended.stderr) == (2, "mutants: there is no mutation typo\n")
