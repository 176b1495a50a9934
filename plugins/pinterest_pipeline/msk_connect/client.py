"""The requests that answer a question about a connector, with paging and parsing; the hook sends them.

Each function takes ``call``, which sends one request by boto3's names and returns the response.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.msk_connect.health import Snapshot, TaskCounts

CONNECT_NAMESPACE, KAFKA_NAMESPACE = "AWS/KafkaConnect", "AWS/Kafka"
METRIC_PERIOD_SECONDS = 60  # both services publish once a minute
METRIC_MAX_AGE = timedelta(minutes=5)  # older values say nothing about now


Response = Mapping[str, Any]


class Call(Protocol):
    """Sends one request to a service, ``kafkaconnect`` or ``cloudwatch``."""

    def __call__(self, service: str, operation: str, **arguments: Any) -> Response: ...


class ConnectorChangedError(TransientError):
    """The connector was changed, created or deleted between two requests: check it again."""


@dataclass(frozen=True)
class Connector:
    """A connector as DescribeConnector reports it.

    :param version: What UpdateConnector and DeleteConnector want as ``currentVersion``.
    :param described: The whole response, for the fields that have no name here.
    """

    arn: str
    name: str
    state: str
    version: str
    state_reason: str = ""
    configuration: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold secrets
    described: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Operation:
    """One entry of a connector's history; only DescribeConnectorOperation knows the reason of a failure."""

    type: str
    state: str
    created_at: datetime
    reason: str = ""


def connector_from(response: Response) -> Connector:
    return Connector(
        arn=response["connectorArn"],
        name=response["connectorName"],
        state=response["connectorState"],
        version=response["currentVersion"],
        state_reason=reason_from(response.get("stateDescription")),
        configuration=response.get("connectorConfiguration", {}),
        described=response,
    )


def operation_from(response: Response) -> Operation:
    return Operation(
        response["connectorOperationType"],
        response["connectorOperationState"],
        response["creationTime"],
        reason_from(response.get("errorInfo")),
    )


def reason_from(description: Mapping[str, str] | None) -> str:
    """Return a StateDescription as one line."""
    found = description or {}
    return ": ".join(" ".join(found[key].split()) for key in ("code", "message") if found.get(key))


def find_connector(call: Call, describe: Callable[[str], Connector | None], name: str) -> Connector | None:
    """The service has no lookup by name: list by prefix, then describe the exact match.

    :raises ConnectorChangedError: it was listed, and gone when it was described.
    """
    arguments: dict[str, Any] = {"connectorNamePrefix": name}
    while True:
        page = call("kafkaconnect", "list_connectors", **arguments)
        for summary in page.get("connectors", []):
            if summary["connectorName"] == name:
                if (connector := describe(summary["connectorArn"])) is None:
                    raise ConnectorChangedError(f"Connector {name} was deleted while it was looked up")
                return connector
        if not page.get("nextToken"):
            return None
        arguments = {**arguments, "nextToken": page["nextToken"]}


def list_operations(call: Call, arn: str, since: datetime) -> list[Operation]:
    """The connector's operations that began at or after ``since``."""
    arguments: dict[str, Any] = {"connectorArn": arn}
    operations: list[Operation] = []
    while True:
        page = call("kafkaconnect", "list_connector_operations", **arguments)
        operations.extend(operation_from(entry) for entry in page.get("connectorOperations", []))
        if not page.get("nextToken"):
            return [operation for operation in operations if operation.created_at >= since]
        arguments = {**arguments, "nextToken": page["nextToken"]}


def take_snapshot(
    call: Call, connector: Connector, topics: Collection[str], cluster_name: str | None, now: datetime
) -> Snapshot:
    """Tasks and lag of a connector that was just described. One to three requests.

    CloudWatch finds a metric only by its exact dimensions. Without ``cluster_name`` they are looked up with
    ListMetrics, which knows a new metric up to 15 minutes after its first value.

    :param topics: Whose lag counts; without them, those that the connector reads.
    """
    name = connector.name
    group = f"connect-{name}"
    topics = topics or topics_of(connector)
    lag_metrics = (
        [_lag_metric(group, topic, cluster_name) for topic in topics]
        if cluster_name and topics
        else _discover_lag_metrics(call, group, topics, cluster_name)
    )
    task_metrics = [
        ("running", _metric(CONNECT_NAMESPACE, "RunningTaskCount", {"ConnectorName": name}), "Minimum"),
        ("errored", _metric(CONNECT_NAMESPACE, "ErroredTaskCount", {"ConnectorName": name}), "Maximum"),
        ("workers", _metric(CONNECT_NAMESPACE, "WorkerCount", {"ConnectorName": name}), "Minimum"),
    ]
    queries = [*task_metrics, *((f"lag{n}", metric, "Maximum") for n, metric in enumerate(lag_metrics))]
    newest = newest_values(call("cloudwatch", "get_metric_data", **_metric_data(queries, now)))
    return Snapshot(
        name=name,
        state=connector.state,
        state_reason=connector.state_reason,
        tasks=TaskCounts(newest.get("running"), newest.get("errored"), newest.get("workers")),
        configured_tasks=int(connector.configuration.get("tasks.max", 1)),
        topics=tuple(topics),
        lag={
            _dimension(metric, "Topic"): newest[f"lag{n}"]
            for n, metric in enumerate(lag_metrics)
            if f"lag{n}" in newest
        },
    )


def topics_of(connector: Connector) -> tuple[str, ...]:
    """Return the topics that the connector's configuration lists; none for one that has ``topics.regex``."""
    listed = connector.configuration.get("topics", "")
    return tuple(topic.strip() for topic in listed.split(",") if topic.strip())


def newest_values(response: Response) -> dict[str, int]:
    """The value with the newest timestamp, by query id; queries without any value are missing."""
    return {
        result["Id"]: int(max(zip(result["Timestamps"], result["Values"], strict=True))[1])
        for result in response.get("MetricDataResults", [])
        if result["Values"]
    }


def _discover_lag_metrics(
    call: Call, group: str, topics: Collection[str], cluster_name: str | None
) -> Sequence[Mapping[str, Any]]:
    dimensions = [{"Name": "Consumer Group", "Value": group}]
    if cluster_name:
        dimensions.append({"Name": "Cluster Name", "Value": cluster_name})
    arguments: dict[str, Any] = {
        "Namespace": KAFKA_NAMESPACE,
        "MetricName": "SumOffsetLag",
        "Dimensions": dimensions,
    }
    found: list[Mapping[str, Any]] = []
    while True:
        page = call("cloudwatch", "list_metrics", **arguments)
        found.extend(
            {key: metric[key] for key in ("Namespace", "MetricName", "Dimensions")}
            for metric in page.get("Metrics", [])
            if not topics or _dimension(metric, "Topic") in topics
        )
        if not page.get("NextToken"):
            return found
        arguments = {**arguments, "NextToken": page["NextToken"]}


def _metric_data(queries: Sequence[tuple[str, Mapping[str, Any], str]], now: datetime) -> dict[str, Any]:
    return {
        "StartTime": now - METRIC_MAX_AGE,
        "EndTime": now + timedelta(seconds=METRIC_PERIOD_SECONDS),
        "MetricDataQueries": [
            {"Id": name, "MetricStat": {"Metric": metric, "Period": METRIC_PERIOD_SECONDS, "Stat": statistic}}
            for name, metric, statistic in queries
        ],
    }


def _lag_metric(group: str, topic: str, cluster_name: str) -> Mapping[str, Any]:
    dimensions = {"Consumer Group": group, "Topic": topic, "Cluster Name": cluster_name}
    return _metric(KAFKA_NAMESPACE, "SumOffsetLag", dimensions)


def _metric(namespace: str, name: str, dimensions: Mapping[str, str]) -> Mapping[str, Any]:
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": pairs}


def _dimension(metric: Mapping[str, Any], name: str) -> str:
    return next((pair["Value"] for pair in metric["Dimensions"] if pair["Name"] == name), "")
