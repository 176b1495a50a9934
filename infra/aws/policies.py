"""Who may do what: the statements of each role, with the reason where a right is no call that a test records.

Plain data without CDK: tests simulate it, and the access stack attaches it. ``${…}`` are CloudFormation's.
"""

from dataclasses import dataclass, field
from typing import Any

from infra import declared

ACCOUNT = "${AWS::Region}:${AWS::AccountId}"
ARN = "arn:${AWS::Partition}"
LAKE_BUCKET = "${Name}-lake-${AWS::AccountId}-${AWS::Region}"
DEPLOYMENT_BUCKET = "${Name}-deployment-${AWS::AccountId}-${AWS::Region}"
LAKE = f"{ARN}:s3:::{LAKE_BUCKET}"
DEPLOYMENT = f"{ARN}:s3:::{DEPLOYMENT_BUCKET}"
STREAMS = f"{ARN}:kinesis:{ACCOUNT}:stream/streaming-${{Name}}-*"
CONNECTORS = f"{ARN}:kafkaconnect:{ACCOUNT}:connector/*"
OPERATIONS = f"{ARN}:kafkaconnect:{ACCOUNT}:connector-operation/*"
CONNECTOR_ROLE = f"{ARN}:iam::${{AWS::AccountId}}:role/${{Name}}-connector"
ENVIRONMENT = f"{ARN}:airflow:{ACCOUNT}:environment/${{Name}}"
TOPICS = [topic["name"] for key, topic in declared.topics().items() if key != "dead-letters"]
DEAD_LETTERS = declared.topics()["dead-letters"]["name"]
WORKER = "__amazon_msk_connect_*"  # the worker's own topics and group, named by the service

JVM = "The JVM calls it; botocore records its own calls only."
SERVICE = "The service does it with this role; no call of ours."


@dataclass(frozen=True)
class Statement:
    """Actions on resources.

    :param reason: Why each action is needed, where no recorded call shows it.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    reason: str = ""
    conditions: dict[str, Any] = field(default_factory=dict)
    effect: str = "Allow"

    def document(self) -> dict[str, Any]:
        """Return the statement as IAM reads it."""
        found: dict[str, Any] = {"Sid": self.sid, "Effect": self.effect, "Action": list(self.actions)}
        found["Resource"] = list(self.resources)
        return found | ({"Condition": self.conditions} if self.conditions else {})


def kafka(kind: str, *names: str) -> tuple[str, ...]:
    """Return ARNs below the cluster; its UUID is not known before it is made."""
    return tuple(f"{ARN}:kafka:{ACCOUNT}:{kind}/${{Name}}/*/{name}" for name in names)


CLUSTER = (f"{ARN}:kafka:{ACCOUNT}:cluster/${{Name}}/*",)


def connector() -> list[Statement]:
    """MSK Connect assumes it for the S3 sink."""
    own = ("CreateTopic", "ReadData", "WriteData", "DescribeTopic")
    groups = kafka("group", "connect-*", WORKER)
    return [
        Statement("Cluster", _cluster("Connect", "DescribeCluster"), CLUSTER, JVM),
        Statement("ReadTopics", _cluster("ReadData", "DescribeTopic"), kafka("topic", *TOPICS), JVM),
        Statement("DeadLetters", _cluster("WriteData", "DescribeTopic"), kafka("topic", DEAD_LETTERS), JVM),
        Statement("WorkerTopics", _cluster(*own), kafka("topic", WORKER), JVM),
        Statement("Groups", _cluster("AlterGroup", "DescribeGroup"), groups, JVM),
        Statement("FindBucket", ("s3:ListAllMyBuckets",), reason=JVM),
        Statement("Bucket", _s3("ListBucket", "GetBucketLocation", "ListBucketMultipartUploads"), (LAKE,), JVM),
        Statement(
            "WriteTopicsFolder",
            _s3("GetObject", "PutObject", "AbortMultipartUpload", "ListMultipartUploadParts"),
            (f"{LAKE}/topics*",),
            JVM,
        ),
    ]


def proxy() -> list[Statement]:
    """The task role of the Kafka REST proxy."""
    declared_topics = kafka("topic", *TOPICS, DEAD_LETTERS)
    ensuring = ("CreateTopic", "DescribeTopic", "DescribeTopicDynamicConfiguration")
    return [
        Statement("Cluster", _cluster("Connect", "DescribeCluster", "WriteDataIdempotently"), CLUSTER, JVM),
        Statement("WriteTopics", _cluster("WriteData"), kafka("topic", *TOPICS), JVM),
        Statement("EnsureTopics", _cluster(*ensuring), declared_topics, JVM),
        Statement("FindBrokers", ("kafka:GetBootstrapBrokers",), reason="infra/kafka-rest/start.sh calls it."),
    ]


def databricks() -> list[Statement]:
    """The instance profile of both clusters: the batch's and the stream's."""
    objects = _s3("GetObject", "PutObject", "DeleteObject")
    reading = ("DescribeStream", "DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords")
    return [
        Statement("Bucket", _s3("ListBucket", "GetBucketLocation"), (LAKE,), JVM),
        Statement("ReadTopicsFolder", _s3("GetObject"), (f"{LAKE}/topics*", f"{LAKE}/runs/*"), JVM),
        Statement("Tables", objects, (f"{LAKE}/delta/*", f"{LAKE}/checkpoints/*"), JVM),
        Statement("ReadStreams", _kinesis(*reading), (STREAMS,), JVM),
    ]


def airflow_watch() -> list[Statement]:
    """What MWAA's role may read: enough for every check, and for the preflight."""
    reading = ("DescribeConnector", "ListConnectorOperations", "DescribeConnectorOperation")
    stream = ("DescribeStreamSummary", "ListTagsForStream", "ListShards", "GetShardIterator", "GetRecords")
    objects = (f"{LAKE}/topics*", f"{LAKE}/dead-letters*", f"{LAKE}/progress/*", f"{LAKE}/emulation/*")
    secrets = f"{ARN}:secretsmanager:{ACCOUNT}:secret:airflow/*"
    return [
        Statement("ListConnectors", ("kafkaconnect:ListConnectors",)),
        Statement("WatchConnectors", _connect(*reading), (CONNECTORS, OPERATIONS)),
        Statement(
            "WatchPlugin",
            ("kafkaconnect:DescribeCustomPlugin",),
            (f"{ARN}:kafkaconnect:{ACCOUNT}:custom-plugin/${{Name}}-s3-sink/*",),
        ),
        Statement("WatchMetrics", ("cloudwatch:ListMetrics", "cloudwatch:GetMetricData")),
        Statement("ListStreams", ("kinesis:ListStreams",)),
        Statement("WatchStreams", _kinesis(*stream), (STREAMS,)),
        Statement("ListLake", ("s3:ListBucket",), (LAKE,)),
        Statement("ReadLake", ("s3:GetObject",), objects),
        Statement("ReadSecrets", ("secretsmanager:GetSecretValue",), (secrets,), "Airflow's secrets backend calls it."),
    ]


def airflow_change() -> list[Statement]:
    """What MWAA's role may change: the connector, the streams, and its own folders of the lake."""
    passed = {"StringEquals": {"iam:PassedToService": "kafkaconnect.amazonaws.com"}}
    streams = (
        *("CreateStream", "AddTagsToStream", "UpdateStreamMode", "UpdateShardCount", "DeleteStream", "PutRecords"),
        *("IncreaseStreamRetentionPeriod", "DecreaseStreamRetentionPeriod"),
        *("StartStreamEncryption", "StopStreamEncryption"),
    )
    changes = tuple(f"{verb}Connector" for verb in ("Update", "Delete", "Restart", "Pause", "Resume"))
    network = ("CreateNetworkInterface", "DescribeSecurityGroups", "DescribeSubnets", "DescribeVpcs")
    dependent = "CreateConnector depends on it, by the Service Authorization Reference."
    delivery = (
        *("CreateLogDelivery", "GetLogDelivery", "ListLogDeliveries"),
        *("PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"),
    )
    return [
        Statement("CreateConnector", ("kafkaconnect:CreateConnector",)),
        Statement("ChangeConnectors", _connect(*changes), (CONNECTORS,)),
        Statement("PassConnectorRole", ("iam:PassRole",), (CONNECTOR_ROLE,), dependent, passed),
        Statement("ConnectorNetwork", tuple(f"ec2:{action}" for action in network), reason=dependent),
        Statement("ConnectorLog", tuple(f"logs:{action}" for action in delivery), reason=dependent),
        Statement("ChangeStreams", _kinesis(*streams), (STREAMS,)),
        Statement(
            "WriteLake",
            ("s3:PutObject",),
            (f"{LAKE}/dead-letters*", f"{LAKE}/progress/*", f"{LAKE}/emulation/*", f"{LAKE}/runs/*"),
        ),
        Statement(
            "MoveDeadLetters",
            ("s3:DeleteObject",),
            (f"{LAKE}/dead-letters/*",),
            "LakeHook.move deletes what it has copied, when dead letters are sent again.",
        ),
    ]


def airflow_environment() -> list[Statement]:
    """What MWAA's guide lists for the execution role of every environment."""
    logs = ("CreateLogStream", "CreateLogGroup", "PutLogEvents", "GetLogEvents", "GetLogRecord", "GetLogGroupFields")
    queue = (
        *("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl"),
        *("ReceiveMessage", "SendMessage"),
    )
    through_sqs = {"StringEquals": {"kms:ViaService": "sqs.${AWS::Region}.amazonaws.com"}}
    keys = ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*", "kms:Encrypt")
    return [
        Statement("Metrics", ("airflow:PublishMetrics",), (ENVIRONMENT,), SERVICE),
        Statement("Bundle", _s3("GetObject*", "GetBucket*", "List*"), (DEPLOYMENT, f"{DEPLOYMENT}/*"), SERVICE),
        Statement("PublicAccess", ("s3:GetAccountPublicAccessBlock",), reason=SERVICE),
        Statement("DescribeLogs", ("logs:DescribeLogGroups", "cloudwatch:PutMetricData"), reason=SERVICE),
        Statement(
            "Logs",
            (*(f"logs:{action}" for action in logs), "logs:GetQueryResults"),
            (f"{ARN}:logs:{ACCOUNT}:log-group:airflow-${{Name}}-*",),
            SERVICE,
        ),
        Statement(
            "Queue",
            tuple(f"sqs:{action}" for action in queue),
            (f"{ARN}:sqs:${{AWS::Region}}:*:airflow-celery-*",),
            SERVICE,
        ),
        Statement(
            "QueueKey", keys, (f"{ARN}:kms:*:*:key/*",), "The queue's key is in an account of the service.", through_sqs
        ),
    ]


ROLES = {  # role: its policies by name
    "airflow": {"environment": airflow_environment, "watch": airflow_watch, "change": airflow_change},
    "connector": {"connector": connector},
    "kafka-rest": {"kafka-rest": proxy},
    "databricks": {"databricks": databricks},
}
TRUST = {
    "airflow": ("airflow.amazonaws.com", "airflow-env.amazonaws.com"),
    "connector": ("kafkaconnect.amazonaws.com",),
}
TRUST |= {"kafka-rest": ("ecs-tasks.amazonaws.com",), "databricks": ("ec2.amazonaws.com",)}


def statements_of(role: str) -> list[Statement]:
    """Return every statement of a role, over all its policies."""
    return [statement for policy in ROLES[role].values() for statement in policy()]


def _cluster(*actions: str) -> tuple[str, ...]:
    return tuple(f"kafka-cluster:{action}" for action in actions)


def _s3(*actions: str) -> tuple[str, ...]:
    return tuple(f"s3:{action}" for action in actions)


def _kinesis(*actions: str) -> tuple[str, ...]:
    return tuple(f"kinesis:{action}" for action in actions)


def _connect(*actions: str) -> tuple[str, ...]:
    return tuple(f"kafkaconnect:{action}" for action in actions)
