"""The operator that restarts failed tasks, and the sensor of health, on stubbed botocore clients."""

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common.compat import AirflowSensorTimeout, AirflowSkipException
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.msk_connect.restart import MskConnectRestartOperator
from pinterest_pipeline.msk_connect.sensors import MskConnectHealthSensor


def test_a_restart_happens_only_where_a_task_failed(aws, msk_operator):
    aws.has()
    aws.was_restarted(1)
    aws.has()
    aws.measures()

    assert msk_operator(MskConnectRestartOperator).execute({}) == {
        "connector": "sink", "restarted": False, "restarts_in_window": 1,
    }  # fmt: skip


def test_failed_tasks_are_restarted_below_the_bound(aws, msk_operator):
    aws.has()
    aws.was_restarted(2)
    aws.has()
    aws.measures(running=1, errored=1)
    aws.begins("restart_connector", onlyFailedTasks=True)
    aws.tells_of_the_operation("RESTART_IN_PROGRESS", "RESTART_CONNECTOR")
    aws.tells_of_the_operation("RESTART_COMPLETE", "RESTART_CONNECTOR")

    assert (
        msk_operator(MskConnectRestartOperator, poll_seconds=1, max_restarts=3).execute({})["restarts_in_window"] == 3
    )


def test_at_the_bound_the_task_fails_for_good(aws, msk_operator):
    aws.has()
    aws.was_restarted(3)
    aws.has()
    aws.measures(running=1, errored=1)

    with pytest.raises(PermanentError, match="sink was restarted 3 times within 1:00:00 and its tasks fail still"):
        msk_operator(MskConnectRestartOperator, poll_seconds=1, max_restarts=3).execute({})


def test_a_restart_that_fails_is_an_error_with_the_services_reason(aws, msk_operator):
    aws.has()
    aws.was_restarted(0)
    aws.has()
    aws.measures(running=1, errored=1)
    aws.begins("restart_connector", onlyFailedTasks=True)
    reason = {"errorInfo": {"code": "UnknownError.Unknown", "message": "timed out"}}
    aws.tells_of_the_operation("RESTART_FAILED", "RESTART_CONNECTOR", **reason)

    with pytest.raises(
        PermanentError, match=r"RESTART_CONNECTOR ended in RESTART_FAILED \(UnknownError.Unknown: timed"
    ):
        msk_operator(MskConnectRestartOperator, poll_seconds=1).execute({})


def test_a_connector_that_is_listed_but_gone_is_checked_again_before_a_restart(aws, msk_operator):
    aws.lists()
    aws.connect.add_client_error("describe_connector", "NotFoundException")
    aws.has_none()

    with pytest.raises(PermanentError, match="sink does not exist in MSK Connect: run the DAG"):
        msk_operator(MskConnectRestartOperator, poll_seconds=1).execute({})


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        ("PAUSED", AirflowSkipException, "sink is PAUSED: there is nothing to restart"),
        (
            "FAILED",
            PermanentError,
            r"sink is FAILED \(no reason given\), and MSK Connect restarts only what is RUNNING",
        ),
        ("UPDATING", TransientError, "sink is UPDATING: it can be restarted when it is RUNNING"),
    ],
)
def test_only_what_is_running_is_restarted(aws, msk_operator, state, error, said):
    aws.has(state)

    with pytest.raises(error, match=said):
        msk_operator(MskConnectRestartOperator).execute({})


def test_the_sensor_waits_while_a_task_is_failed_and_ends_when_none_is(aws, msk_operator):
    aws.has()
    aws.measures(running=1, errored=1)
    aws.has()
    aws.measures()

    assert msk_operator(MskConnectHealthSensor, poke_interval=0).execute({})["connector"] == "sink"


@pytest.mark.parametrize(
    ("newest", "said"),
    [
        pytest.param({"workers": 0}, "it has no worker", id="no worker"),
        pytest.param({"running": 1}, "1 of its 2 tasks run", id="a task of two"),
        pytest.param({"lag0": None}, "no recent SumOffsetLag of topic pin", id="unknown lag"),
    ],
)
def test_the_sensor_says_what_is_not_healthy_and_waits(aws, msk_operator, newest, said):
    aws.has()
    aws.measures(**newest)

    with pytest.raises(AirflowSensorTimeout, match=f"Still waiting for connector sink to become healthy: .*{said}"):
        msk_operator(MskConnectHealthSensor, timeout=0, poke_interval=0).execute({})


def test_the_sensor_checks_again_where_the_connector_was_listed_but_gone(aws, msk_operator):
    aws.lists()
    aws.connect.add_client_error("describe_connector", "NotFoundException")
    aws.has()
    aws.measures()

    assert msk_operator(MskConnectHealthSensor, poke_interval=0).execute({})["connector"] == "sink"


def test_the_sensor_fails_at_once_on_a_missing_and_on_a_failed_connector(aws, msk_operator):
    aws.has_none()
    with pytest.raises(PermanentError, match="run the DAG pinterest_sink_connector"):
        msk_operator(MskConnectHealthSensor).execute({})

    aws.has("FAILED")
    aws.measures()
    with pytest.raises(PermanentError, match="state is FAILED"):
        msk_operator(MskConnectHealthSensor).execute({})


def test_the_deferred_sensor_ends_as_its_trigger_says(aws, msk_operator):
    sensor = msk_operator(MskConnectHealthSensor, deferrable=True)
    aws.has("CREATING")
    aws.measures()
    with pytest.raises(TaskDeferred):
        sensor.execute({})

    assert sensor.resume({}, {"status": "ready", "result": {"connector": "sink"}}) == {"connector": "sink"}
    with pytest.raises(AirflowSensorTimeout, match=r"after .* s still waiting for connector sink .*: no metrics"):
        sensor.resume({}, {"status": "timed_out", "message": "connector sink to become healthy: no metrics"})
    with pytest.raises(PermanentError, match="will not become so by waiting: gone wrong"):
        sensor.resume({}, {"status": "failed", "message": "will not become so by waiting: gone wrong"})


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (MskConnectRestartOperator, {"max_restarts": 0}),
        (MskConnectRestartOperator, {"poll_seconds": 0}),
        (MskConnectHealthSensor, {"max_lag": -1}),
    ],
)
def test_impossible_arguments_are_refused_when_the_dag_is_parsed(msk_operator, kind, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        msk_operator(kind, **arguments)
