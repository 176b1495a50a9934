"""AWS as the operators of MSK Connect see it: two stubbed botocore clients whose answers are queued."""

from datetime import UTC, datetime

from botocore.stub import Stubber

ARN = "arn:aws:kafkaconnect:us-east-1:000000000000:connector/sink/1"
CONFIGURATION = {"flush.size": "5000", "tasks.max": "2", "topics": "pin"}
SUMMARY = {"connectorArn": ARN, "connectorName": "sink", "connectorState": "RUNNING", "currentVersion": "v1"}
OPERATION = ARN.replace(":connector/", ":connector-operation/") + "/2"
REQUEST = {
    "connectorName": "sink",
    "capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
    "connectorConfiguration": {**CONFIGURATION, "flush.size": "${size}"},
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


class Service:
    """Queues the answers of both AWS services, in the order of the calls."""

    def __init__(self, hook) -> None:
        self.hook = hook
        self.connect = Stubber(hook.conn)
        self.cloudwatch = Stubber(hook._cloudwatch.conn)

    def has(self, state="RUNNING", configuration=None, **changes):
        """The next check finds the connector so; None takes a member out of the report."""
        self.lists()
        self.describes(state, configuration, **changes)

    def lists(self):
        self.connect.add_response("list_connectors", {"connectors": [SUMMARY]}, {"connectorNamePrefix": "sink"})

    def has_none(self):
        self.connect.add_response("list_connectors", {"connectors": []}, {"connectorNamePrefix": "sink"})

    def describes(self, state="RUNNING", configuration=None, **changes):
        own = CONFIGURATION if configuration is None else {**CONFIGURATION, **configuration}
        report = {**FILLED, **SUMMARY, "connectorState": state, "connectorConfiguration": own, **changes}
        reported = {name: value for name, value in report.items() if value is not None}
        self.connect.add_response("describe_connector", reported, {"connectorArn": ARN})

    def begins(self, operation, **arguments):
        """The next change is accepted, with an operation to follow."""
        answer = {"connectorArn": ARN, "connectorOperationArn": OPERATION}
        self.connect.add_response(operation, answer, {"connectorArn": ARN, **arguments})

    def tells_of_the_operation(self, state, kind="UPDATE_CONNECTOR_CONFIGURATION", **more):
        """The waiter's next check."""
        answer = {"connectorOperationType": kind, "connectorOperationState": state, "creationTime": datetime.now(UTC)}
        self.connect.add_response(
            "describe_connector_operation", {**answer, **more}, {"connectorOperationArn": OPERATION}
        )

    def measures(self, **newest):
        """CloudWatch has these values; None where it has none."""
        now = datetime.now(UTC)
        found = {"running": 2, "errored": 0, "workers": 1, "lag0": 0, **newest}
        results = [
            {"Id": name, "Timestamps": [now], "Values": [count]} for name, count in found.items() if count is not None
        ]
        names = {"Cluster Name": "c", "Consumer Group": "connect-sink", "Topic": "pin"}
        dimensions = [{"Name": name, "Value": value} for name, value in names.items()]
        lag = {"Namespace": "AWS/Kafka", "MetricName": "SumOffsetLag", "Dimensions": dimensions}
        self.cloudwatch.add_response("list_metrics", {"Metrics": [] if found["lag0"] is None else [lag]})
        self.cloudwatch.add_response("get_metric_data", {"MetricDataResults": results})

    def was_restarted(self, times):
        entry = {"connectorOperationType": "RESTART_CONNECTOR", "creationTime": datetime.now(UTC)}
        operations = [{**entry, "connectorOperationState": "RESTART_COMPLETE"}] * times
        self.connect.add_response("list_connector_operations", {"connectorOperations": operations})
