"""Records whose every timestamp is no instant: nothing is published until they are right, or are let through."""

import json
import time
from typing import Any

import httpx

from sandbox.__main__ import client_environment
from sandbox.demo.demo import BATCH_DAG, failures
from tests.e2e.conftest import OPEN
from tests.e2e.test_recovery import SMALL_WINDOW

FIRST = 800_000  # ids that no other test uses
COUNT = 600  # as many as a batch just before has validated, which may still count
LANDED_SECONDS = 10  # thrice the connector's interval: the batch waits for its own records only


def post_local_times(pipeline: Any) -> None:
    """Send records as a producer would that writes local dates."""
    environment = client_environment(pipeline.settings)
    rows = [{"ind": FIRST + n, "timestamp": "27.11.2026 10:00", "country": "Chad"} for n in range(COUNT)]
    answer = httpx.post(
        f"{environment['KAFKA_REST_URL']}/topics/pinterest.geo",
        content=json.dumps({"records": [{"key": row["ind"], "value": row} for row in rows]}),
        headers={
            "x-api-key": environment["KAFKA_REST_API_KEY"],
            "Content-Type": "application/vnd.kafka.json.v2+json",
        },
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    time.sleep(LANDED_SECONDS)


def test_readers_keep_the_last_answers_while_a_gate_is_closed(pipeline: Any) -> None:
    if not pipeline.outcomes():
        pipeline.run_batch()
    answers = pipeline.answers()
    pipeline.set_gates({})
    post_local_times(pipeline)

    run_id = pipeline.start_batch(**SMALL_WINDOW)

    assert pipeline.finish(run_id) == "failed"
    assert pipeline.failed_tasks(run_id) == {"publish.check_quality"}
    said = failures(pipeline.api, BATCH_DAG, run_id)
    assert f"geo.timestamp: {COUNT} of" in said
    assert said.count("27.11.2026 10:00") >= 3
    assert pipeline.answers() == answers
    assert pipeline.task(run_id, "reconcile_rows")["state"] == "success"

    pipeline.set_gates(OPEN)
    pipeline.clear(run_id, "publish.check_quality")
    assert pipeline.finish(run_id) == "success", failures(pipeline.api, BATCH_DAG, run_id)
