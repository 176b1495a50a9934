"""What the documents show and needs the servers, as a reader would type it; the rest is in ``tests/docs``."""

import os
import subprocess

import psycopg
import pytest

from sandbox.demo.demo import BATCH_DAG
from sandbox.servers.airflow import PYTHON, environment
from tests.conftest import PROJECT
from tests.docs.documents import blocks, commands, documents
from tests.docs.shell import programs
from tests.e2e.conftest import Pipeline

SNIPPETS = [
    words[2]
    for page in documents()
    for command in commands(page)
    for words in programs(command.text)
    if words[:2] == ["python", "-c"]
]
QUERIES = [
    pytest.param(query, id=f"{page.stem}-{number}")
    for page in documents()
    for number, query in enumerate(blocks(page, "sql"))
]
EACH = "import sys\nfor text in sys.argv[1:]: exec(text)"  # one process: to import Airflow takes longest


def test_what_the_documents_say_to_test_the_connections_answers_true(pipeline: Pipeline) -> None:
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT / "plugins"), **environment(pipeline.settings)}
    done = subprocess.run(
        [str(PYTHON), "-c", EACH, *SNIPPETS],
        env=variables, cwd=PROJECT, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    answers = [line for line in done.stdout.splitlines() if line.startswith(("True ", "False "))]

    assert done.returncode == 0, done.stderr[-2000:]
    assert len(SNIPPETS) >= 5
    assert [answer.split()[0] for answer in answers] == ["True"] * len(SNIPPETS), answers


def test_a_shell_takes_over_the_variables_of_the_sandbox(pipeline: Pipeline) -> None:
    typed = 'eval "$(make -s env)" && printf "%s %s" "$PINTEREST_WAREHOUSE_URL" "$AWS_ENDPOINT_URL"'

    done = subprocess.run(
        ["sh", "-c", typed], env={**os.environ, "PINTEREST_SANDBOX_HOME": str(pipeline.settings.home)},
        cwd=PROJECT, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2000:]
    expected = [pipeline.settings.postgres_url("pinterest_warehouse"), pipeline.settings.url("ministack")]
    assert done.stdout.split() == expected


def make_airflow(pipeline: Pipeline, arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", "-s", "airflow", f"ARGS={arguments}"],
        env={**os.environ, "PINTEREST_SANDBOX_HOME": str(pipeline.settings.home)},
        cwd=PROJECT, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


def test_airflows_command_line_is_that_of_the_sandbox(pipeline: Pipeline) -> None:
    listed = make_airflow(pipeline, "dags list -o plain")
    unknown = make_airflow(pipeline, "dags trigger pinterest_batch")
    refused = make_airflow(pipeline, "tasks test pinterest_daily_batch any_posts 2018-03-01")

    assert (listed.returncode, BATCH_DAG in listed.stdout) == (0, True), listed.stderr[-2000:]
    assert unknown.returncode != 0
    assert (refused.returncode != 0, "dags trigger" in refused.stderr) == (True, True)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_of_the_documents_runs_in_the_warehouse(pipeline: Pipeline, query: str) -> None:
    if not pipeline.outcomes():
        pipeline.run_batch()  # which creates the tables

    with psycopg.connect(pipeline.settings.postgres_url("pinterest_warehouse")) as connection:
        connection.execute(query)
        connection.rollback()  # what one writes down stays an example
