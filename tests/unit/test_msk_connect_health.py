"""A connector is healthy when its state, its tasks and its lag all say so; each that does not is named."""

import pytest

from pinterest_pipeline.msk_connect.health import Health, Snapshot, TaskCounts, has_failed_tasks, health

FINE = TaskCounts(running=2, errored=0, workers=1)
LAG = {"pin": 10, "geo": 0}


def taken(state="RUNNING", tasks=FINE, lag=LAG, reason="", topics=("pin", "geo")):
    return Snapshot("sink", state, reason, tasks, 2, topics, lag)


def assess(snapshot, max_lag=10, min_running_tasks=None):
    return health(snapshot, max_lag=max_lag, min_running_tasks=min_running_tasks)


def test_running_with_tasks_and_little_lag_is_healthy():
    found = assess(taken())

    assert found.health is Health.HEALTHY
    assert str(found) == "RUNNING, 2 tasks running, none failed, lag: geo 0, pin 10"


@pytest.mark.parametrize(("fewest", "is_healthy"), [(None, True), (1, True), (2, True), (3, False)])
def test_as_many_tasks_as_expected_are_enough(fewest, is_healthy):
    assert (assess(taken(), min_running_tasks=fewest).health is Health.HEALTHY) is is_healthy


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        pytest.param(taken(state="CREATING"), "state is CREATING, not RUNNING", id="creating"),
        pytest.param(taken(state="PAUSED"), "PAUSED, not RUNNING: resume it", id="paused"),
        pytest.param(taken(state="SOMETHING_NEW"), "SOMETHING_NEW, not RUNNING", id="a state of the future"),
        pytest.param(taken(tasks=TaskCounts(None, None, None)), "no recent RunningTaskCount", id="no metrics yet"),
        pytest.param(taken(tasks=TaskCounts(2, None, 1)), "no recent ErroredTaskCount", id="failures unknown"),
        pytest.param(taken(tasks=TaskCounts(2, 0, None)), "no recent WorkerCount", id="workers unknown"),
        pytest.param(taken(tasks=TaskCounts(2, 0, 0)), "it has no worker (WorkerCount is 0)", id="no worker"),
        pytest.param(taken(tasks=TaskCounts(1, 1, 1)), "1 of its 2 tasks failed: restart them", id="a failed task"),
        pytest.param(taken(tasks=TaskCounts(1, 0, 1)), "1 of its 2 tasks run", id="a task less"),
        pytest.param(taken(tasks=TaskCounts(0, 0, 1)), "0 of its 2 tasks run", id="no task"),
        pytest.param(taken(lag={"pin": 11, "geo": 0}), "topic pin is 11 records behind, more than 10", id="lag at +1"),
        pytest.param(taken(lag={"pin": 1}), "no recent SumOffsetLag of topic geo", id="lag unknown"),
        pytest.param(taken(lag={}, topics=()), "no recent SumOffsetLag of its consumer group", id="all lag unknown"),
    ],
)
def test_what_may_heal_is_waited_for_and_named(snapshot, said):
    found = assess(snapshot)

    assert found.health is Health.NOT_YET
    assert said in str(found)


def test_every_reason_is_named_at_once():
    found = assess(taken(state="UPDATING", tasks=TaskCounts(0, 2, 0), lag={"pin": 99}))

    assert found.reasons == (
        "the connector's state is UPDATING, not RUNNING",
        "it has no worker (WorkerCount is 0)",
        "2 of its 2 tasks failed: restart them",
        "0 of its 2 tasks run",
        "CloudWatch AWS/Kafka has no recent SumOffsetLag of topic geo yet",
        "topic pin is 99 records behind, more than 10",
    )


@pytest.mark.parametrize("state", ["FAILED", "DELETING"])
def test_a_terminal_state_is_a_failure_with_the_services_reason(state):
    found = assess(taken(state=state, reason="BadRole: cannot assume"))

    assert found.health is Health.FAILED
    assert str(found) == f"the connector's state is {state} (BadRole: cannot assume)"


def test_of_a_connector_that_lists_no_topics_any_known_lag_counts():
    assert assess(taken(topics=())).health is Health.HEALTHY
    assert assess(taken(lag={"pin": 11}, topics=())).health is Health.NOT_YET


def test_the_lag_of_other_topics_does_not_count():
    assert assess(taken(lag={"pin": 0, "other": 999}, topics=("pin",))).health is Health.HEALTHY


def test_only_a_counted_failure_calls_for_a_restart():
    assert has_failed_tasks(taken(tasks=TaskCounts(1, 1, 1)))
    assert not has_failed_tasks(taken(tasks=TaskCounts(None, None, None)))
    assert not has_failed_tasks(taken())
