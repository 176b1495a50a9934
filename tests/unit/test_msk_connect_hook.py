"""The hook's conversations with AWS, on stubbed botocore clients that check every request against the API's model."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.stub import Stubber

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.msk_connect.health import TaskCounts
from pinterest_pipeline.msk_connect.hook import REFUSED_CHANGES, MskConnectHook

NOW = datetime.now(UTC).replace(microsecond=0)
ARN = "arn:aws:kafkaconnect:us-east-1:000000000000:connector/sink/1"


@pytest.fixture
def hook(monkeypatch):
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return MskConnectHook(aws_conn_id=None)


@pytest.fixture
def connect(hook):
    with Stubber(hook.conn) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def cloudwatch(hook):
    with Stubber(hook._cloudwatch.conn) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def described(**changes):
    return {
        "connectorArn": ARN, "connectorName": "sink", "connectorState": "RUNNING", "currentVersion": "v1",
        "connectorConfiguration": {"flush.size": "5"}, **changes,
    }  # fmt: skip


def summary(name, arn=ARN):
    return {"connectorArn": arn, "connectorName": name, "connectorState": "RUNNING", "currentVersion": "v1"}


def add_connector(connect, **changes):
    connect.add_response("list_connectors", {"connectors": [summary("sink")]}, {"connectorNamePrefix": "sink"})
    connect.add_response("describe_connector", described(**changes), {"connectorArn": ARN})


def test_a_connector_is_found_by_its_exact_name_on_the_last_page(hook, connect):
    first = {"connectors": [summary("sink-2", ARN + "2")], "nextToken": "more"}
    connect.add_response("list_connectors", first, {"connectorNamePrefix": "sink"})
    page = {"connectorNamePrefix": "sink", "nextToken": "more"}
    connect.add_response("list_connectors", {"connectors": [summary("sink")]}, page)
    failed = described(connectorState="FAILED", stateDescription={"code": "C", "message": "why"})
    connect.add_response("describe_connector", failed, {"connectorArn": ARN})

    found = hook.find("sink")

    assert (found.arn, found.state, found.state_reason) == (ARN, "FAILED", "C: why")


def test_a_prefix_alone_is_not_the_connector(hook, connect):
    connect.add_response("list_connectors", {"connectors": [summary("sink-2")]}, {"connectorNamePrefix": "sink"})

    assert hook.find("sink") is None


def test_a_missing_connector_names_the_dag_that_makes_it(hook, connect):
    connect.add_response("list_connectors", {"connectors": []})

    with pytest.raises(
        PermanentError, match="sink does not exist in MSK Connect: run the DAG pinterest_sink_connector"
    ):
        hook.get("sink")


def metric(topic):
    names = {"Cluster Name": "c", "Consumer Group": "connect-sink", "Topic": topic}
    dimensions = [{"Name": name, "Value": value} for name, value in names.items()]
    return {"Namespace": "AWS/Kafka", "MetricName": "SumOffsetLag", "Dimensions": dimensions}


def values(name, *pairs):
    return {"Id": name, "Timestamps": [time for time, _ in pairs], "Values": [value for _, value in pairs]}


def test_a_snapshot_takes_the_newest_value_of_each_metric_and_leaves_out_what_has_none(hook, connect, cloudwatch):
    add_connector(connect)
    group = [{"Name": "Consumer Group", "Value": "connect-sink"}]
    request = {"Namespace": "AWS/Kafka", "MetricName": "SumOffsetLag", "Dimensions": group}
    cloudwatch.add_response("list_metrics", {"Metrics": [metric("pin")], "NextToken": "2"}, request)
    cloudwatch.add_response(
        "list_metrics", {"Metrics": [metric("geo"), metric("other")]}, {**request, "NextToken": "2"}
    )
    earlier = NOW - timedelta(minutes=1)
    results = [
        values("running", (earlier, 2.0), (NOW, 1.0)),
        values("errored", (NOW, 1.0), (earlier, 0.0)),
        values("workers"),
        values("lag0", (NOW, 40.0)),
        values("lag1"),
    ]
    cloudwatch.add_response("get_metric_data", {"MetricDataResults": results})

    snapshot = hook.snapshot("sink", ["pin", "geo"], None)

    assert snapshot.tasks == TaskCounts(running=1, errored=1, workers=None)
    assert snapshot.lag == {"pin": 40}


def test_a_known_cluster_name_saves_the_lookup(hook, connect, cloudwatch):
    add_connector(connect)
    cloudwatch.add_response("get_metric_data", {"MetricDataResults": [values("lag0", (NOW, 3.0))]})

    assert hook.snapshot("sink", ["pin"], "c").lag == {"pin": 3}


def test_operations_before_the_window_are_left_out(hook, connect):
    add_connector(connect)
    operations = [
        {"connectorOperationType": "RESTART_CONNECTOR", "connectorOperationState": "DONE", "creationTime": time}
        for time in (NOW, NOW - timedelta(hours=1), NOW - timedelta(hours=1, seconds=1))
    ]
    first = {"connectorOperations": operations[:1], "nextToken": "n"}
    connect.add_response("list_connector_operations", first, {"connectorArn": ARN})
    page = {"connectorArn": ARN, "nextToken": "n"}
    connect.add_response("list_connector_operations", {"connectorOperations": operations[1:]}, page)

    assert len(hook.operations(hook.get("sink"), NOW - timedelta(hours=1))) == 2


@pytest.mark.parametrize("operation", ["restart_connector", "pause_connector", "resume_connector"])
def test_the_operations_that_an_old_botocore_lacks_are_there(hook, operation):
    assert hasattr(hook.conn, operation)


def test_a_restart_asks_for_the_failed_tasks_only(hook, connect):
    add_connector(connect)
    connect.add_response("restart_connector", {"connectorArn": ARN}, {"connectorArn": ARN, "onlyFailedTasks": True})

    hook.restart(hook.get("sink"))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("TooManyRequestsException", TransientError),
        ("ServiceUnavailableException", TransientError),
        ("ConflictException", TransientError),
        ("BadRequestException", PermanentError),
        ("ForbiddenException", PermanentError),
    ],
)
def test_refusals_say_whether_another_try_can_help(hook, connect, code, kind):
    add_connector(connect)
    connect.add_client_error("delete_connector", code, "because")
    if code in REFUSED_CHANGES:  # is it still the connector that was described?
        connect.add_response("describe_connector", described(), {"connectorArn": ARN})

    with pytest.raises(kind, match=f"deleting connector sink.*{code}: because"):
        hook.delete(hook.get("sink"))


def test_filled_in_texts_become_what_the_api_wants(hook):
    request = {
        "connectorName": "sink",
        "plugins": [{"customPlugin": {"customPluginArn": "a", "revision": "3"}}],
        "kafkaCluster": {"apacheKafkaCluster": {"vpc": {"subnets": '["s1", "s2"]', "securityGroups": ["g"]}}},
        "connectorConfiguration": {"tasks.max": 2, "errors.log.enable": True},
        "unheardOf": "stays",
    }

    typed = hook.typed_request(request)

    assert typed["plugins"][0]["customPlugin"]["revision"] == 3
    assert typed["kafkaCluster"]["apacheKafkaCluster"]["vpc"]["subnets"] == ["s1", "s2"]
    assert typed["connectorConfiguration"] == {"tasks.max": "2", "errors.log.enable": "true"}
    assert typed["unheardOf"] == "stays"


def test_an_unsupported_property_of_the_request_is_named(hook):
    with pytest.raises(PermanentError, match=r"unheardOf.*correct the connector file"):
        hook.create({"connectorName": "sink", "unheardOf": 1})


def test_a_text_where_a_number_belongs_is_named(hook):
    request = {"connectorName": "sink", "plugins": [{"customPlugin": {"customPluginArn": "a", "revision": "one"}}]}

    with pytest.raises(PermanentError, match=r"Connector sink: a value in its file has the wrong type: .*'one'"):
        hook.typed_request(request)


def test_an_endpoint_that_is_not_there_can_be_asked_again(hook, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_KAFKACONNECT", "http://127.0.0.1:9")

    with pytest.raises(TransientError, match="no answer: Could not connect"):
        MskConnectHook(aws_conn_id=None, config={"retries": {"total_max_attempts": 1}}).find("sink")
