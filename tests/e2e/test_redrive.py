"""Rows that cannot be sent, a day that fails for them, and the way back: corrected, sent again, delivered."""

from typing import Any

from sandbox.demo.demo import BATCH_DAG, failures
from sandbox.run.settings import BUCKET

DAG = "pinterest_redrive"
WINDOW = {"window_start": "2019-03-01T00:00:00", "window_end": "2019-06-01T00:00:00"}
WITHIN = f"timestamp >= '{WINDOW['window_start']}' AND timestamp < '{WINDOW['window_end']}'"
SOME = f"SELECT ind FROM geolocation_data WHERE {WITHIN} ORDER BY ind LIMIT 3"


def change_users(pipeline: Any, assignment: str) -> None:
    pipeline.query("pinterest_source", f"UPDATE user_data SET {assignment} WHERE ind IN ({SOME}) RETURNING ind")


def redrive(pipeline: Any, **conf: Any) -> str:
    run_id: str = pipeline.api.trigger(DAG, conf)
    assert pipeline.finish(run_id, DAG) == "success", failures(pipeline.api, DAG, run_id)
    return run_id


def states(pipeline: Any, run_id: str) -> dict[str, str]:
    return {task["task_id"]: task["state"] for task in pipeline.api.task_instances(DAG, run_id)}


def test_dead_letters_fail_their_day_until_they_are_corrected_and_sent_again(pipeline: Any) -> None:
    if not pipeline.outcomes():
        pipeline.run_batch()
    pipeline.api.unpause(DAG)
    for others in pipeline.objects("dead-letters/pinterest.user/"):  # those of other tests are not of this one
        pipeline.aws("s3").delete_object(Bucket=BUCKET, Key=others)
    change_users(pipeline, "date_joined = 'infinity'")
    try:
        failed = pipeline.start_batch(**WINDOW)
        assert pipeline.finish(failed) == "failed"
    finally:
        change_users(pipeline, "date_joined = '2016-02-29 12:00'")

    assert pipeline.failed_tasks(failed) == {"reconcile_rows"}
    assert pipeline.run_rows(failed, "dead_letter_rows") == {"geo": (0,), "pin": (0,), "user": (3,)}
    (stored,) = pipeline.objects("dead-letters/pinterest.user/")

    counted = redrive(pipeline, which="all", dry_run=True)

    assert pipeline.api.xcom(DAG, counted, "find_dead_letters")["rows"] == {"pin": 0, "geo": 0, "user": 3}
    assert set(pipeline.api.xcom(DAG, counted, "preview.log_preview")) == {"pin", "geo", "user"}
    assert states(pipeline, counted)["ingest.redrive"] == "skipped"
    assert pipeline.objects("dead-letters/pinterest.user/") == [stored]

    sent = redrive(pipeline)

    assert pipeline.answers() == pipeline.golden()
    assert pipeline.objects("dead-letters/pinterest.user/") == []
    moved = [
        name for name in pipeline.objects("dead-letters-redriven/") if name.endswith(stored[len("dead-letters") :])
    ]
    assert len(moved) == 1
    counts = pipeline.run_rows(sent, "acknowledged_rows, dead_letter_rows, silver_rows + duplicate_rows")
    assert counts["user"] == (3, 0, 3)
    pipeline.clear(failed, "reconcile_rows")
    assert pipeline.finish(failed) == "success", failures(pipeline.api, BATCH_DAG, failed)


def test_without_dead_letters_nothing_is_sent_and_quarantined_records_can_be_validated_alone(pipeline: Any) -> None:
    outcomes = pipeline.outcomes()

    nothing = redrive(pipeline)
    validated = redrive(pipeline, which="quarantine", tables=["user"])

    assert {state for task, state in states(pipeline, nothing).items() if "." in task} == {"skipped"}
    after = states(pipeline, validated)
    assert {after[f"lakehouse.{stage}"] for stage in ("bronze", "silver", "reprocess", "gold")} == {"success"}
    assert (after["ingest.redrive"], after["reconcile_redriven"]) == ("skipped", "success")
    assert pipeline.outcomes() == outcomes
