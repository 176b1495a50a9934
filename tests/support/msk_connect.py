"""boto3 clients of the MSK Connect stand-in, a topic, and connectors that are gone after the test."""

import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import PROJECT
from tests.support import signed
from tests.support.kafka import client_of
from tests.support.waiting import wait_until

BOTOCORE_EXTRAS = PROJECT / "plugins" / "pinterest_pipeline" / "msk_connect" / "botocore_extras"


def refused(call, **arguments):
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    error = refusal.value.response
    return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Message"]


class MskConnectLab:
    """Everything one test needs; ``close`` deletes its connectors and its topic."""

    def __init__(self, environment):
        import boto3
        from confluent_kafka.admin import AdminClient, NewTopic

        self.environment = environment
        self.session = boto3.Session(
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_DEFAULT_REGION"],
        )
        # As the product does: what this botocore does not know of the service yet.
        self.session._session.get_component("data_loader").search_paths.append(str(BOTOCORE_EXTRAS))
        self.connect = self.session.client("kafkaconnect", endpoint_url=environment["AWS_ENDPOINT_URL_KAFKACONNECT"])
        self.cloudwatch = self.session.client("cloudwatch", endpoint_url=environment["AWS_ENDPOINT_URL"])
        self.admin = AdminClient(client_of(environment))
        self.name = f"msk-test-{uuid.uuid4().hex[:8]}"
        self.arns = []
        self.admin.create_topics([NewTopic(self.name, 2)])[self.name].result(30)

    def call(self, method, path):
        """Return the answer to a signed request, as it is."""
        url = self.environment["AWS_ENDPOINT_URL_KAFKACONNECT"]
        return signed.call(self.environment, "kafkaconnect", method, url + path)

    def configuration(self, **values):
        return {
            "connector.class": "io.confluent.connect.s3.S3SinkConnector",
            "tasks.max": "1",
            "topics": self.name,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
            "s3.bucket.name": self.environment["PINTEREST_BUCKET"],
            "s3.region": "us-east-1",
            "topics.dir": f"test/{self.name}",
            "flush.size": "1000",
            **values,
        }

    def request(self, suffix="", **values):
        [plugin] = self.connect.list_custom_plugins(namePrefix="pinterest-s3-sink")["customPlugins"]
        return {
            "connectorName": self.name + suffix,
            "kafkaConnectVersion": "3.7.x",
            "capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
            "kafkaCluster": {
                "apacheKafkaCluster": {
                    "bootstrapServers": self.environment["KAFKA_BOOTSTRAP_SERVERS"],
                    "vpc": {"subnets": ["subnet-sandbox"], "securityGroups": ["sg-sandbox"]},
                }
            },
            "kafkaClusterClientAuthentication": {"authenticationType": "NONE"},
            "kafkaClusterEncryptionInTransit": {"encryptionType": "PLAINTEXT"},
            "plugins": [{"customPlugin": {"customPluginArn": plugin["customPluginArn"], "revision": 1}}],
            "serviceExecutionRoleArn": f"arn:aws:iam::{'0' * 12}:role/test",
            "connectorConfiguration": self.configuration(**values),
        }

    def create(self, suffix="", **values):
        answer = self.connect.create_connector(**self.request(suffix, **values))
        self.arns.append(answer["connectorArn"])
        assert answer["connectorState"] == "CREATING"
        return answer["connectorArn"]

    def described(self, arn):
        def described():
            found = self.connect.describe_connector(connectorArn=arn)
            return found if found["connectorState"] in {"RUNNING", "FAILED", "PAUSED"} else None

        return wait_until(described, 60, f"{arn} is RUNNING, FAILED or PAUSED", pause=0.2)

    def operation(self, arn):
        """Return the operation once it is over."""

        def over():
            found = self.connect.describe_connector_operation(connectorOperationArn=arn)
            return None if found["connectorOperationState"].endswith(("PENDING", "_IN_PROGRESS")) else found

        return wait_until(over, 60, f"{arn} is over", pause=0.2)

    def exists(self, arn):
        try:
            self.connect.describe_connector(connectorArn=arn)
        except self.connect.exceptions.NotFoundException:
            return False
        return True

    def send(self, *values):
        from confluent_kafka import Producer

        producer = Producer(client_of(self.environment))
        for value in values:
            producer.produce(self.name, value)
        assert producer.flush(30) == 0

    def metric(self, namespace, metric, dimensions):
        """Return the newest value within the last minutes, or None."""
        now = datetime.now(UTC)
        wanted = {
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        }
        stat = {"Metric": wanted, "Period": 1, "Stat": "Maximum"}
        [result] = self.cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "m", "MetricStat": stat}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=1),
        )["MetricDataResults"]
        values = sorted(zip(result["Timestamps"], result["Values"], strict=True))
        return values[-1][1] if values else None

    def tasks(self, metric, suffix=""):
        return self.metric("AWS/KafkaConnect", metric, {"ConnectorName": self.name + suffix})

    def lag(self, metric):
        dimensions = {
            "Cluster Name": "pinterest-sandbox",
            "Consumer Group": f"connect-{self.name}",
            "Topic": self.name,
        }
        return self.metric("AWS/Kafka", metric, dimensions)

    def close(self):
        for arn in self.arns:
            with suppress(self.connect.exceptions.NotFoundException):
                self.described(arn)
                self.connect.delete_connector(connectorArn=arn)
                wait_until(lambda arn=arn: not self.exists(arn), 60, f"{arn} is deleted", pause=0.2)
        self.admin.delete_topics([self.name])[self.name].result(30)
