"""Calls that must be denied, by role: each is what a mistake, or someone with the role's credentials, would try."""

ACCOUNT = "0" * 12
LAKE = f"arn:aws:s3:::pinterest-lake-{ACCOUNT}-us-east-1"
REGIONAL = f"us-east-1:{ACCOUNT}"
STREAM = f"arn:aws:kinesis:{REGIONAL}:stream/streaming-pinterest-pin"
OTHER_STREAM = f"arn:aws:kinesis:{REGIONAL}:stream/payments"
CLUSTER = f"arn:aws:kafka:{REGIONAL}:cluster/pinterest/uuid"
TOPIC = f"arn:aws:kafka:{REGIONAL}:topic/pinterest/uuid/pinterest.pin"
DEAD_LETTERS = TOPIC.replace("pinterest.pin", "pinterest.dead-letters")
OTHER_TOPIC = TOPIC.replace("pinterest.pin", "payments")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pinterest-airflow"
SECRET = f"arn:aws:secretsmanager:{REGIONAL}:secret:airflow/connections/pinterest_warehouse-AbCdEf"
OTHER_SECRET = f"arn:aws:secretsmanager:{REGIONAL}:secret:payments-AbCdEf"

DENIED = [  # role, action, resource
    ("airflow", "s3:DeleteObject", f"{LAKE}/topics/pinterest.pin/dt=2018-01-01/a.json"),
    ("airflow", "s3:PutObject", f"{LAKE}/topics/pinterest.pin/dt=2018-01-01/a.json"),
    ("airflow", "s3:PutObject", f"{LAKE}/delta/silver/part.parquet"),
    ("airflow", "s3:GetObject", f"{LAKE}/delta/silver/part.parquet"),
    ("airflow", "s3:DeleteBucket", LAKE),
    ("airflow", "s3:PutBucketPolicy", LAKE),
    ("airflow", "s3:ListBucket", "arn:aws:s3:::another-bucket"),
    ("airflow", "kinesis:PutRecords", OTHER_STREAM),
    ("airflow", "kinesis:DeleteStream", OTHER_STREAM),
    ("airflow", "secretsmanager:GetSecretValue", OTHER_SECRET),
    ("airflow", "secretsmanager:PutSecretValue", SECRET),
    ("airflow", "iam:PassRole", ROLE),
    ("airflow", "iam:CreateRole", ROLE),
    ("airflow", "sts:AssumeRole", ROLE),
    ("airflow", "kafka:DeleteCluster", CLUSTER),
    ("airflow", "kafka-cluster:WriteData", TOPIC),
    ("airflow", "rds:DeleteDBInstance", f"arn:aws:rds:{REGIONAL}:db:pinterest"),
    ("airflow", "cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:{REGIONAL}:alarm:pinterest-TaskFailed"),
    ("connector", "s3:DeleteObject", f"{LAKE}/topics/pinterest.pin/dt=2018-01-01/a.json"),
    ("connector", "s3:PutObject", f"{LAKE}/delta/silver/part.parquet"),
    ("connector", "s3:GetObject", f"{LAKE}/dead-letters/pinterest.pin/a.json"),
    ("connector", "kafka-cluster:WriteData", TOPIC),
    ("connector", "kafka-cluster:ReadData", OTHER_TOPIC),
    ("connector", "kafka-cluster:DeleteTopic", TOPIC),
    ("connector", "kinesis:GetRecords", STREAM),
    ("connector", "secretsmanager:GetSecretValue", SECRET),
    ("kafka-rest", "kafka-cluster:ReadData", TOPIC),
    ("kafka-rest", "kafka-cluster:WriteData", DEAD_LETTERS),
    ("kafka-rest", "kafka-cluster:WriteData", OTHER_TOPIC),
    ("kafka-rest", "kafka-cluster:AlterTopic", TOPIC),
    ("kafka-rest", "kafka-cluster:DeleteTopic", TOPIC),
    ("kafka-rest", "s3:GetObject", f"{LAKE}/topics/pinterest.pin/dt=2018-01-01/a.json"),
    ("databricks", "s3:PutObject", f"{LAKE}/topics/pinterest.pin/dt=2018-01-01/a.json"),
    ("databricks", "s3:DeleteObject", f"{LAKE}/topics/pinterest.pin/dt=2018-01-01/a.json"),
    ("databricks", "s3:GetObject", f"{LAKE}/progress/a.json"),
    ("databricks", "kinesis:PutRecords", STREAM),
    ("databricks", "kinesis:DeleteStream", STREAM),
    ("databricks", "kinesis:GetRecords", OTHER_STREAM),
    ("databricks", "secretsmanager:GetSecretValue", SECRET),
    ("databricks", "kafkaconnect:DeleteConnector", f"arn:aws:kafkaconnect:{REGIONAL}:connector/pinterest-s3-sink/uuid"),
]
