"""The deploy plan: each command is one that its program takes, each value is assigned before its use, undo is whole."""

import os
import re
import subprocess
import sys

import pytest

from infra import plan
from infra.declared import STACKS
from infra.sizes import read_sizes
from tests.conftest import PROJECT
from tests.docs.documents import lines
from tests.docs.shell import programs
from tests.docs.test_commands import CHECKS

SIZES = tuple(read_sizes())
GIVEN = frozenset({"HOME", "PATH"})  # by every shell
ASSIGNED = re.compile(r"(?:^|(?<=\s))([A-Z_]+)=")
USED = re.compile(r"\$\{?([A-Z_]+)\}?")


def plans() -> list[tuple[str, str]]:
    texts = []
    for size in SIZES:
        steps = plan.plan_of("pinterest", "us-east-1", size)
        texts += [(size, plan.do(steps, plan.costs_of(size))), (f"{size}-undo", plan.undo(steps))]
    return texts


@pytest.mark.parametrize(("name", "text"), plans(), ids=[name for name, _ in plans()])
def test_every_command_is_taken_by_its_program(name: str, text: str) -> None:
    wrong = [
        f"{words}: {said}"
        for _, command in lines(text, every_line=True)
        for words in programs(command)
        if (said := problem(words[0], words[1:]))
    ]

    assert wrong == []


def problem(name: str, arguments: list[str]) -> str | None:
    check = CHECKS.get(name)
    return check(arguments, False) if check else f"no check knows {name}: add one to tests/docs/checks.py"


@pytest.mark.parametrize(("name", "text"), plans(), ids=[name for name, _ in plans()])
def test_every_value_is_assigned_before_it_is_used(name: str, text: str) -> None:
    assigned = set(GIVEN)
    for _, command in lines(text, every_line=True):
        unquoted = re.sub(r"'[^']*'", "", command)
        if not command.startswith("export"):
            assert set(USED.findall(unquoted)) <= assigned, command
        assigned |= set(ASSIGNED.findall(unquoted))


@pytest.mark.parametrize(("name", "text"), plans(), ids=[name for name, _ in plans()])
def test_a_shell_can_read_the_whole_plan(name: str, text: str) -> None:
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False, timeout=20)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("size", SIZES)
def test_every_stack_is_deployed_in_order_and_undone_in_reverse(size: str) -> None:
    steps = plan.plan_of("pinterest", "us-east-1", size)

    deployed = re.findall(r'cloudformation deploy --stack-name "\$NAME-(\w+)"', plan.do(steps, plan.costs_of(size)))
    deleted = re.findall(r'delete-stack --stack-name "\$NAME-(\w+)"', plan.undo(steps))

    assert set(deployed) == set(STACKS)
    assert deleted == deployed[::-1]


def test_what_outlives_its_stack_is_deleted_by_a_line_that_says_so() -> None:
    undo = plan.undo(plan.plan_of("pinterest", "us-east-1", "small"))

    for command in ("kafka delete-cluster", "rds delete-db-instance", "s3api delete-bucket"):
        said = [line for line in undo[: undo.index(command)].splitlines() if line.startswith("# ")]
        assert "delete" in " ".join(said[-2:])
    made_by_hand = {"create-secret": "delete-secret", "create-scope": "delete-scope", "import-dir": "workspace delete"}
    assert all(inverse in undo for inverse in made_by_hand.values())


def test_every_step_says_how_to_check_it() -> None:
    for step in plan.plan_of("pinterest", "us-east-1", "small"):
        command, said = step.check
        for words in programs(command):
            assert problem(words[0], words[1:]) is None, command
        assert said
        assert step.purpose
        assert step.undo or step.title == "Names"


def test_every_cost_belongs_to_one_step() -> None:
    keys = [key for step in plan.plan_of("pinterest", "us-east-1", "small") for key in step.costs]

    assert sorted(keys) == sorted(plan.costs_of("small"))


def test_the_deploy_page_is_written_from_the_plan() -> None:
    assert (PROJECT / "docs" / "deploy.md").read_text() == plan.guide(), "make deploy-plan GUIDE=1"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--env", "tiny"], "There is no size 'tiny', only small, medium, large"),
        (["--name", "Pinterest"], "Name 'Pinterest' (9 characters): expected 1 to 20 of a-z"),
        (["--name", "a" * 21], "(21 characters)"),
        (["--region", "ap-southeast-6"], "has no endpoint of mwaa"),
    ],
)
def test_what_cannot_be_deployed_is_one_line_and_no_plan(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan.main(arguments) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert line in said.err
    assert len(said.err.splitlines()) == 1


def test_a_plan_needs_no_credentials_and_names_no_account() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.plan", "--env", "large", "--name", "other"],
        cwd=PROJECT, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip

    assert "export NAME=other AWS_DEFAULT_REGION=us-east-1" in done.stdout, done.stderr
    assert not re.search(r"\b\d{12}\b", done.stdout)
