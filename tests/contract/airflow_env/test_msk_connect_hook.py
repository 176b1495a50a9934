"""Our MSK Connect hook, operators, sensor and triggers against the stand-in, with the product's own connector file."""

import asyncio
import time
import uuid
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.paths import include_folder
from pinterest_pipeline.msk_connect.hook import MskConnectHook
from pinterest_pipeline.msk_connect.operators import MskConnectEnsureConnectorOperator, MskConnectRestartOperator
from pinterest_pipeline.msk_connect.sensors import MskConnectHealthSensor
from pinterest_pipeline.msk_connect.triggers import MskConnectHealthTrigger, MskConnectStateTrigger
from tests.support.kafka import PROJECT, KafkaLab

FILE = include_folder(str(PROJECT / "dags" / "any.py")) / "kafka" / "pinterest-s3-sink.json"


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("msk_connect")


@pytest.fixture(scope="module")
def topic(environment):
    lab = KafkaLab(environment["KAFKA_BOOTSTRAP_SERVERS"], f"msk-hook-{uuid.uuid4().hex[:8]}")
    yield lab.topic
    lab.delete()


@pytest.fixture
def hook(environment, monkeypatch):
    for name, value in environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://")
    return MskConnectHook()


@pytest.fixture
def name(hook):
    name = f"hook-test-{uuid.uuid4().hex[:8]}"
    yield name
    if connector := hook.find(name):
        state_after_wait(connector.arn, "RUNNING")
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
    }

    def run(**changes):
        arguments = {"timeout": timedelta(seconds=60), "poll_seconds": 1, "deferrable": False}
        return MskConnectEnsureConnectorOperator(
            task_id="ensure", connector_file=FILE, connector_values={**values, **changes}, **arguments
        ).execute({})

    return run


def test_the_connector_is_created_left_alone_and_updated_by_name_of_key(ensure, hook, name):
    created = ensure()
    again = ensure()
    updated = ensure(rotate_schedule_interval_ms="30000")

    assert (created["state"], created["actions"]) == ("RUNNING", ["create"])
    assert again["actions"] == []
    assert updated["actions"] == ["update its configuration: rotate.schedule.interval.ms"]
    assert hook.get(name).configuration["rotate.schedule.interval.ms"] == "30000"


def test_what_the_service_cannot_update_is_named(ensure):
    ensure()

    with pytest.raises(PermanentError, match="differs from its file in serviceExecutionRoleArn, which cannot"):
        ensure(service_role_arn=f"arn:aws:iam::{'0' * 12}:role/other")


def test_a_value_that_the_plugin_refuses_is_an_error_with_the_services_reason(ensure):
    with pytest.raises(PermanentError, match=r"is FAILED \(.*rotate"):
        ensure(rotate_schedule_interval_ms="soon")


def test_the_sensor_and_the_trigger_agree_that_it_is_healthy(ensure, name, topic, hook):
    ensure()
    arguments = {"connector_name": name, "topics": [topic], "cluster_name": "pinterest-sandbox"}

    MskConnectHealthSensor(task_id="s", deferrable=False, poke_interval=1, timeout=90, **arguments).execute({})

    trigger = MskConnectHealthTrigger(
        **arguments, max_lag=10, min_running_tasks=2, deadline=time.time() + 30, poll_seconds=1
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

    assert event("RUNNING", 30)["result"] == {"state": "RUNNING"}
    assert event("DELETED", 1)["status"] == "timed_out"


def test_restarts_are_counted_by_the_service_and_bounded(ensure, name):
    ensure()

    def restart():
        arguments = {"if_needed": False, "max_restarts": 2, "poll_seconds": 1, "deferrable": False}
        return MskConnectRestartOperator(task_id="r", connector_name=name, **arguments).execute({})

    assert [restart()["restarts_in_window"], restart()["restarts_in_window"]] == [1, 2]
    with pytest.raises(PermanentError, match="was restarted 2 times within"):
        restart()


def test_failed_tasks_of_a_running_connector_are_seen_and_restarted_up_to_the_bound(ensure, name, topic):
    ensure(dead_letter_topic=f"{topic}-of-three-replicas")  # which one broker cannot hold: every task fails
    arguments = {"connector_name": name, "topics": [], "cluster_name": None, "max_lag": 10, "min_running_tasks": 1}
    trigger = MskConnectHealthTrigger(**arguments, deadline=time.time() + 20, poll_seconds=2)
    restart = MskConnectRestartOperator(
        task_id="r", connector_name=name, max_restarts=1, poll_seconds=1, deferrable=False
    )

    event = asyncio.run(first_event(trigger))

    assert event["status"] == "timed_out"
    assert "2 of its tasks failed (0 running): restart them" in event["message"]
    assert restart.execute({})["restarted"] is True
    with pytest.raises(PermanentError, match=r"was restarted 1 times within .* and its tasks fail still"):
        restart.execute({})


def test_a_pause_shows_and_is_undone_by_a_resume(ensure, hook, name):
    ensure()

    hook.pause(hook.get(name))
    assert state_after_wait(hook.get(name).arn, "RUNNING") == "PAUSED"
    hook.resume(hook.get(name))

    assert state_after_wait(hook.get(name).arn, "RUNNING") == "RUNNING"


def test_a_missing_connector_is_named_at_once_waiting_or_deferred(hook):
    sensor = MskConnectHealthSensor(task_id="s", connector_name="nobody", deferrable=True)
    with pytest.raises(PermanentError, match="nobody does not exist in MSK Connect: run the DAG"):
        sensor.execute({})

    with pytest.raises(PermanentError, match="nobody does not exist"):
        MskConnectRestartOperator(task_id="r", connector_name="nobody").execute({})


def test_the_restart_operator_defers_until_the_state_is_reached(ensure, name, hook):
    ensure()
    operator = MskConnectRestartOperator(task_id="r", connector_name=name, if_needed=False, deferrable=True)

    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})

    event = asyncio.run(first_event(deferred.value.trigger))
    assert operator.resume({}, event=event, **deferred.value.kwargs)["restarted"] is True


def test_the_connection_test_succeeds(hook):
    assert hook.test_connection() == (True, "MSK Connect in us-east-1 answers")


async def first_event(trigger):
    return (await asyncio.wait_for(anext(trigger.run()), 90)).payload
