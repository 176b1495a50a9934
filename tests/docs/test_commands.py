"""Every command in README, CONTRIBUTING and docs/ works: run, or read by the parser of the program that it names.

A command that fails here is broken for its reader, too. Fix the document; a program that no check knows gets one in
``checks.py``, a ``make`` target the name of the test that runs it.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.docs.checks import CHECKS
from tests.docs.documents import Command, blocks, commands, documents
from tests.docs.shell import programs

FOUND = [command for page in documents() for command in commands(page)]
AIRFLOW = "airflow"
BROKEN = {
    "no such command": ("dags", "tigger", "pinterest_daily_batch"),
    "no such option": ("dags", "trigger", "pinterest_daily_batch", "--config", "{}"),
    "no such DAG": ("dags", "trigger", "pinterest_batch"),
    "no such param": ("dags", "trigger", "pinterest_daily_batch", "--conf", '{"window_begin": "2018-01-01"}'),
    "a param of another type": ("dags", "trigger", "pinterest_stream_supervisor", "--conf", '{"action": "end"}'),
    "no JSON": ("dags", "trigger", "pinterest_daily_batch", "--conf", "{window_start: 2018-01-01}"),
    "no date": (
        "backfill",
        "create",
        "--dag-id",
        "pinterest_daily_batch",
        "--from-date",
        "yesterday",
        "--to-date",
        "x",
    ),
    "no such file": ("pools", "import", "include/pools.json"),
}


def calls(command: Command) -> list[tuple[str, list[str]]]:
    """Return program and arguments of each call in a command; a path says only which environment it is run in."""
    return [(Path(words[0]).name, words[1:]) for words in programs(command.text)]


def is_mention(command: Command) -> bool:
    """Say whether text names a command without all of its arguments: only inline code may."""
    return command.is_inline


def problem(command: Command, name: str, arguments: list[str]) -> str | None:
    check = CHECKS.get({"python3": "python"}.get(name, name))
    if check is None:
        return f"no check knows `{name}`: add one to tests/docs/checks.py"
    return check(arguments, is_mention(command))


@pytest.fixture(scope="module")
def airflow_problems(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], str | None]:
    """What Airflow said to each of its commands; those that only write into its database ran, on a new one."""
    asked = {tuple(a): is_mention(c) for c in FOUND for name, a in calls(c) if name == AIRFLOW}
    asked |= dict.fromkeys(BROKEN.values(), False)
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{PROJECT / 'plugins'}{os.pathsep}{PROJECT}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
    }
    done = subprocess.run(
        [str(PROJECT / ".venv/airflow/bin/python"), "-m", "tests.docs.airflow_cli"],
        input=json.dumps([{"words": words, "is_mention": mention} for words, mention in asked.items()]),
        env=environment, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(asked, json.loads(done.stdout.splitlines()[-1]), strict=True))


@pytest.mark.parametrize("command", FOUND, ids=lambda command: f"{command.page}-{command.line}")
def test_works(command: Command, request: pytest.FixtureRequest) -> None:
    for name, arguments in calls(command):
        if name == AIRFLOW:
            found: Any = request.getfixturevalue("airflow_problems")[tuple(arguments)]
        else:
            found = problem(command, name, arguments)
        assert not found, f"{command}\n{found}"


ON_THE_LAPTOP = 'make airflow ARGS="'


def test_a_page_that_runs_dags_says_how_on_the_laptop() -> None:
    """There ``airflow`` alone is no command, or another one's."""
    pages = {
        command.page
        for command in FOUND
        for name, words in calls(command)
        if name == AIRFLOW and words[:1] in (["dags"], ["backfill"]) and not command.is_inline
    }

    pages -= {"docs/astro.md"}  # whose commands are astro's own
    assert pages >= {"docs/backfills.md", "docs/dags.md", "docs/runbook.md"}
    silent = [page for page in sorted(pages) if ON_THE_LAPTOP not in (PROJECT / page).read_text()]
    assert [page for page in silent if page.endswith(".md")] == []


def test_finds_the_commands_of_every_kind() -> None:
    """Else a change of the documents' form would leave nothing to test."""
    names = {name for command in FOUND for name, _ in calls(command)}

    assert names >= {"make", "airflow", "python"}
    assert {"README.md", "dags/pinterest_daily_batch.py"} <= {command.page for command in FOUND}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "aws mwaa invoke-rest-api --name x --method POST --path /dags/pinterest_daily_batch/dagRuns "
            '--body \'{"logical_date": null, "conf": {"window_start": "2017-01-01"}}\'',
            id="MWAA's REST call",
        ),
        pytest.param('curl -X PATCH "$AIRFLOW_API_URL/api/v2/dags/x" -d \'{"is_paused": false}\'', id="REST call"),
        pytest.param(
            "aws kinesis create-stream --stream-name x --stream-mode-details StreamMode=ON_DEMAND", id="shorthand"
        ),
        pytest.param("aws rds wait db-instance-available --db-instance-identifier x", id="waiter"),
    ],
)
def test_a_right_command_passes(text: str) -> None:
    command = Command("page.md", 1, text, is_inline=False)

    assert [problem(command, name, arguments) or None for name, arguments in calls(command)] == [None]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("make demonstrate", id="target"),
        pytest.param("make deploy BUKKET=x", id="variable"),
        pytest.param("python -m sandbox emulate --speed 3", id="option"),
        pytest.param("python -m sandbox emulate --rate fast", id="value"),
        pytest.param("aws kinesis list-strems", id="operation"),
        pytest.param("aws kinesis describe-stream-summary --stream pin", id="parameter"),
        pytest.param("aws kinesis create-stream --shard-count 2", id="required parameter"),
        pytest.param("aws s3 copy a b", id="command of aws s3"),
        pytest.param("aws mwaa invoke-rest-api --name x --method POST --path /dags/x/dagRun --body '{}'", id="path"),
        pytest.param(
            "aws mwaa invoke-rest-api --name x --method POST --path /backfills --body '{\"dag\": 1}'", id="body"
        ),
        pytest.param("curl -X PUT http://127.0.0.1:8080/api/v2/dags", id="method"),
        pytest.param("astro dev begin", id="astro"),
        pytest.param("unheardof --of", id="program"),
    ],
)
def test_a_broken_command_is_found(text: str) -> None:
    command = Command("page.md", 1, text, is_inline=False)

    assert all(problem(command, name, arguments) for name, arguments in calls(command))


@pytest.mark.parametrize("page", documents(), ids=lambda page: page.name)
def test_a_json_block_is_json(page: Path) -> None:
    for block in blocks(page, "json"):
        json.loads(block)


@pytest.mark.parametrize("words", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_airflow_command_is_found(words: tuple[str, ...], airflow_problems: dict[Any, Any]) -> None:
    assert airflow_problems[words]
