"""The whole path on the real scheduler: every row has one outcome, and the answers are those of plain SQL."""

import base64
from typing import Any

import httpx
import pytest

from sandbox.__main__ import client_environment
from sandbox.data.source.hard_wire import hard_payloads
from sandbox.demo import report
from sandbox.demo.report import GOLD_TABLES
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
