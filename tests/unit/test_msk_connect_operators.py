"""The operators and the sensor of MSK Connect, on stubbed botocore clients."""

import json
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common.compat import AirflowSensorTimeout
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.msk_connect.hook import MskConnectHook
from pinterest_pipeline.msk_connect.operators import MskConnectEnsureConnectorOperator, MskConnectRestartOperator
from pinterest_pipeline.msk_connect.sensors import MskConnectHealthSensor
from tests.unit.scripted_msk_connect import ARN, CONFIGURATION, Service

REQUEST = {
    "connectorName": "sink",
    "capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
    "connectorConfiguration": {"flush.size": "${size}"},
    "kafkaCluster": {
        "apacheKafkaCluster": {"bootstrapServers": "b:9098", "vpc": {"subnets": ["s"], "securityGroups": ["g"]}}
    },
    "kafkaClusterClientAuthentication": {"authenticationType": "IAM"},
    "kafkaClusterEncryptionInTransit": {"encryptionType": "TLS"},
    "kafkaConnectVersion": "3.7.x",
    "plugins": [{"customPlugin": {"customPluginArn": "arn", "revision": 1}}],
    "serviceExecutionRoleArn": "arn",
}
FILLED = {**REQUEST, "connectorConfiguration": CONFIGURATION}


@pytest.fixture
def service(monkeypatch):
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    scripted = Service(MskConnectHook(aws_conn_id=None))
    with scripted.connect, scripted.cloudwatch:
        yield scripted
        scripted.connect.assert_no_pending_responses()
        scripted.cloudwatch.assert_no_pending_responses()


@pytest.fixture
def operator(service, tmp_path, monkeypatch):
    """Return a function that builds an operator on the stubbed service."""
    monkeypatch.setattr("pinterest_pipeline.msk_connect.hook.MskConnectHook", lambda **_: service.hook)
    file = tmp_path / "sink.json"
    file.write_text(json.dumps(REQUEST))

    def build(kind, **arguments):
        ensures = kind is MskConnectEnsureConnectorOperator
        own = {"connector_file": file, "connector_values": {"size": 5000}} if ensures else {"connector_name": "sink"}
        return kind(task_id="t", **{"deferrable": False, **own, **arguments})

    return build


def ensure(operator, **arguments):
    return operator(MskConnectEnsureConnectorOperator, poll_seconds=1, **arguments).execute({})


def test_a_missing_connector_is_created_and_waited_for(service, operator):
    service.has_none()
    service.connect.add_response("create_connector", {"connectorArn": ARN}, FILLED)
    service.has("CREATING")
    service.describes("RUNNING")
    service.has()

    assert ensure(operator)["actions"] == ["create"]


def test_a_failed_one_is_deleted_and_created_again_on_request(service, operator):
    service.has("FAILED")
    service.connect.add_response("delete_connector", {}, {"connectorArn": ARN, "currentVersion": "v1"})
    service.has("DELETING")
    service.connect.add_client_error("describe_connector", "NotFoundException")
    service.has_none()
    service.connect.add_response("create_connector", {"connectorArn": ARN}, FILLED)
    service.has()

    assert ensure(operator, recreate_failed=True)["actions"] == ["delete", "create"]


def test_an_equal_connector_is_left_alone(service, operator):
    service.has()

    assert ensure(operator) == {"connector": "sink", "arn": ARN, "state": "RUNNING", "actions": []}


def test_a_different_one_is_updated_and_the_changed_keys_are_named(service, operator):
    service.has(configuration={"flush.size": "1"})
    update = {"connectorArn": ARN, "currentVersion": "v1", "connectorConfiguration": CONFIGURATION}
    service.connect.add_response("update_connector", {"connectorArn": ARN}, update)
    service.has("UPDATING")
    service.describes("UPDATING")
    service.describes("RUNNING")
    service.has()

    assert ensure(operator)["actions"] == ["update its configuration: flush.size"]


def test_an_update_that_the_service_rolls_back_is_not_repeated(service, operator):
    service.has(configuration={"flush.size": "1"})
    service.connect.add_response("update_connector", {"connectorArn": ARN})
    service.has(configuration={"flush.size": "1"})

    with pytest.raises(
        PermanentError, match="sink: MSK Connect undid or ignored this: update its configuration: flush"
    ):
        ensure(operator)


def test_without_waiting_it_returns_after_the_first_change(service, operator):
    service.has(configuration={"flush.size": "1"})
    service.connect.add_response("update_connector", {"connectorArn": ARN})
    service.has("UPDATING")

    assert ensure(operator, wait=False)["state"] == "UPDATING"


def test_a_connector_that_fails_while_waited_for_is_an_error_with_the_reason(service, operator):
    service.has("CREATING")
    service.describes("FAILED")
    service.has("FAILED", stateDescription={"code": "Bad", "message": "flush"})

    with pytest.raises(PermanentError, match=r"sink is FAILED \(Bad: flush\)"):
        ensure(operator)


def test_a_deadline_that_passes_lets_another_try_go_on(service, operator):
    service.has("CREATING")
    service.describes("CREATING")

    with pytest.raises(TransientError, match="another try goes on waiting"):
        ensure(operator, timeout=timedelta(0))


def test_deferred_it_hands_over_and_looks_again_afterwards(service, operator):
    built = operator(MskConnectEnsureConnectorOperator, deferrable=True)
    service.has("CREATING")
    with pytest.raises(TaskDeferred) as deferred:
        built.execute({})
    service.has()

    result = getattr(built, deferred.value.method_name)(
        {}, event={"status": "ready", "result": {"state": "RUNNING"}}, **deferred.value.kwargs
    )

    assert result["state"] == "RUNNING"
    assert deferred.value.trigger.serialize()[1]["until"] == "RUNNING"


def test_a_restart_happens_only_where_a_task_failed(service, operator):
    service.has()
    service.was_restarted(1)
    service.has()
    service.measures(errored=0)

    assert operator(MskConnectRestartOperator).execute({}) == {
        "connector": "sink", "restarted": False, "restarts_in_window": 1,
    }  # fmt: skip


def test_failed_tasks_are_restarted_below_the_bound(service, operator):
    service.has()
    service.was_restarted(2)
    service.has()
    service.measures(errored=1)
    service.connect.add_response("restart_connector", {}, {"connectorArn": ARN, "onlyFailedTasks": True})
    service.describes("RUNNING")

    assert operator(MskConnectRestartOperator, max_restarts=3).execute({})["restarts_in_window"] == 3


def test_at_the_bound_the_task_fails_for_good(service, operator):
    service.has()
    service.was_restarted(3)
    service.has()
    service.measures(errored=1)

    with pytest.raises(PermanentError, match="sink was restarted 3 times within 1:00:00 and its tasks fail still"):
        operator(MskConnectRestartOperator, max_restarts=3).execute({})


def test_the_sensor_waits_while_a_task_is_failed_and_ends_when_none_is(service, operator):
    service.has()
    service.measures(errored=1)
    service.has()
    service.measures(errored=0)

    assert operator(MskConnectHealthSensor, poke_interval=0).execute({})["connector"] == "sink"


def test_the_sensor_fails_at_once_on_a_missing_and_on_a_failed_connector(service, operator):
    service.has_none()
    with pytest.raises(PermanentError, match="run the DAG pinterest_sink_connector"):
        operator(MskConnectHealthSensor).execute({})

    service.has("FAILED")
    service.measures()
    with pytest.raises(PermanentError, match="state is FAILED"):
        operator(MskConnectHealthSensor).execute({})


def test_the_deferred_sensor_ends_as_its_trigger_says(service, operator):
    sensor = operator(MskConnectHealthSensor, deferrable=True)
    service.has("CREATING")
    service.measures()
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
def test_impossible_arguments_are_refused_when_the_dag_is_parsed(operator, kind, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        operator(kind, **arguments)
