"""The lake validated again under the real scheduler. What a changed rule does: ``tests/spark/test_reprocess.py``."""

from typing import Any

from sandbox.demo.demo import failures

DAG = "pinterest_reprocess"


def test_by_the_same_rules_every_record_is_validated_nothing_is_sent_and_no_answer_changes(pipeline: Any) -> None:
    if not pipeline.outcomes():
        pipeline.run_batch()
    answers, outcomes = pipeline.answers(), pipeline.outcomes()
    pipeline.api.unpause(DAG)

    run_id = pipeline.api.trigger(DAG, {})

    assert pipeline.finish(run_id, DAG) == "success", failures(pipeline.api, DAG, run_id)
    assert pipeline.answers() == answers
    assert pipeline.outcomes() == outcomes
    changes = pipeline.api.xcom(DAG, run_id, "record_lake")
    for table, (bronze, _, _, quarantined) in outcomes.items():
        assert bronze >= changes[table].pop("records") >= bronze - quarantined  # broken envelopes are not validated
        assert changes[table] == {"silver": 0, "duplicates": 0, "quarantined": 0}
