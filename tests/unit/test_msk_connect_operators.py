"""The operator that keeps a connector as its file says, on stubbed botocore clients."""

from datetime import timedelta

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common.compat import AirflowSkipException
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.msk_connect.operators import MskConnectEnsureConnectorOperator
from tests.unit.scripted_msk_connect import ARN, CONFIGURATION, FILLED, OPERATION, REQUEST

POLICY = {"cpuUtilizationPercentage": 50}
AUTOSCALING = {
    "autoScaling": {
        "maxWorkerCount": 2, "mcuCount": 1, "minWorkerCount": 1, "scaleInPolicy": POLICY, "scaleOutPolicy": POLICY,
    }
}  # fmt: skip
WORKER = {"workerConfigurationArn": "arn:w", "revision": 1}
LOGS = {"workerLogDelivery": {"cloudWatchLogs": {"enabled": True, "logGroup": "/a"}}}


def ensure(msk_operator, **arguments):
    return msk_operator(MskConnectEnsureConnectorOperator, poll_seconds=1, **arguments).execute({})


def test_a_missing_connector_is_created_and_waited_for(aws, msk_operator):
    aws.has_none()
    aws.connect.add_response("create_connector", {"connectorArn": ARN}, FILLED)
    aws.has("CREATING")
    aws.describes("RUNNING")
    aws.has()

    assert ensure(msk_operator)["actions"] == ["create"]


def test_a_failed_one_is_deleted_and_created_again_on_request(aws, msk_operator):
    aws.has("FAILED")
    aws.connect.add_response("delete_connector", {}, {"connectorArn": ARN, "currentVersion": "v1"})
    aws.has("DELETING")
    aws.connect.add_client_error("describe_connector", "NotFoundException")
    aws.has_none()
    aws.connect.add_response("create_connector", {"connectorArn": ARN}, FILLED)
    aws.has()

    assert ensure(msk_operator, recreate=True)["actions"] == ["delete", "create"]


def test_an_equal_connector_is_left_alone(aws, msk_operator):
    aws.has()

    assert ensure(msk_operator) == {"connector": "sink", "arn": ARN, "state": "RUNNING", "actions": []}


def test_a_different_one_is_updated_and_the_changed_keys_are_named(aws, msk_operator):
    aws.has(configuration={"flush.size": "1"})
    aws.begins("update_connector", currentVersion="v1", connectorConfiguration=CONFIGURATION)
    aws.tells_of_the_operation("UPDATE_IN_PROGRESS")
    aws.tells_of_the_operation("UPDATE_COMPLETE")
    aws.has("UPDATING")
    aws.describes("UPDATING")
    aws.describes("RUNNING")
    aws.has()

    assert ensure(msk_operator)["actions"] == ["update its configuration: flush.size"]


@pytest.mark.parametrize(
    ("reported", "file", "update", "action"),
    [
        pytest.param(
            {},
            {"capacity": AUTOSCALING},
            {"capacity": AUTOSCALING},
            "capacity.autoScaling, capacity.provisionedCapacity",
            id="provisioned to autoscaling",
        ),
        pytest.param(
            {},
            {"workerConfiguration": WORKER},
            {"workerConfiguration": WORKER},
            "workerConfiguration",
            id="a worker configuration added",
        ),
        pytest.param(
            {"workerConfiguration": WORKER},
            {},
            {"useDefaultWorkerConfiguration": True},
            "workerConfiguration",
            id="a worker configuration removed",
        ),
    ],
)
def test_what_one_side_lacks_is_updated(aws, msk_operator, reported, file, update, action):
    aws.has(**reported)
    aws.begins("update_connector", currentVersion="v1", **update)
    aws.tells_of_the_operation("UPDATE_COMPLETE")
    aws.has(**dict.fromkeys(reported), **file)

    assert ensure(msk_operator, request={**REQUEST, **file})["actions"] == [f"update its worker setting: {action}"]


@pytest.mark.parametrize(("reported", "file"), [({}, {"logDelivery": LOGS}), ({"logDelivery": LOGS}, {})])
def test_log_delivery_that_one_side_lacks_is_named_as_what_needs_a_new_connector(aws, msk_operator, reported, file):
    aws.has(**reported)

    with pytest.raises(PermanentError, match=r"differs from its file in logDelivery.cloudWatchLogs, which cannot be "):
        ensure(msk_operator, request={**REQUEST, **file})


def test_log_delivery_is_added_by_a_new_connector_on_request(aws, msk_operator):
    request = {**REQUEST, "logDelivery": LOGS}
    aws.has()
    aws.connect.add_response("delete_connector", {}, {"connectorArn": ARN, "currentVersion": "v1"})
    aws.has_none()
    aws.connect.add_response("create_connector", {"connectorArn": ARN}, {**FILLED, "logDelivery": LOGS})
    aws.has(logDelivery=LOGS)

    assert ensure(msk_operator, request=request, recreate=True)["actions"] == ["delete", "create"]


def test_a_changed_description_and_another_order_are_nothing_to_do(aws, msk_operator, caplog):
    cluster = {"bootstrapServers": "b:9098,a:9098", "vpc": {"subnets": ["s", "r"], "securityGroups": ["g"]}}
    aws.has(kafkaCluster={"apacheKafkaCluster": cluster}, connectorDescription="old")
    wanted = {"bootstrapServers": "a:9098,b:9098", "vpc": {"subnets": ["r", "s"], "securityGroups": ["g"]}}

    request = {**REQUEST, "kafkaCluster": {"apacheKafkaCluster": wanted}, "connectorDescription": "new"}
    assert ensure(msk_operator, request=request)["actions"] == []


def test_an_update_that_the_service_rolls_back_is_an_error_with_its_reason(aws, msk_operator):
    aws.has(configuration={"flush.size": "1"})
    aws.begins("update_connector", currentVersion="v1", connectorConfiguration=CONFIGURATION)
    reason = {"errorInfo": {"code": "InvalidInput", "message": "flush.size is\n too large"}}
    aws.tells_of_the_operation("ROLLBACK_COMPLETE", **reason)

    with pytest.raises(PermanentError, match=r"ended in ROLLBACK_COMPLETE \(InvalidInput: flush.size is too large\)"):
        ensure(msk_operator)


def test_an_update_that_the_service_undoes_without_a_word_is_not_repeated(aws, msk_operator):
    aws.has(configuration={"flush.size": "1"})
    aws.begins("update_connector", currentVersion="v1", connectorConfiguration=CONFIGURATION)
    aws.tells_of_the_operation("UPDATE_COMPLETE")
    aws.has(configuration={"flush.size": "1"})

    with pytest.raises(
        PermanentError, match="sink: MSK Connect undid or ignored this: update its configuration: flush"
    ):
        ensure(msk_operator)


def test_a_pause_is_followed_to_its_end_and_skips_what_comes_after(aws, msk_operator):
    aws.has()
    aws.begins("pause_connector")
    aws.tells_of_the_operation("PAUSE_IN_PROGRESS", "PAUSE_CONNECTOR")
    aws.tells_of_the_operation("PAUSE_COMPLETE", "PAUSE_CONNECTOR")
    aws.has("PAUSED")

    with pytest.raises(AirflowSkipException, match="Connector sink is paused: posts wait in Kafka"):
        ensure(msk_operator, paused=True)


def test_a_resume_is_followed_and_the_connector_is_then_as_its_file_says(aws, msk_operator):
    aws.has("PAUSED")
    aws.begins("resume_connector")
    aws.tells_of_the_operation("RESUME_COMPLETE", "RESUME_CONNECTOR")
    aws.has("RESUMING")
    aws.describes("RUNNING")
    aws.has()

    assert ensure(msk_operator, paused=False)["actions"] == ["resume"]


def test_a_pause_that_fails_is_an_error_with_the_services_reason(aws, msk_operator):
    aws.has()
    aws.begins("pause_connector")
    aws.tells_of_the_operation("PAUSE_FAILED", "PAUSE_CONNECTOR", errorInfo={"code": "Busy", "message": "later"})

    with pytest.raises(PermanentError, match=r"PAUSE_CONNECTOR ended in PAUSE_FAILED \(Busy: later\)"):
        ensure(msk_operator, paused=True)


def test_an_operation_that_botocore_does_not_know_says_what_to_install(aws, msk_operator, monkeypatch):
    aws.has()
    monkeypatch.delattr(type(aws.hook.conn), "pause_connector")

    with pytest.raises(PermanentError, match=r"botocore .* has no pause_connector: install botocore 1\.44\.8 or newer"):
        ensure(msk_operator, paused=True)


def test_without_waiting_it_returns_after_the_first_change(aws, msk_operator):
    aws.has(configuration={"flush.size": "1"})
    aws.begins("update_connector", currentVersion="v1", connectorConfiguration=CONFIGURATION)
    aws.has("UPDATING")

    assert ensure(msk_operator, wait=False)["state"] == "UPDATING"


def test_a_connector_that_fails_while_waited_for_is_an_error_with_the_reason(aws, msk_operator):
    aws.has("CREATING")
    aws.describes("FAILED")
    aws.has("FAILED", stateDescription={"code": "Bad", "message": "flush"})

    with pytest.raises(PermanentError, match=r"sink is FAILED \(Bad: flush\)"):
        ensure(msk_operator)


def test_a_deadline_that_passes_lets_another_try_go_on(aws, msk_operator):
    aws.has("CREATING")
    aws.describes("CREATING")

    with pytest.raises(TransientError, match="another try goes on waiting"):
        ensure(msk_operator, timeout=timedelta(0))


def test_deferred_it_hands_over_and_looks_again_afterwards(aws, msk_operator):
    built = msk_operator(MskConnectEnsureConnectorOperator, deferrable=True)
    aws.has("CREATING")
    with pytest.raises(TaskDeferred) as deferred:
        built.execute({})
    aws.has()

    result = getattr(built, deferred.value.method_name)(
        {}, event={"status": "ready", "result": {"state": "RUNNING"}}, **deferred.value.kwargs
    )

    assert result["state"] == "RUNNING"
    assert deferred.value.trigger.serialize()[1]["until"] == "LASTING"


def test_deferred_it_follows_the_operation_of_an_update(aws, msk_operator):
    built = msk_operator(MskConnectEnsureConnectorOperator, deferrable=True)
    aws.has(configuration={"flush.size": "1"})
    aws.begins("update_connector", currentVersion="v1", connectorConfiguration=CONFIGURATION)
    with pytest.raises(TaskDeferred) as deferred:
        built.execute({})
    aws.has()

    result = built.resume({}, {"status": "ready", "result": {"state": "UPDATE_COMPLETE"}}, **deferred.value.kwargs)

    assert result["actions"] == ["update its configuration: flush.size"]
    assert deferred.value.trigger.serialize()[1]["operation_arn"] == OPERATION
