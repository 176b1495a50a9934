"""MSK with its topics, the connector's plugin and log, and the repository of the proxy's image."""

import json

import aws_cdk as cdk
from aws_cdk import App, Fn
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_kafkaconnect as kafkaconnect
from aws_cdk import aws_msk as msk

from infra import declared
from infra.aws.parts import PipelineStack, retain, shared, sub

KAFKA_VERSION = "3.9.x"
PLUGIN_NAME = "${Name}-s3-sink"
CONNECTOR_LOG = "/${Name}/msk-connect"
BROKER_LOG = "/${Name}/msk"
SERVER_PROPERTIES = {  # a topic that no file declares is a mistake
    "auto.create.topics.enable": "false",
    "default.replication.factor": "2",
    "min.insync.replicas": "1",
    "unclean.leader.election.enable": "false",
}


class Kafka(PipelineStack):
    """The cluster, with IAM and TLS; topics as ``topics.json`` declares them; the plugin from the lake's bucket."""

    def __init__(self, app: App) -> None:
        super().__init__(app, "kafka", "MSK, topics, the plugin of the connector")
        cluster = self.cluster()
        for key, topic in declared.topics().items():
            made = msk.CfnTopic(
                self, f"Topic{key.title().replace('-', '')}",
                cluster_arn=cluster.ref, topic_name=sub(topic["name"]), partition_count=topic["partitions"],
                replication_factor=self.sized_number("zones"),
                configs=Fn.base64(json.dumps({"retention.ms": str(topic["retention_ms"])})),
            )  # fmt: skip
            retain(made)
        log = self.log_group("ConnectorLog", CONNECTOR_LOG)
        plugin = kafkaconnect.CfnCustomPlugin(
            self, "Plugin",
            name=sub(PLUGIN_NAME), content_type="ZIP", description="Confluent's S3 sink, from Confluent Hub",
            location={
                "s3Location": {
                    "bucketArn": Fn.join("", [sub("arn:${AWS::Partition}:s3:::"), shared("LakeBucket")]),
                    "fileKey": declared.PLUGIN_KEY,
                }
            },
        )  # fmt: skip
        images = ecr.CfnRepository(
            self, "ProxyImages",
            repository_name=sub("${Name}-kafka-rest"), image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scanOnPush": True}, empty_on_delete=True,
        )  # fmt: skip
        self.share(
            {
                "ClusterArn": cluster.ref,
                "PluginArn": plugin.attr_custom_plugin_arn,
                "ConnectorLogGroup": log.ref,
                "ProxyRepository": images.attr_repository_uri,
            }
        )

    def cluster(self) -> msk.CfnCluster:
        log = self.log_group("BrokerLog", BROKER_LOG)
        lines = "\n".join(f"{name}={value}" for name, value in SERVER_PROPERTIES.items())
        configuration = msk.CfnConfiguration(
            self, "Configuration", name=self.name, kafka_versions_list=[KAFKA_VERSION], server_properties=lines
        )
        cluster = msk.CfnCluster(
            self, "Cluster",
            cluster_name=self.name, kafka_version=KAFKA_VERSION,
            number_of_broker_nodes=self.sized_number("brokers"),
            broker_node_group_info={
                "instanceType": self.sized("broker_type"),
                "clientSubnets": Fn.split(",", shared("Subnets")),
                "securityGroups": [shared("KafkaGroup")],
                "storageInfo": {"ebsStorageInfo": {"volumeSize": self.sized_number("broker_storage_gb")}},
            },
            client_authentication={"sasl": {"iam": {"enabled": True}}, "unauthenticated": {"enabled": False}},
            encryption_info={"encryptionInTransit": {"clientBroker": "TLS", "inCluster": True}},
            configuration_info={
                "arn": configuration.attr_arn,
                "revision": cdk.Token.as_number(Fn.get_att(configuration.logical_id, "LatestRevision.Revision")),
            },
            # Lag by topic, which the alarms and the health check ask for
            enhanced_monitoring="PER_TOPIC_PER_PARTITION",
            logging_info={"brokerLogs": {"cloudWatchLogs": {"enabled": True, "logGroup": log.ref}}},
        )  # fmt: skip
        retain(configuration, cluster)
        return cluster
