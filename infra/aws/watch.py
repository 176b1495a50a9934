"""Alarms, each with the place in the runbook that says what to do, and a dashboard with what they watch."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import App
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns

from infra import declared
from infra.aws.parts import PipelineStack, sub
from infra.aws.rest import STAGE

TASK_FAILED = "pipeline_task_failed"  # the line of plugins/pinterest_pipeline/dag/alerts.py
# Where a task writes it; the dag-processor, for a worker that died; and the triggerer, for a run that missed its time,
# which has no log group of its own
ALARM_LOGS = ("Task", "DAGProcessing", "Scheduler", "Worker")
MAX_ITERATOR_AGE_MS = 15 * 60 * 1_000
MAX_LAG = 500_000  # records of a topic that the connector is behind
DISK_PERCENT = 80
FREE_DATABASE_BYTES = 5 * 1024**3
CONNECTOR = "${Name}-s3-sink"
API = "${Name}-kafka-rest"


@dataclass(frozen=True)
class Alarm:
    """One alarm: it rings when ``statistic`` of the metric is at or beyond ``threshold`` in ``minutes`` of a row.

    :param runbook: Heading of docs/runbook.md, as an anchor.
    :param missing: What no value means: ``breaching`` or ``notBreaching``.
    """

    key: str
    namespace: str
    metric: str
    dimensions: dict[str, str]
    statistic: str
    threshold: float
    runbook: str
    below: bool = False
    minutes: int = 5
    missing: str = "notBreaching"
    extra: dict[str, Any] = field(default_factory=dict)


def alarms() -> Iterator[Alarm]:
    """Yield what is watched: by topic, stream and service."""
    tasks_max = float(declared.connector()["connectorConfiguration"]["tasks.max"])
    sink, streaming = "pinterest_sink_connector", "pinterest_stream_supervisor"
    connect = {"ConnectorName": CONNECTOR}
    yield Alarm("ConnectorErrored", "AWS/KafkaConnect", "ErroredTaskCount", connect, "Maximum", 1, sink)
    yield Alarm(
        "ConnectorTasks", "AWS/KafkaConnect", "RunningTaskCount", connect, "Minimum", tasks_max, sink, below=True,
        minutes=15, missing="breaching",
    )  # fmt: skip
    for key, topic in declared.topics().items():
        if key != "dead-letters":
            group = {"Consumer Group": f"connect-{CONNECTOR}", "Topic": topic["name"], "Cluster Name": "${Name}"}
            yield Alarm(f"Lag{key.title()}", "AWS/Kafka", "SumOffsetLag", group, "Maximum", MAX_LAG, sink, minutes=15)
    for table, stream in declared.streams().items():
        yield Alarm(
            f"IteratorAge{table.title()}", "AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", {"StreamName": stream},
            "Maximum", MAX_ITERATOR_AGE_MS, streaming,
        )  # fmt: skip
    api = {"ApiName": API, "Stage": STAGE}
    yield Alarm("Api5xx", "AWS/ApiGateway", "5XXError", api, "Sum", 50, "pinterest_daily_batch")
    yield Alarm("Api4xx", "AWS/ApiGateway", "4XXError", api, "Sum", 50, "pinterest_daily_batch")
    yield Alarm(
        "AirflowHeartbeat", "AmazonMWAA", "SchedulerHeartbeat", {"Environment": "${Name}", "Function": "Scheduler"},
        "Sum", 1, "how-urgent-is-it", below=True, missing="breaching",
    )  # fmt: skip
    yield Alarm("TaskFailed", "${Name}", "PipelineTaskFailed", {}, "Sum", 1, "how-an-alarm-comes", minutes=1)
    database = {"DBInstanceIdentifier": "${Name}"}
    for key, metric, threshold, below in (
        ("DatabaseStorage", "FreeStorageSpace", FREE_DATABASE_BYTES, True),
        ("DatabaseCpu", "CPUUtilization", 90, False),
    ):
        yield Alarm(key, "AWS/RDS", metric, database, "Average", threshold, streaming, below=below, minutes=15)


class Watch(PipelineStack):
    """Alarms to one topic of SNS; deployed last, because the log group of Airflow's tasks is MWAA's to make."""

    def __init__(self, app: App) -> None:
        super().__init__(app, "watch", "Alarms and the dashboard")
        address = self.parameter("AlarmEmail", "Gets every alarm", allowed_pattern=r"[^@\s]+@[^@\s]+")
        topic = sns.CfnTopic(self, "Alarms", topic_name=sub("${Name}-alarms"), kms_master_key_id="alias/aws/sns")
        sns.CfnSubscription(self, "Email", topic_arn=topic.ref, protocol="email", endpoint=address)
        for log in ALARM_LOGS:
            logs.CfnMetricFilter(
                self, f"{log}FailedFilter",
                log_group_name=sub(f"airflow-${{Name}}-{log}"), filter_pattern=TASK_FAILED,
                metric_transformations=[
                    {"metricName": "PipelineTaskFailed", "metricNamespace": self.name, "metricValue": "1"}
                ],
            )  # fmt: skip
        made = [self.alarm(one, topic.ref) for one in alarms()]
        made.append(self.disk(topic.ref))

        self.dashboard([one for one in alarms() if one.dimensions])
        self.share({"AlarmTopicArn": topic.ref})
        self.accept({"AwsSolutions-SNS3": "CloudWatch publishes by TLS; no other publisher is allowed."})

    def alarm(self, one: Alarm, topic: str) -> cloudwatch.CfnAlarm:
        direction = "LessThanThreshold" if one.below else "GreaterThanOrEqualToThreshold"
        return cloudwatch.CfnAlarm(
            self, one.key,
            alarm_name=sub(f"${{Name}}-{one.key}"), alarm_description=f"docs/runbook.md#{one.runbook}",
            namespace=sub(one.namespace) if "$" in one.namespace else one.namespace, metric_name=one.metric,
            dimensions=[
                {"name": name, "value": sub(value) if "$" in value else value}
                for name, value in one.dimensions.items()
            ],
            statistic=one.statistic, period=60, evaluation_periods=one.minutes, datapoints_to_alarm=one.minutes,
            threshold=one.threshold, comparison_operator=direction, treat_missing_data=one.missing,
            alarm_actions=[topic], ok_actions=[topic],
        )  # fmt: skip

    def disk(self, topic: str) -> cloudwatch.CfnAlarm:
        """The fullest broker: brokers have numbers, and there may be more tomorrow."""
        query = (
            'SELECT MAX(KafkaDataLogsDiskUsed) FROM SCHEMA("AWS/Kafka", "Broker ID", "Cluster Name") '
            "WHERE \"Cluster Name\" = '${Name}'"
        )
        return cloudwatch.CfnAlarm(
            self, "BrokerDisk",
            alarm_name=sub("${Name}-BrokerDisk"), alarm_description="docs/runbook.md#pinterest_sink_connector",
            metrics=[{"id": "used", "expression": sub(query), "period": 300, "returnData": True}],
            evaluation_periods=3, threshold=DISK_PERCENT, comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching", alarm_actions=[topic], ok_actions=[topic],
        )  # fmt: skip

    def dashboard(self, watched: list[Alarm]) -> None:
        widgets = [
            {
                "type": "metric", "width": 8, "height": 6, "x": 8 * (index % 3), "y": 6 * (index // 3),
                "properties": {
                    "title": one.key, "region": "${AWS::Region}", "stat": one.statistic, "period": 60,
                    "metrics": [[one.namespace, one.metric, *(x for pair in one.dimensions.items() for x in pair)]],
                    "annotations": {"horizontal": [{"label": "alarm", "value": one.threshold}]},
                },
            }
            for index, one in enumerate(watched)
        ]  # fmt: skip
        body = json.dumps({"widgets": widgets})
        cloudwatch.CfnDashboard(self, "Dashboard", dashboard_name=self.name, dashboard_body=sub(body))
