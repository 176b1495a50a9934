"""AWS as the operators of MSK Connect see it: two stubbed botocore clients whose answers are queued."""

from datetime import UTC, datetime

from botocore.stub import Stubber

from pinterest_pipeline.msk_connect.hook import MskConnectHook

ARN = "arn:aws:kafkaconnect:us-east-1:000000000000:connector/sink/1"
CONFIGURATION = {"flush.size": "5000"}
SUMMARY = {"connectorArn": ARN, "connectorName": "sink", "connectorState": "RUNNING", "currentVersion": "v1"}


class Service:
    """Queues the answers of both AWS services, in the order of the calls."""

    def __init__(self, hook: MskConnectHook) -> None:
        self.hook = hook
        self.connect = Stubber(hook.conn)
        self.cloudwatch = Stubber(hook._cloudwatch.conn)

    def has(self, state="RUNNING", configuration=None, **changes):
        """The next check finds the connector so."""
        own = CONFIGURATION if configuration is None else configuration
        described = {**SUMMARY, "connectorState": state, "connectorConfiguration": own, **changes}
        self.connect.add_response("list_connectors", {"connectors": [SUMMARY]}, {"connectorNamePrefix": "sink"})
        self.connect.add_response("describe_connector", described, {"connectorArn": ARN})

    def has_none(self):
        self.connect.add_response("list_connectors", {"connectors": []}, {"connectorNamePrefix": "sink"})

    def describes(self, state):
        """The waiter's next check."""
        self.connect.add_response("describe_connector", {**SUMMARY, "connectorState": state}, {"connectorArn": ARN})

    def measures(self, running=1, errored=0):
        now = datetime.now(UTC)
        counts = {"running": running, "errored": errored}
        results = [{"Id": name, "Timestamps": [now], "Values": [count]} for name, count in counts.items()]
        self.cloudwatch.add_response("list_metrics", {"Metrics": []})
        self.cloudwatch.add_response("get_metric_data", {"MetricDataResults": results})

    def was_restarted(self, times):
        entry = {"connectorOperationType": "RESTART_CONNECTOR", "creationTime": datetime.now(UTC)}
        operations = [{**entry, "connectorOperationState": "RESTART_COMPLETE"}] * times
        self.connect.add_response("list_connector_operations", {"connectorOperations": operations})
