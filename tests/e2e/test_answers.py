"""The whole path on the real scheduler: every row has one outcome, and the answers are those of plain SQL."""

import base64
import os
import re
import subprocess
import sys
from typing import Any

import httpx
import pytest

from sandbox.__main__ import client_environment
from sandbox.data.source.hard_wire import hard_payloads
from sandbox.demo import report
from sandbox.demo.brief import Question, short
from sandbox.demo.report import GOLD_TABLES
from tests.conftest import PROJECT
from tests.e2e.conftest import normal

HARD_ROWS = 400
SANE_ROWS = 600
TABLES = ("pin", "geo", "user")


@pytest.fixture(scope="module")
def after_hard(pipeline: Any) -> dict[str, Any]:
    """Hard rows through the source tables, and hard payloads that no table could hold straight to Kafka REST."""
    before = pipeline.outcomes()
    pipeline.seed("hard", HARD_ROWS, 5)
    posted = post_hard_payloads(pipeline, rows=120, seed=9)
    run_id = pipeline.run_batch()
    return {"before": before, "posted": posted, "run_id": run_id, "outcomes": pipeline.outcomes()}


def post_hard_payloads(pipeline: Any, rows: int, seed: int) -> dict[str, int]:
    """Send raw texts, broken JSON among them, as a client of our own would: base64 in one request a table."""
    environment = client_environment(pipeline.settings)
    records: dict[str, list[dict[str, str]]] = {name: [] for name in TABLES}
    for payload in hard_payloads(seed=seed, rows=rows):
        records[payload.table].append({"key": encoded(payload.key), "value": encoded(payload.text)})
    for table, batch in records.items():
        answer = httpx.post(
            f"{environment['KAFKA_REST_URL']}/topics/pinterest.{table}",
            json={"records": batch},
            headers={
                "x-api-key": environment["KAFKA_REST_API_KEY"],
                "Content-Type": "application/vnd.kafka.binary.v2+json",
            },
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        assert [o["error_code"] for o in answer.json()["offsets"]] == [None] * len(batch)
    return {table: len(batch) for table, batch in records.items()}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("table", TABLES)
def test_every_hard_row_ends_in_silver_in_duplicates_or_in_quarantine(after_hard: dict[str, Any], table: str) -> None:
    bronze, silver, duplicates, quarantined = after_hard["outcomes"][table]
    bronze_before = after_hard["before"].get(table, (0, 0, 0, 0))[0]

    assert bronze - bronze_before == HARD_ROWS + after_hard["posted"][table]
    assert silver + duplicates + quarantined == bronze
    assert quarantined > 0


def test_each_quarantined_row_has_a_reason(pipeline: Any, after_hard: dict[str, Any]) -> None:
    reasons = dict(pipeline.query("pinterest_warehouse", "SELECT table_name, quarantine_reasons FROM audit.lake_rows"))

    for table in TABLES:
        assert sum(reasons[table].values()) == after_hard["outcomes"][table][3]
        assert all(reasons[table])


def test_a_second_data_set_replaces_the_first_and_its_answers_are_those_of_plain_sql(
    pipeline: Any, after_hard: dict[str, Any]
) -> None:
    pipeline.seed("faithful", SANE_ROWS, 11)
    pipeline.run_batch()

    answers, golden = pipeline.answers(), pipeline.golden()
    for table in GOLD_TABLES:
        assert golden[table], table
        assert answers[table] == golden[table], table
    reported = {question.name: normal(rows) for question, rows in report.answers_of(pipeline.settings).items()}
    assert reported == answers


def test_the_report_in_a_pipe_is_text_of_80_columns_with_the_values_of_schema_gold(pipeline: Any) -> None:
    report.save(pipeline.settings, report.collect(pipeline.settings, run_id="any", seconds={"batch": 60.0}))

    printed = subprocess.run(
        [sys.executable, "-m", "sandbox", "report"],
        env={**os.environ, "PINTEREST_SANDBOX_HOME": str(pipeline.settings.home)},
        cwd=PROJECT, capture_output=True, text=True, timeout=180, check=True,
    ).stdout  # fmt: skip

    assert max(map(len, printed.splitlines())) <= 80
    assert "\x1b" not in printed
    assert re.match(r"[\d,]+ rows in, [\d,]+ accounted for, 0 lost\.\n", printed)
    for question in map(Question.read, report.ANSWERS.glob("*.sql")):
        columns = ", ".join(question.columns)
        query = f"SELECT {columns} FROM gold.{question.name} ORDER BY {columns}"
        first = pipeline.query("pinterest_warehouse", query)[0]
        keys, values = first[: len(question.key)], first[len(question.key) :]
        said = f"{' · '.join(map(str, keys))} {' · '.join(map(short, values))}"
        assert f"  {question.text}\n    {said[:55]}" in printed, question.name
