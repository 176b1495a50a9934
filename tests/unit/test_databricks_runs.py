"""Decisions over runs: which attempt counts, attach or start again, wait, repair or fail."""

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.databricks.runs import (
    AfterStart,
    StageStep,
    State,
    Watch,
    after_start,
    has_ended,
    run_from,
    stage_step,
    why_it_failed,
)
from tests.unit.scripted_databricks import task

FIRST_TRY = Watch(is_first_check=True)
CLEARED = Watch(is_later_try=True, is_first_check=True, is_cleared=True)
LATER_TRY = Watch(is_later_try=True, is_first_check=True)


def run(*tasks, life="RUNNING", result="", **more):
    state = {"life_cycle_state": life, "result_state": result}
    return run_from([{"run_id": 1, "run_name": "r", "state": state, "tasks": list(tasks), **more}])


def silver(life="RUNNING", result="", run_life="RUNNING", run_result="", **more):
    """A run whose stage silver is in that state."""
    return run(task("silver", life, result, **more), life=run_life, result=run_result)


def before_gold(life):
    """An active run whose stage silver has failed, and the stage after it is in that state."""
    return run(task("silver", "TERMINATED", "FAILED"), task("gold", life, depends_on=[{"task_key": "silver"}]))


FAILED = silver("TERMINATED", "FAILED", "TERMINATED", "FAILED")
CANCELLED = silver("TERMINATED", "CANCELED", "TERMINATED", "CANCELED")


def test_of_several_attempts_the_newest_counts_whatever_the_order_and_the_page():
    new, old = task("a", run_id=9, attempt_number=1), task("a", "TERMINATED", "FAILED", run_id=3)
    head = {"run_id": 1, "state": {"life_cycle_state": "RUNNING"}}

    for pages in ([[new, old]], [[old], [new]], [[task("b")], [new, old]]):
        assert run_from([{**head, "tasks": page} for page in pages]).task("a").run_id == 9


def test_the_last_repair_is_known():
    history = [{"type": "ORIGINAL"}, {"type": "REPAIR", "id": 5}, {"type": "REPAIR", "id": 6}]

    assert run(repair_history=history).latest_repair_id == 6
    assert run(repair_history=history[:1]).latest_repair_id is None


def test_a_task_that_the_run_does_not_have_is_named_with_those_it_has():
    with pytest.raises(PermanentError, match=r"run 1 \(r\) has no task 'gold', only silver"):
        silver().task("gold")


@pytest.mark.parametrize(
    ("life", "result", "expected"),
    [
        ("PENDING", "", AfterStart.ATTACH),
        ("QUEUED", "", AfterStart.ATTACH),
        ("RUNNING", "", AfterStart.ATTACH),
        ("WAITING_FOR_RETRY", "", AfterStart.ATTACH),
        ("TERMINATED", "SUCCESS", AfterStart.ATTACH),
        ("TERMINATING", "", AfterStart.WAIT_FOR_END),
        ("TERMINATED", "FAILED", AfterStart.START_AGAIN),
        ("TERMINATED", "CANCELED", AfterStart.START_AGAIN),
        ("TERMINATED", "SUCCESS_WITH_FAILURES", AfterStart.START_AGAIN),
        ("INTERNAL_ERROR", "FAILED", AfterStart.START_AGAIN),
        ("SKIPPED", "", AfterStart.START_AGAIN),
    ],
)
def test_what_a_used_or_new_token_brought(life, result, expected):
    assert after_start(State(life, result)) is expected


@pytest.mark.parametrize(
    ("seen", "watch", "step"),
    [
        pytest.param(silver(), FIRST_TRY, StageStep.WAIT, id="running"),
        pytest.param(silver("BLOCKED"), FIRST_TRY, StageStep.WAIT, id="waits for the stage before"),
        pytest.param(silver("TERMINATED", "SUCCESS"), FIRST_TRY, StageStep.DONE, id="succeeded, the run goes on"),
        pytest.param(silver("TERMINATED", "SUCCESS"), LATER_TRY, StageStep.DONE, id="succeeded before a clear"),
        pytest.param(FAILED, FIRST_TRY, StageStep.FAIL, id="failed in the first try"),
        pytest.param(silver("BLOCKED", "", "INTERNAL_ERROR"), FIRST_TRY, StageStep.FAIL, id="the run died first"),
        pytest.param(FAILED, LATER_TRY, StageStep.REPAIR, id="failed before this try"),
        pytest.param(silver("TERMINATED", "FAILED"), FIRST_TRY, StageStep.WAIT, id="its retry may not be listed yet"),
        pytest.param(before_gold("BLOCKED"), FIRST_TRY, StageStep.WAIT, id="the next stage waits for its retry"),
        pytest.param(before_gold("SKIPPED"), FIRST_TRY, StageStep.FAIL, id="the next stage was given up"),
        pytest.param(silver("TERMINATED", "SUCCESS"), CLEARED, StageStep.WAIT_FOR_END, id="cleared, the run goes on"),
        pytest.param(
            silver("TERMINATED", "SUCCESS", "TERMINATED", "SUCCESS"), CLEARED, StageStep.REPAIR, id="cleared, run over"
        ),
        pytest.param(silver(), CLEARED, StageStep.WAIT, id="cleared while active"),
        pytest.param(
            silver("TERMINATED", "SUCCESS", "TERMINATED", "SUCCESS"),
            Watch(is_later_try=True, is_cleared=True, replaced=99),
            StageStep.DONE,
            id="cleared, repaired, succeeded",
        ),
        pytest.param(silver("SKIPPED", "", "TERMINATED", "FAILED"), LATER_TRY, StageStep.REPAIR, id="skipped before"),
        pytest.param(
            silver("TERMINATED", "FAILED"), LATER_TRY, StageStep.WAIT_FOR_END, id="failed before, the run goes on"
        ),
        pytest.param(silver("TERMINATING"), LATER_TRY, StageStep.WAIT_FOR_END, id="being cancelled"),
        pytest.param(silver(), LATER_TRY, StageStep.WAIT, id="a dead worker's repair is under way"),
        pytest.param(FAILED, Watch(is_later_try=True, seconds=5), StageStep.FAIL, id="failed in this later try"),
        pytest.param(
            CANCELLED, Watch(is_later_try=True, seconds=59), StageStep.REPAIR, id="cancelled late by the try before"
        ),
        pytest.param(CANCELLED, Watch(is_later_try=True, seconds=60), StageStep.FAIL, id="cancelled by someone"),
        pytest.param(CANCELLED, Watch(seconds=5), StageStep.FAIL, id="cancelled in the first try"),
        pytest.param(CANCELLED, Watch(is_later_try=True, seconds=9, must_repair=True), StageStep.REPAIR, id="it ended"),
        pytest.param(FAILED, Watch(is_later_try=True, replaced=100), StageStep.WAIT, id="repair not yet visible"),
        pytest.param(FAILED, Watch(is_later_try=True, replaced=99), StageStep.FAIL, id="the repair failed too"),
        pytest.param(
            CANCELLED, Watch(is_later_try=True, replaced=99, seconds=9), StageStep.FAIL, id="one repair a try"
        ),
    ],
)
def test_the_next_step_of_a_stages_watcher(seen, watch, step):
    assert stage_step(seen, "silver", watch) is step


def test_a_deferred_watcher_wakes_when_its_stage_or_the_whole_run_has_ended():
    assert not has_ended(silver(), "silver", 0)
    assert has_ended(silver("TERMINATED", "SUCCESS"), "silver", 0)
    assert has_ended(silver("BLOCKED", "", "INTERNAL_ERROR"), "silver", 0)
    assert not has_ended(FAILED, "silver", 100)
    assert not has_ended(silver("TERMINATED", "FAILED"), None, 0)
    assert has_ended(FAILED, None, 0)


def test_a_stage_that_never_ran_blames_the_first_that_failed():
    after = [{"task_key": "bronze"}], [{"task_key": "silver"}]
    tasks = (
        task("bronze", "TERMINATED", "FAILED"),
        task("silver", "SKIPPED", "UPSTREAM_FAILED", depends_on=after[0]),
        task("gold", "SKIPPED", "UPSTREAM_FAILED", depends_on=after[1]),
    )
    seen = run(*tasks, life="TERMINATED", result="FAILED")

    assert seen.root_cause("gold").key == "bronze"
    assert why_it_failed(seen, "gold").endswith("because stage bronze ended as TERMINATED FAILED")
    assert why_it_failed(seen, "bronze") == "stage bronze ended as TERMINATED FAILED"
    assert "because the run ended as" in why_it_failed(silver("BLOCKED", "", "INTERNAL_ERROR"), "silver")
