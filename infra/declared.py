"""What the repository declares for DAGs, as the templates need it: names, numbers and the Variable. No AWS, no CDK.

``${Name}`` in the values is CloudFormation's parameter, which is the topics' prefix as well.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import yaml

from infra.errors import InfraError

PROJECT = Path(__file__).resolve().parent.parent
INCLUDE = PROJECT / "include"
NAME = "${Name}"
HOURS_TO_MS = 3_600_000
STACKS = ("network", "lake", "kafka", "access", "rest", "database", "orchestration", "watch")  # as they are deployed
PLUGIN_ZIP = "confluentinc-kafka-connect-s3.zip"
PLUGIN_KEY = f"plugins/{PLUGIN_ZIP}"  # in the lake's bucket
# What a role needs is written for these; another class or another authentication would need other rights.
CARRIED = {
    ("connectorConfiguration", "connector.class"): "io.confluent.connect.s3.S3SinkConnector",
    ("kafkaClusterClientAuthentication", "authenticationType"): "IAM",
    ("kafkaClusterEncryptionInTransit", "encryptionType"): "TLS",
}
PLACEHOLDERS = {  # of the connector file: what the orchestration stack or the DAG has a value for
    *("name", "bootstrap_servers", "subnets", "security_groups", "plugin_arn", "plugin_revision", "service_role_arn"),
    *("log_group", "topics", "bucket", "region", "topics_dir", "rotate_schedule_interval_ms", "dead_letter_topic"),
}


def topics() -> dict[str, dict[str, Any]]:
    """Return name, partitions and retention in milliseconds of each topic, by the key of ``topics.json``."""
    return {
        key: {
            "name": Template(topic["name"]).substitute(prefix=NAME),
            "partitions": topic["partitions"],
            "retention_ms": topic["retention_hours"] * HOURS_TO_MS,
        }
        for key, topic in _read("kafka/topics.json").items()
    }


def streams() -> dict[str, str]:
    """Return the name of each Kinesis stream, by its table."""
    return {
        table: Template(stream["name"]).substitute(prefix=NAME)
        for table, stream in _read("kinesis/streams.json").items()
    }


def connector(file: Path = INCLUDE / "kafka" / "pinterest-s3-sink.json") -> dict[str, Any]:
    """Return the connector file.

    :raises InfraError: its placeholders, its class or its authentication are none that the templates have values and
        rights for.
    """
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    problems = [
        f"{group}.{key} is {document.get(group, {}).get(key)!r}, expected {wanted!r}"
        for (group, key), wanted in CARRIED.items()
        if document.get(group, {}).get(key) != wanted
    ]
    unknown = set(re.findall(r"(?<!\$)\$\{(\w+)\}", json.dumps(document))) - PLACEHOLDERS
    problems += [f"no value for placeholder {name}" for name in sorted(unknown)]
    if problems:
        raise InfraError(f"{file.name}: the templates cannot carry it: {'; '.join(problems)}: add it to infra/aws.")
    return document


def variable() -> dict[str, Any]:
    """Return the Variable ``pinterest_pipeline`` of the example, which each value of the templates is laid over."""
    example = yaml.safe_load((PROJECT / "airflow_settings.example.yaml").read_text(encoding="utf-8"))
    (found,) = example["airflow"]["variables"]
    value: dict[str, Any] = json.loads(found["variable_value"])
    return value


def with_values(document: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy in which each ``path.of.a.value`` has its new value.

    :raises InfraError: a path that the document does not have: it was renamed there.
    """
    copy: dict[str, Any] = json.loads(json.dumps(document))
    for path, value in values.items():
        *parents, key = path.split(".")
        inner = copy
        for parent in parents:
            inner = inner.get(parent, {})
        if key not in inner:
            raise InfraError(f"airflow_settings.example.yaml has no {path} in its Variable: correct infra/aws.")
        inner[key] = value
    return copy


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((INCLUDE / name).read_text(encoding="utf-8"))
    return document
