"""Our MSK Connect hook, operators, sensor and triggers against the stand-in, with the product's own connector file."""

import asyncio
import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common.compat import AirflowSkipException
from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.msk_connect.client import ConnectorChangedError
from pinterest_pipeline.msk_connect.hook import MskConnectHook
from pinterest_pipeline.msk_connect.operators import MskConnectEnsureConnectorOperator
from pinterest_pipeline.msk_connect.restart import MskConnectRestartOperator
from pinterest_pipeline.msk_connect.sensors import MskConnectHealthSensor
from pinterest_pipeline.msk_connect.triggers import MskConnectHealthTrigger, MskConnectStateTrigger
from tests.support.kafka import PROJECT, KafkaLab
from tests.support.waiting import wait_until

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
FILE = include_folder(str(PROJECT / "dags" / "any.py")) / "kafka" / "pinterest-s3-sink.json"


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("msk_connect")


@pytest.fixture(scope="module")
def topic(environment):
    lab = KafkaLab(environment, f"msk-hook-{uuid.uuid4().hex[:8]}")
    yield lab.topic
    lab.delete()


@pytest.fixture
def hook(environment, use_aws):
    use_aws(environment)
    return MskConnectHook()


@pytest.fixture
def name(hook):
    name = f"hook-test-{uuid.uuid4().hex[:8]}"
    yield name
    if connector := hook.find(name):
        state_after_wait(connector.arn, "LASTING")
        hook.delete(hook.get(name))
        assert state_after_wait(connector.arn, "DELETED") == "DELETED"


def state_after_wait(arn, until):
    trigger = MskConnectStateTrigger(connector_arn=arn, until=until, deadline=time.time() + 60, poll_seconds=1)
    return trigger.wait()["result"]["state"]


@pytest.fixture
def ensure(hook, name, topic, environment):
    """Return a function that ensures the product's connector under this test's name, with changed values."""
    [plugin] = hook.conn.list_custom_plugins(namePrefix="pinterest-s3-sink")["customPlugins"]
    values = {
        "name": name,
        "bucket": environment["PINTEREST_BUCKET"],
        "region": environment["AWS_DEFAULT_REGION"],
        "topics": topic,
        "dead_letter_topic": "pinterest.dead-letters",
        "topics_dir": "topics",
        "bootstrap_servers": environment["KAFKA_BOOTSTRAP_SERVERS"],
        "subnets": ["subnet-a"],
        "security_groups": '["sg-a"]',
        "plugin_arn": plugin["customPluginArn"],
        "plugin_revision": "1",
        "service_role_arn": f"arn:aws:iam::{'0' * 12}:role/test",
        "rotate_schedule_interval_ms": "60000",
        "log_group": "/pinterest/msk-connect",
    }

    def run(file=FILE, paused=None, recreate=False, **changes):
        arguments = {"timeout": timedelta(seconds=60), "poll_seconds": 1, "deferrable": False}
        return MskConnectEnsureConnectorOperator(
            task_id="ensure", connector_file=file, connector_values={**values, **changes}, paused=paused,
            recreate=recreate, **arguments,
        ).execute({})  # fmt: skip

    return run


@pytest.fixture
def edited(tmp_path):
    """Return a function that writes the product's connector file with other members; None takes one out."""

    def edit(**members):
        request = {**json.loads(FILE.read_text()), **members}
        file = tmp_path / "sink.json"
        file.write_text(json.dumps({name: value for name, value in request.items() if value is not None}))
        return file

    return edit


def test_the_connector_is_created_left_alone_and_updated_by_name_of_key(ensure, hook, name):
    created = ensure()
    again = ensure()
    updated = ensure(rotate_schedule_interval_ms="30000")

    assert (created["state"], created["actions"]) == ("RUNNING", ["create"])
    assert again["actions"] == []
    assert updated["actions"] == ["update its configuration: rotate.schedule.interval.ms"]
    assert hook.get(name).configuration["rotate.schedule.interval.ms"] == "30000"
    logs = hook.get(name).described["logDelivery"]["workerLogDelivery"]["cloudWatchLogs"]
    assert logs == {"enabled": True, "logGroup": "/pinterest/msk-connect"}


def test_autoscaling_is_a_change_there_and_back_and_its_tasks_are_the_services(ensure, edited, hook, name):
    ensure()
    policy = {"cpuUtilizationPercentage": 50}
    scaling = {"mcuCount": 1, "minWorkerCount": 2, "maxWorkerCount": 2, "scaleInPolicy": policy}
    file = edited(capacity={"autoScaling": {**scaling, "scaleOutPolicy": policy}})

    there = ensure(file)
    assert hook.get(name).configuration["tasks.max"] == "4"
    again = ensure(file)
    back = ensure()

    worker_setting = "update its worker setting: capacity.autoScaling, capacity.provisionedCapacity"
    assert there["actions"] == [worker_setting]
    assert again["actions"] == []
    assert back["actions"] == [worker_setting, "update its configuration: tasks.max"]


def test_a_worker_configuration_is_added_and_removed(ensure, edited, hook, name):
    ensure()
    made = hook.conn.create_worker_configuration(name=name, propertiesFileContent="YT1i")
    worker = {"workerConfigurationArn": made["workerConfigurationArn"], "revision": 1}

    added = ensure(edited(workerConfiguration=worker))
    again = ensure(edited(workerConfiguration=worker))
    removed = ensure()

    update = ["update its worker setting: workerConfiguration"]
    assert [added["actions"], again["actions"], removed["actions"]] == [update, [], update]
    assert "workerConfiguration" not in hook.get(name).described
    hook.conn.delete_worker_configuration(workerConfigurationArn=made["workerConfigurationArn"])


def test_log_delivery_that_was_left_out_asks_for_a_new_connector(ensure, edited):
    ensure(edited(logDelivery=None, connectorDescription="${log_group}"))

    with pytest.raises(PermanentError, match=r"differs from its file in logDelivery\.cloudWatchLogs, which cannot be"):
        ensure()
    assert ensure(recreate=True)["actions"] == ["delete", "create"]
    assert ensure()["actions"] == []


def test_another_order_and_another_description_are_nothing_to_do(ensure, edited):
    ensure(subnets=["subnet-a", "subnet-b"])

    assert ensure(edited(connectorDescription="Better words"), subnets=["subnet-b", "subnet-a"])["actions"] == []


def test_what_the_service_cannot_update_is_named(ensure):
    ensure()

    with pytest.raises(PermanentError, match="differs from its file in serviceExecutionRoleArn, which cannot"):
        ensure(service_role_arn=f"arn:aws:iam::{'0' * 12}:role/other")


def test_a_value_that_the_plugin_refuses_is_an_error_with_the_services_reason(ensure):
    with pytest.raises(PermanentError, match=r"is FAILED \(.*rotate"):
        ensure(rotate_schedule_interval_ms="soon")


def test_an_update_that_the_plugin_refuses_is_rolled_back_with_the_services_reason(ensure, hook, name):
    ensure()

    with pytest.raises(PermanentError, match=r"ended in ROLLBACK_COMPLETE \(InvalidInput.*rotate"):
        ensure(rotate_schedule_interval_ms="soon")

    assert hook.get(name).configuration["rotate.schedule.interval.ms"] == "60000"


def test_the_sensor_and_the_trigger_agree_that_it_is_healthy(ensure, name, topic, hook):
    ensure()
    arguments = {"connector_name": name, "topics": [topic], "cluster_name": "pinterest-sandbox"}

    MskConnectHealthSensor(task_id="s", deferrable=False, poke_interval=1, timeout=90, **arguments).execute({})

    trigger = MskConnectHealthTrigger(
        **arguments, max_lag=10, min_running_tasks=None, deadline=time.time() + 30, poll_seconds=1
    )
    event = asyncio.run(first_event(trigger))
    assert event["status"] == "ready", event
    assert event["result"]["health"] == f"RUNNING, 2 tasks running, none failed, lag: {topic} 0"
    assert hook.snapshot(name, [], None).lag == {topic: 0}  # found by ListMetrics


def test_the_state_trigger_reaches_and_times_out(ensure, hook, name):
    ensure()
    arn = hook.get(name).arn

    def event(until, seconds):
        deadline = time.time() + seconds
        trigger = MskConnectStateTrigger(connector_arn=arn, until=until, deadline=deadline, poll_seconds=1)
        return asyncio.run(first_event(trigger))

    assert event("LASTING", 30)["result"] == {"state": "RUNNING"}
    assert event("DELETED", 1)["status"] == "timed_out"


def test_failed_tasks_of_a_running_connector_are_seen_and_restarted_up_to_the_bound(ensure, hook, name, topic):
    ensure(dead_letter_topic=f"{topic}-of-three-replicas")  # which one broker cannot hold: every task fails
    arguments = {"connector_name": name, "topics": [], "cluster_name": None, "max_lag": 10, "min_running_tasks": None}
    trigger = MskConnectHealthTrigger(**arguments, deadline=time.time() + 20, poll_seconds=2)

    def restart():
        arguments = {"max_restarts": 2, "poll_seconds": 1, "deferrable": False}
        return MskConnectRestartOperator(task_id="r", connector_name=name, **arguments).execute({})

    event = asyncio.run(first_event(trigger))

    assert event["status"] == "timed_out"
    assert "2 of its 2 tasks failed: restart them; 0 of its 2 tasks run" in event["message"]
    assert restart() == {"connector": name, "restarted": True, "restarts_in_window": 1}
    assert restart()["restarts_in_window"] == 2
    with pytest.raises(PermanentError, match=r"was restarted 2 times within .* and its tasks fail still"):
        restart()
    done = [(operation.type, operation.state) for operation in hook.operations(hook.get(name), EPOCH)]
    assert done == [("RESTART_CONNECTOR", "RESTART_COMPLETE")] * 2


def test_a_pause_is_respected_and_ended_on_request(ensure, hook, name):
    ensure()

    with pytest.raises(AirflowSkipException, match=f"Connector {name} is paused: posts wait in Kafka"):
        ensure(paused=True)
    with pytest.raises(
        PermanentError, match="is PAUSED by someone, and posts wait in Kafka: to resume it, run the DAG"
    ):
        ensure()
    with pytest.raises(AirflowSkipException, match="is PAUSED: there is nothing to restart"):
        MskConnectRestartOperator(task_id="r", connector_name=name).execute({})
    resumed = ensure(paused=False)

    assert (resumed["state"], resumed["actions"]) == ("RUNNING", ["resume"])
    done = [(operation.type, operation.state) for operation in hook.operations(hook.get(name), EPOCH)]
    assert done == [("RESUME_CONNECTOR", "RESUME_COMPLETE"), ("PAUSE_CONNECTOR", "PAUSE_COMPLETE")]


def test_a_connector_that_another_changes_is_checked_again(ensure, hook, name):
    ensure()
    stale = hook.get(name)
    ensure(rotate_schedule_interval_ms="30000")

    with pytest.raises(
        ConnectorChangedError, match=f"Connector {name} is RUNNING, version .* meanwhile: .* currentVersion"
    ):
        hook.update(stale, connectorConfiguration=dict(stale.configuration))


def test_a_missing_connector_is_named_at_once_waiting_or_deferred(hook):
    sensor = MskConnectHealthSensor(task_id="s", connector_name="nobody", deferrable=True)
    with pytest.raises(PermanentError, match="nobody does not exist in MSK Connect: run the DAG"):
        sensor.execute({})

    with pytest.raises(PermanentError, match="nobody does not exist"):
        MskConnectRestartOperator(task_id="r", connector_name="nobody").execute({})


def test_the_restart_operator_defers_until_its_operation_is_complete(ensure, name, topic):
    ensure(dead_letter_topic=f"{topic}-of-three-replicas")
    operator = MskConnectRestartOperator(task_id="r", connector_name=name, deferrable=True, max_restarts=20)

    def deferred():
        try:
            operator.execute({})
        except TaskDeferred as found:
            return found
        return None  # CloudWatch has not heard of the failed tasks yet

    found = wait_until(deferred, 40, "the metric is published")
    event = asyncio.run(first_event(found.trigger))
    assert event["result"] == {"state": "RESTART_COMPLETE"}
    assert operator.resume({}, event=event, **found.kwargs)["restarted"] is True


def test_the_connection_test_succeeds(hook):
    assert hook.test_connection() == (True, "MSK Connect in us-east-1 answers")


async def first_event(trigger):
    return (await asyncio.wait_for(anext(trigger.run()), 90)).payload
