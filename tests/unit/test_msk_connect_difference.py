"""What differs between a connector and its file: what one side lacks differs, but for the few fields that are named."""

import botocore.session
import pytest

from pinterest_pipeline.msk_connect.client import Connector
from pinterest_pipeline.msk_connect.difference import NEVER_REPORTED, Difference, difference, worker_setting_update

PROVISIONED = {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}}
AUTOSCALING = {"autoScaling": {"maxWorkerCount": 2, "mcuCount": 1, "minWorkerCount": 1}}
WORKER_CONFIGURATION = {"workerConfigurationArn": "arn:w", "revision": 1}
LOGS = {"workerLogDelivery": {"cloudWatchLogs": {"enabled": True, "logGroup": "/a"}}}
WANTED = {
    "connectorName": "sink",
    "connectorDescription": "Posts",
    "capacity": PROVISIONED,
    "connectorConfiguration": {"flush.size": "5000", "tasks.max": "2", "topics": "pin"},
    "kafkaCluster": {
        "apacheKafkaCluster": {
            "bootstrapServers": "b-1:9098,b-2:9098",
            "vpc": {"subnets": ["s-1", "s-2"], "securityGroups": ["g-1", "g-2"]},
        }
    },
    "plugins": [{"customPlugin": {"customPluginArn": "arn:p", "revision": 1}}],
    "serviceExecutionRoleArn": "arn:r",
}
REPORTED = {
    **{name: value for name, value in WANTED.items() if name != "connectorName"},
    "networkType": "IPV4",  # what the service chose
}


def connector(configuration=None, **reported):
    own = WANTED["connectorConfiguration"] if configuration is None else configuration
    return Connector("arn:1", "sink", "RUNNING", "v1", "", own, {**REPORTED, **reported})


def cluster(servers="b-1:9098,b-2:9098", **vpc):
    own = {"subnets": ["s-1", "s-2"], "securityGroups": ["g-1", "g-2"], **vpc}
    own = {name: value for name, value in own.items() if value is not None}
    return {"apacheKafkaCluster": {"bootstrapServers": servers, "vpc": own}}


def test_equal_connectors_do_not_differ():
    assert difference(connector(), WANTED) == Difference()


def test_the_one_member_that_is_never_reported_is_botocores():
    model = botocore.session.get_session().get_service_model("kafkaconnect")
    requested = model.operation_model("CreateConnector").input_shape.members
    reported = model.operation_model("DescribeConnector").output_shape.members

    assert requested.keys() - reported.keys() == NEVER_REPORTED
    assert difference(connector(), {**WANTED, "tags": {"team": "data"}}) == Difference()


def test_a_difference_names_keys_and_never_values():
    current = connector(configuration={"flush.size": "1", "tasks.max": "2", "password": "secret"})

    found = difference(current, WANTED)

    assert found == Difference(configuration=("flush.size", "password", "topics"))
    assert "secret" not in repr(found)
    assert "secret" not in repr(current)


@pytest.mark.parametrize(
    ("reported", "wanted", "paths", "update"),
    [
        pytest.param(
            {},
            {"capacity": AUTOSCALING},
            ("capacity.autoScaling", "capacity.provisionedCapacity"),
            {"capacity": AUTOSCALING},
            id="provisioned to autoscaling",
        ),
        pytest.param(
            {"capacity": AUTOSCALING},
            {},
            ("capacity.autoScaling", "capacity.provisionedCapacity"),
            {"capacity": PROVISIONED},
            id="autoscaling to provisioned",
        ),
        pytest.param(
            {"capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 2}}},
            {},
            ("capacity.provisionedCapacity.workerCount",),
            {"capacity": PROVISIONED},
            id="a worker less",
        ),
        pytest.param(
            {"capacity": {"autoScaling": {**AUTOSCALING["autoScaling"], "maxAutoscalingTaskCount": 4}}},
            {"capacity": AUTOSCALING},
            ("capacity.autoScaling.maxAutoscalingTaskCount",),
            {"capacity": AUTOSCALING},
            id="a limit taken away",
        ),
        pytest.param(
            {},
            {"workerConfiguration": WORKER_CONFIGURATION},
            ("workerConfiguration",),
            {"workerConfiguration": WORKER_CONFIGURATION},
            id="a worker configuration added",
        ),
        pytest.param(
            {"workerConfiguration": WORKER_CONFIGURATION},
            {},
            ("workerConfiguration",),
            {"useDefaultWorkerConfiguration": True},
            id="a worker configuration removed",
        ),
        pytest.param(
            {"workerConfiguration": {**WORKER_CONFIGURATION, "revision": 2}},
            {"workerConfiguration": WORKER_CONFIGURATION},
            ("workerConfiguration.revision",),
            {"workerConfiguration": WORKER_CONFIGURATION},
            id="another revision of it",
        ),
        pytest.param(
            {"plugins": [{"customPlugin": {"customPluginArn": "arn:p", "revision": 2}}]},
            {},
            ("plugins",),
            {"plugins": WANTED["plugins"]},
            id="another revision of the plugin",
        ),
    ],
)
def test_the_worker_setting_is_updated_where_one_side_lacks_something(reported, wanted, paths, update):
    request = {**WANTED, **wanted}

    found = difference(connector(**reported), request)

    assert found == Difference(worker_setting=paths)
    assert worker_setting_update(found, request) == update


@pytest.mark.parametrize(
    ("reported", "wanted", "paths"),
    [
        pytest.param({}, {"logDelivery": LOGS}, ("logDelivery.cloudWatchLogs",), id="log delivery added"),
        pytest.param({"logDelivery": LOGS}, {}, ("logDelivery.cloudWatchLogs",), id="log delivery removed"),
        pytest.param(
            {"logDelivery": {"workerLogDelivery": {"cloudWatchLogs": {"enabled": True, "logGroup": "/b"}}}},
            {"logDelivery": LOGS},
            ("logDelivery.cloudWatchLogs.logGroup",),
            id="another log group",
        ),
        pytest.param({"networkType": "DUAL"}, {}, ("networkType",), id="another network than by default"),
        pytest.param({"serviceExecutionRoleArn": None}, {}, ("serviceExecutionRoleArn",), id="no role reported"),
        pytest.param(
            {"kafkaCluster": cluster(subnets=["s-1"])},
            {},
            ("kafkaCluster.apacheKafkaCluster.vpc.subnets",),
            id="a subnet less",
        ),
        pytest.param(
            {"kafkaCluster": cluster(subnets=["s-1", "s-2", "s-3"])},
            {},
            ("kafkaCluster.apacheKafkaCluster.vpc.subnets",),
            id="a subnet more",
        ),
        pytest.param(
            {"kafkaCluster": cluster("b-1:9098")},
            {},
            ("kafkaCluster.apacheKafkaCluster.bootstrapServers",),
            id="a broker less",
        ),
    ],
)
def test_what_no_update_can_change_is_named_also_where_one_side_lacks_it(reported, wanted, paths):
    assert difference(connector(**reported), {**WANTED, **wanted}) == Difference(fixed=paths)


def test_the_connectors_class_cannot_be_updated():
    found = difference(connector(configuration={"connector.class": "A"}), WANTED)

    assert found.fixed == ("connectorConfiguration.connector.class",)


@pytest.mark.parametrize(
    ("reported", "wanted"),
    [
        pytest.param({"kafkaCluster": cluster(subnets=["s-2", "s-1"])}, {}, id="order of subnets"),
        pytest.param({"kafkaCluster": cluster(securityGroups=["g-2", "g-1"])}, {}, id="order of security groups"),
        pytest.param({"kafkaCluster": cluster("b-2:9098, b-1:9098")}, {}, id="order of brokers"),
        pytest.param(
            {"plugins": [{"customPlugin": {"customPluginArn": name, "revision": 1}} for name in "ab"]},
            {"plugins": [{"customPlugin": {"revision": 1, "customPluginArn": name}} for name in "ba"]},
            id="order of plugins",
        ),
        pytest.param({}, {"kafkaCluster": cluster(securityGroups=None)}, id="security groups that the service chose"),
        pytest.param(
            {
                "capacity": {
                    "autoScaling": {
                        **AUTOSCALING["autoScaling"],
                        "scaleInPolicy": {"cpuUtilizationPercentage": 20},
                        "scaleOutPolicy": {"cpuUtilizationPercentage": 80},
                    }
                }
            },
            {"capacity": AUTOSCALING},
            id="policies that the service chose",
        ),
        pytest.param(
            {"logDelivery": {"workerLogDelivery": {**LOGS["workerLogDelivery"], "s3": {"enabled": False}}}},
            {"logDelivery": LOGS},
            id="a log destination that is off",
        ),
        pytest.param(
            {"logDelivery": {"workerLogDelivery": {"cloudWatchLogs": {"enabled": False}}}}, {}, id="log delivery off"
        ),
    ],
)
def test_what_means_the_same_does_not_differ(reported, wanted):
    assert difference(connector(**reported), {**WANTED, **wanted}) == Difference()


def test_a_changed_description_has_no_effect():
    changed = {**WANTED, "connectorDescription": "Better words"}

    assert difference(connector(), changed) == Difference(without_effect=("connectorDescription",))


def test_an_older_report_without_a_network_type_has_the_default():
    without = {name: value for name, value in REPORTED.items() if name != "networkType"}

    assert difference(
        Connector("a", "sink", "RUNNING", "v", "", WANTED["connectorConfiguration"], without), WANTED
    ) == (Difference())


@pytest.mark.parametrize(("capacity", "differs"), [(AUTOSCALING, ()), (PROVISIONED, ("tasks.max",))])
def test_the_number_of_tasks_is_the_services_under_autoscaling(capacity, differs):
    configuration = {**WANTED["connectorConfiguration"], "tasks.max": "8"}

    found = difference(connector(configuration, capacity=capacity), {**WANTED, "capacity": capacity})

    assert found == Difference(configuration=differs)
