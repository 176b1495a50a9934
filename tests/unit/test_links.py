"""The links on a task's page."""

from types import SimpleNamespace

import pytest

from pinterest_pipeline.common.links import LINKS, KinesisStreamLink, MskConnectLink
from pinterest_pipeline.kinesis.operators import KinesisEnsureStreamOperator
from pinterest_pipeline.kinesis.sensors import KinesisStreamSensor
from pinterest_pipeline.msk_connect.restart import MskConnectRestartOperator
from pinterest_pipeline.msk_connect.sensors import MskConnectHealthSensor


def task(region_name, connection_region=None, stream_name="s"):
    return SimpleNamespace(
        region_name=region_name, stream_name=stream_name, hook=SimpleNamespace(region_name=connection_region)
    )


@pytest.mark.parametrize(
    ("operator", "address"),
    [
        pytest.param(task("eu-west-1"), "https://eu-west-1.console.aws.amazon.com/kinesis/home?region=eu-west-1"
                     "#/streams/details/s/monitoring", id="own region"),
        pytest.param(task(None, "us-east-1"), "https://us-east-1.console.aws.amazon.com/kinesis/home?region=us-east-1"
                     "#/streams/details/s/monitoring", id="region of the connection"),
        pytest.param(task("cn-north-1"), "https://cn-north-1.console.amazonaws.cn/kinesis/home?region=cn-north-1"
                     "#/streams/details/s/monitoring", id="China"),
        pytest.param(task("us-gov-west-1"), "https://us-gov-west-1.console.amazonaws-us-gov.com/kinesis/home"
                     "?region=us-gov-west-1#/streams/details/s/monitoring", id="GovCloud"),
        pytest.param(task("eu-west-1", stream_name="a/b?c"), "https://eu-west-1.console.aws.amazon.com/kinesis/home"
                     "?region=eu-west-1#/streams/details/a%2Fb%3Fc/monitoring", id="quoted"),
        pytest.param(task(None), "", id="no region"),
    ],
)  # fmt: skip
def test_a_stream_is_opened_where_it_is(operator, address):
    assert KinesisStreamLink().get_link(operator, ti_key=None) == address


def test_connectors_are_opened_where_they_are():
    address = MskConnectLink().get_link(task("eu-west-1"), ti_key=None)

    assert address == "https://eu-west-1.console.aws.amazon.com/msk/home?region=eu-west-1#/connectors"


@pytest.mark.parametrize(
    ("operator", "link"),
    [
        (KinesisEnsureStreamOperator, KinesisStreamLink),
        (KinesisStreamSensor, KinesisStreamLink),
        (MskConnectRestartOperator, MskConnectLink),
        (MskConnectHealthSensor, MskConnectLink),
    ],
)
def test_tasks_have_their_link(operator, link):
    assert [type(each) for each in operator.operator_extra_links] == [link]


def test_the_plugin_registers_every_link_and_the_page():
    from pinterest_pipeline_plugin import PinterestPipelinePlugin as Plugin

    assert [link.name for link in Plugin.operator_extra_links] == ["Databricks run", "MSK Connect", "Kinesis stream"]
    assert len({link.xcom_key for link in LINKS}) == 3
    assert Plugin.fastapi_apps[0]["url_prefix"].strip("/") == Plugin.external_views[0]["href"].strip("/")
