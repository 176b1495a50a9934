"""All posts sent again in a bad hour: broker away, connector dead, a row and an object at fault. No row is lost."""

import gzip
import time
from typing import Any

from sandbox.demo.demo import BATCH_DAG, failures
from sandbox.run.settings import BUCKET
from tests.e2e.test_recovery import frozen, process_of

AWAY_SECONDS = 20
SEND, LANDED = "ingest.send_posts", "posts_landed"
FIRST_USER = "ind = (SELECT min(ind) FROM user_data)"


def change_user(pipeline: Any, assignment: str) -> None:
    pipeline.query("pinterest_source", f"UPDATE user_data SET {assignment} WHERE {FIRST_USER} RETURNING ind")


def test_neither_a_broker_that_is_away_nor_a_worker_that_dies_nor_a_row_at_fault_costs_another_row(
    pipeline: Any,
) -> None:
    before = pipeline.outcomes() or (pipeline.run_batch() and pipeline.outcomes())
    answers = pipeline.answers()
    joined = pipeline.query("pinterest_source", f"SELECT date_joined FROM user_data WHERE {FIRST_USER}")[0][0]
    change_user(pipeline, "date_joined = 'infinity'")

    try:
        run_id = pipeline.start_batch()
        pipeline.wait_for_task(run_id, "ingest.offsets_grow", "success")
        with frozen(process_of(pipeline, "kafka")):
            pipeline.wait_for_task(run_id, SEND, "running")
            time.sleep(AWAY_SECONDS)
        pipeline.wait_for_task(run_id, SEND, "success")
    finally:
        change_user(pipeline, f"date_joined = '{joined}'")
    process_of(pipeline, "kafka_connect").kill()
    lake, damaged = pipeline.aws("s3"), "topics/pinterest.geo/dt=2018-01-01/pinterest.geo+0+0000000000.json.gz"
    lake.put_object(Bucket=BUCKET, Key=damaged, Body=gzip.compress(b"{}\n" * 1000)[:-9])

    assert pipeline.finish(run_id) == "failed"
    assert pipeline.failed_tasks(run_id) == {"reconcile_rows"}
    assert f"left out: {damaged.removeprefix('topics/')}" in failures(pipeline.api, BATCH_DAG, run_id)
    lake.delete_object(Bucket=BUCKET, Key=damaged)
    pipeline.clear(run_id, "reconcile_rows")
    assert pipeline.finish(run_id) == "success", failures(pipeline.api, BATCH_DAG, run_id)
    tasks = pipeline.api.task_instances(BATCH_DAG, run_id)
    assert {task["try_number"] for task in tasks if task["task_id"] in {SEND, LANDED}} == {1}
    assert max(task["duration"] for task in tasks if task["task_id"] == SEND) > AWAY_SECONDS / 2
    rows = pipeline.run_rows(run_id, "source_rows, acknowledged_rows, dead_letter_rows, landed_rows, lost_rows")
    for table, (source, acknowledged, dead_letters, landed, lost) in rows.items():
        assert (source, dead_letters, lost) == (acknowledged + dead_letters, int(table == "user"), 0)
        assert landed >= acknowledged
        bronze, *processed = pipeline.outcomes()[table]
        assert before[table][0] + acknowledged <= bronze == sum(processed)
        repeated = bronze - before[table][0]
        assert processed == [before[table][1], before[table][2] + repeated, before[table][3]]
    assert pipeline.answers() == answers
