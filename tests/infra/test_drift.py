"""What the templates have in common with the rest of the repository is the same in both; each check is seen to fail."""

import pytest

from tests.infra import drift
from tests.infra.conftest import Tree

TEMPLATES = "infra/aws/templates"
CHANGES = [  # check, file, what stands there, what would stand there
    (drift.topics, "include/kafka/topics.json", '"partitions": 1', '"partitions": 2'),
    (drift.topics, "include/kafka/topics.json", "168", "24"),
    (drift.topics, f"{TEMPLATES}/kafka.json", "${Name}.geo", "${Name}.places"),
    (drift.streams, "include/kinesis/streams.json", "streaming-${prefix}-pin", "streaming-${prefix}-pins"),
    (drift.streams, f"{TEMPLATES}/access.json", "stream/streaming-${Name}-*", "stream/${Name}-*"),
    (drift.streams, f"{TEMPLATES}/watch.json", '"Fn::Sub": "streaming-${Name}-geo"', '"Fn::Sub": "streaming-geo"'),
    (drift.variables, "airflow_settings.example.yaml", '"msk_cluster_name"', '"msk_cluster"'),
    (drift.variables, f"{TEMPLATES}/orchestration.json", "topic_prefix", "prefix"),
    (drift.placeholders, "include/kafka/pinterest-s3-sink.json", "${log_group}", "${group}"),
    (drift.placeholders, "dags/pinterest_sink_connector.py", "    topics_dir=", "    topics_folder="),
    (drift.folders, "plugins/pinterest_pipeline/lake/generations.py", 'TOPICS_DIR = "topics"', 'TOPICS_DIR = "landed"'),
    (drift.folders, "dags/pinterest_sink_connector.py", "'.dead-letters'", "'.refused'"),
    (drift.folders, f"{TEMPLATES}/access.json", "/topics*", "/raw*"),
    (drift.log_group, "airflow_settings.example.yaml", "/pinterest/msk-connect", "/pinterest/connect"),
    (drift.log_group, f"{TEMPLATES}/kafka.json", "/${Name}/msk-connect", "/${Name}/connect"),
    (drift.secrets, "docs/connections.md", "airflow/connections/pinterest_kafka_rest", "airflow/connections/kafka"),
    (drift.secrets, f"{TEMPLATES}/database.json", "airflow/connections/pinterest_source", "airflow/pinterest_source"),
    (drift.secrets, f"{TEMPLATES}/rest.json", r"{\"conn_type\": \"http\"", r"{\"type\": \"http\""),
    (drift.backend, "docs/connections.md", '"connections_lookup_pattern": "^pinterest_"', '"other": ""'),
    (drift.backend, f"{TEMPLATES}/orchestration.json", "SecretsManagerBackend", "SystemsManagerBackend"),
    (drift.bundle, f"{TEMPLATES}/orchestration.json", '"AirflowVersion": "3.', '"AirflowVersion": "2.'),
    (drift.bundle, f"{TEMPLATES}/orchestration.json", '"plugins.zip"', '"plugin.zip"'),
    (drift.bundle, "docs/deploy-mwaa.md", "--startup-script-s3-path startup.sh", "--startup-script-s3-path start.sh"),
    (drift.gateway, "sandbox/servers/ministack/api_gateway.py", "RATE_LIMIT = 500", "RATE_LIMIT = 100"),
    (drift.gateway, f"{TEMPLATES}/rest.json", '"BurstLimit": 1000', '"BurstLimit": 100'),
    (drift.gateway, f"{TEMPLATES}/rest.json", '"*/*"', '"application/json"'),
    (
        drift.gateway,
        "plugins/pinterest_pipeline/kafka_rest/retries.py",
        "READ_TIMEOUT_SECONDS = 27",
        "READ_TIMEOUT_SECONDS = 29",
    ),
    (drift.rights, "docs/connections/kinesis.md", "`UpdateStreamMode`, ", ""),
    (drift.rights, "docs/connections/msk_connect.md", "`PauseConnector`", "`StopConnector`"),
    (drift.rights, f"{TEMPLATES}/access.json", '"kinesis:PutRecords"', '"kinesis:PutRecord"'),
    (drift.libraries, "include/databricks/stream_posts_job.json", "pgpq==0.12.0", "pgpq==0.11.0"),
    (drift.libraries, "requirements/spark.in", "psycopg[binary]==3.3.9", "psycopg[binary]==3.3.8"),
    (drift.runtime, "airflow_settings.example.yaml", "18.x-scala2.13", "17.3.x-scala2.13"),
    (drift.runtime, "requirements/spark.in", "pyspark==4.1.1", "pyspark==4.0.1"),
    (drift.alarm_line, "plugins/pinterest_pipeline/dag/alerts.py", "pipeline_task_failed", "task_failed"),
    (drift.runbook, "docs/runbook.md", "## `pinterest_sink_connector`", "## The connector"),
    (drift.tasks_max, "include/kafka/pinterest-s3-sink.json", '"tasks.max": "2"', '"tasks.max": "3"'),
    (drift.time_outs, f"{TEMPLATES}/rest.json", '"35"', '"20"'),
]


@pytest.mark.parametrize("check", drift.CHECKS, ids=lambda check: check.__name__)
def test_both_sides_say_the_same(check: drift.Check, tree: Tree) -> None:
    assert list(check(tree)) == [], check.__doc__


@pytest.mark.parametrize(
    ("check", "path", "old", "new"),
    [pytest.param(*change, id=f"{change[0].__name__}-{number}") for number, change in enumerate(CHANGES)],
)
def test_a_change_of_one_side_is_noticed(check: drift.Check, path: str, old: str, new: str) -> None:
    assert list(check(Tree({path: (old, new)}))) != []


def test_every_check_is_seen_to_fail() -> None:
    assert {change[0] for change in CHANGES} == set(drift.CHECKS)
