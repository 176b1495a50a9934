"""The commands of the documents that need the servers, as a reader would type them; the others are in ``tests/docs``."""

import os
import subprocess

from sandbox.airflow import PYTHON, environment
from tests.conftest import PROJECT
from tests.docs.documents import commands, documents
from tests.docs.shell import programs
from tests.e2e.conftest import Pipeline

SNIPPETS = [
    words[2]
    for page in documents()
    for command in commands(page)
    for words in programs(command.text)
    if words[:2] == ["python", "-c"]
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
