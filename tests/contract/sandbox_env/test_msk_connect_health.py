"""MSK Connect: what the metrics say that a connector's state does not, what survives, and what is only stored."""

import os
import signal
import time
from contextlib import suppress

import httpx
import pytest

from tests.support.groups import TEST_HOME
from tests.support.msk_connect import MskConnectLab, refused
from tests.support.waiting import wait_until

PID_FILE = TEST_HOME / "pids" / "msk_connect.pid"
JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"
METRIC_SECONDS = 40


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("msk_connect")


@pytest.fixture
def lab(environment):
    lab = MskConnectLab(environment)
    yield lab
    lab.close()


def test_a_broken_task_leaves_the_connector_running_and_shows_in_the_metrics(lab):
    arn = lab.create(**{"value.converter": JSON_CONVERTER, "errors.tolerance": "none"})
    lab.described(arn)
    wait_until(lambda: lab.tasks("RunningTaskCount") == 1, METRIC_SECONDS, "the metric is published", pause=0.2)

    lab.send(b"this is no JSON", b"nor is this")

    wait_until(lambda: lab.tasks("ErroredTaskCount") == 1, METRIC_SECONDS, "the metric is published", pause=0.2)
    assert lab.tasks("RunningTaskCount") == 0
    assert lab.tasks("WorkerCount") == 1
    assert lab.connect.describe_connector(connectorArn=arn)["connectorState"] == "RUNNING"
    wait_until(lambda: lab.lag("SumOffsetLag") == 2, METRIC_SECONDS, "the metric is published", pause=0.2)
    wait_until(lambda: (lab.lag("EstimatedMaxTimeLag") or 0) > 0, METRIC_SECONDS, "the metric is published", pause=0.2)


def test_lag_is_published_and_falls_to_zero(lab):
    lab.send(*(b"{}" for _ in range(10)))

    lab.described(lab.create(**{"flush.size": "1", "consumer.override.auto.offset.reset": "earliest"}))

    wait_until(lambda: lab.lag("SumOffsetLag") == 0, METRIC_SECONDS, "the metric is published", pause=0.2)
    assert lab.lag("MaxOffsetLag") == 0


def test_connectors_outlive_a_killed_service(lab):
    arn = lab.create()
    before = lab.described(arn)

    os.kill(int(PID_FILE.read_text()), signal.SIGKILL)

    def answers():
        with suppress(httpx.TransportError):
            return lab.call("GET", "/v1/connectors").is_success

    time.sleep(0.5)
    wait_until(answers, 60, "MSK Connect answers again")
    after = lab.connect.describe_connector(connectorArn=arn)
    assert after | {"ResponseMetadata": None} == before | {"ResponseMetadata": None}


def test_plugins_and_worker_configurations_are_kept_tagged_and_deleted(lab):
    connect = lab.connect
    location = {"s3Location": {"bucketArn": "arn:aws:s3:::b", "fileKey": "k.zip"}}
    plugin = connect.create_custom_plugin(name=lab.name, contentType="ZIP", location=location, tags={"a": "1"})
    arn = plugin["customPluginArn"]
    described = connect.describe_custom_plugin(customPluginArn=arn)
    assert (described["customPluginState"], described["latestRevision"]["location"]) == ("ACTIVE", location)
    taken = refused(connect.create_custom_plugin, name=lab.name, contentType="ZIP", location=location)
    assert taken[:2] == ("ConflictException", 409)

    connect.tag_resource(resourceArn=arn, tags={"b": "2", "c": "3"})
    connect.untag_resource(resourceArn=arn, tagKeys=["a", "c"])
    assert connect.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    connect.delete_custom_plugin(customPluginArn=arn)
    assert connect.list_custom_plugins(namePrefix=lab.name)["customPlugins"] == []

    made = connect.create_worker_configuration(name=lab.name, propertiesFileContent="YT1i")
    arn = made["workerConfigurationArn"]
    described = connect.describe_worker_configuration(workerConfigurationArn=arn)
    assert described["latestRevision"]["propertiesFileContent"] == "YT1i"
    listed = connect.list_worker_configurations(namePrefix=lab.name)["workerConfigurations"]
    assert [item["name"] for item in listed] == [lab.name]
    connect.delete_worker_configuration(workerConfigurationArn=arn)


def test_a_plugin_in_use_cannot_be_deleted(lab):
    request = lab.request()
    lab.described(lab.create())

    plugin_arn = request["plugins"][0]["customPlugin"]["customPluginArn"]
    assert refused(lab.connect.delete_custom_plugin, customPluginArn=plugin_arn)[:2] == ("BadRequestException", 400)
