"""The lake judged again under the real scheduler. What a changed rule does is in ``tests/spark/test_reprocess.py``."""

from typing import Any

from sandbox.demo.demo import failures

DAG = "pinterest_reprocess"


def test_by_the_same_rules_every_record_is_judged_nothing_is_sent_and_no_answer_changes(pipeline: Any) -> None:
    if not pipeline.fates():
        pipeline.run_batch()
    answers, fates = pipeline.answers(), pipeline.fates()
    pipeline.api.unpause(DAG)

    run_id = pipeline.api.trigger(DAG, {})

    assert pipeline.finish(run_id, DAG) == "success", failures(pipeline.api, DAG, run_id)
    assert pipeline.answers() == answers
    assert pipeline.fates() == fates
    changes = pipeline.api.xcom(DAG, run_id, "record_lake")
    for table, (bronze, _, _, quarantined) in fates.items():
        assert bronze >= changes[table].pop("records") >= bronze - quarantined  # broken envelopes are not judged
        assert changes[table] == {"silver": 0, "duplicates": 0, "quarantined": 0}
