"""The commands by which topics are created by hand give the topics that are declared."""

import json
import re

from tests.conftest import PROJECT

OPTION = re.compile(r"--(topic|partitions|replication-factor|config) (\S+)")
VARIABLE = PROJECT / "airflow_settings.example.yaml"


def test_the_commands_of_the_deploy_page_create_the_topics_of_the_file():
    lines = (PROJECT / "docs" / "deploy.md").read_text().splitlines()
    commands = [dict(OPTION.findall(line)) for line in lines if line.startswith("kafka-topics.sh")]
    [replicas] = re.findall(r'"kafka_replication_factor": (\d+)', VARIABLE.read_text())
    declared = json.loads((PROJECT / "include" / "kafka" / "topics.json").read_text())

    assert commands == [
        {
            "topic": topic["name"].replace("${prefix}", "pinterest"),
            "partitions": str(topic["partitions"]),
            "replication-factor": replicas,
            "config": f"retention.ms={topic['retention_hours'] * 3_600_000}",
        }
        for topic in declared.values()
    ]
