"""The pipeline's five connections and its Variable, as this sandbox fills them, in the forms that Airflow reads."""

import argparse
import json
import shlex
from collections.abc import Callable
from typing import Any

import yaml

from sandbox.run.settings import BUCKET, CALL_SECONDS, DATABASE_PASSWORDS, PROJECT, REGION, TOPIC_PREFIX, Settings
from sandbox.servers import databricks, msk_connect
from sandbox.servers.kafka import topics as kafka
from sandbox.servers.ministack import api_gateway

VARIABLE = "pinterest_pipeline"
POOLS_FILE = PROJECT / "include" / "airflow" / "pools.json"
FIELDS = ("conn_type", "host", "schema", "login", "password", "port", "extra")


def connections(settings: Settings) -> dict[str, dict[str, Any]]:
    """The five connections of the pipeline, of types that every Airflow's UI has."""

    def postgres(database: str) -> dict[str, Any]:
        return {
            "conn_type": "postgres",
            "host": "127.0.0.1",
            "port": settings.ports["postgres"],
            "login": database,
            "password": settings.secrets[DATABASE_PASSWORDS[database]],
            "schema": database,
            "extra": {"connect_timeout": CALL_SECONDS},
        }

    return {
        "pinterest_source": postgres("pinterest_source"),
        "pinterest_warehouse": postgres("pinterest_warehouse"),
        "pinterest_kafka_rest": {
            "conn_type": "http",
            "host": api_gateway.invoke_url(settings),
            "password": settings.secrets["kafka_rest_api_key"],
        },
        "aws_default": {
            "conn_type": "aws",
            "login": settings.secrets["aws_access_key_id"],
            "password": settings.secrets["aws_secret_access_key"],
            "extra": {
                "region_name": REGION,
                "endpoint_url": settings.url("ministack"),
                "service_config": {
                    "kafkaconnect": {"endpoint_url": settings.url("msk_connect")},
                    "kinesis": {"endpoint_url": settings.url("kinesis")},
                },
            },
        },
        "pinterest_databricks": {
            "conn_type": "databricks",
            "host": "127.0.0.1",
            "schema": "http",
            "port": settings.ports["databricks"],
            "password": settings.secrets["databricks_token"],
        },
    }


def pipeline_variable(settings: Settings) -> dict[str, Any]:
    """The one Variable that tells the same DAG files where they are."""
    return {
        "bucket": BUCKET,
        "lake_uri": f"s3a://{BUCKET}",
        "topic_prefix": TOPIC_PREFIX,
        "kafka_replication_factor": kafka.REPLICATION_FACTOR,
        "msk_cluster_name": msk_connect.CLUSTER_NAME,
        "connector": {
            "name": "pinterest-s3-sink",
            "plugin_arn": msk_connect.plugin_arn(settings),
            "plugin_revision": 1,
            "service_role_arn": f"arn:aws:iam::{'0' * 12}:role/pinterest-msk-connect",
            "bootstrap_servers": settings.bootstrap_servers,
            "subnets": ["subnet-sandbox"],
            "security_groups": ["sg-sandbox"],
            "log_group": "/pinterest/msk-connect",
            "rotate_schedule_interval_ms": "5000",
        },
        "databricks": {
            "notebook_root": "/Workspace/Shared/pinterest/notebooks",
            "cluster": databricks.CLUSTER,
            "warehouse_url_scope": "pinterest",
            "warehouse_url_key": "warehouse_url",
        },
        "stream": {
            "job_name": "pinterest-stream-posts",
            "cluster": databricks.STREAM_CLUSTER,
            "checkpoint_uri": f"s3a://{BUCKET}/checkpoints/stream",
            "endpoint_url": settings.url("kinesis"),
            "trigger_seconds": "0.5",
            "max_records_per_batch": "10000",
            "lake_uri": "",
            "stale_after_seconds": 60,
            "start_within_seconds": 120,
        },
    }


def connection_environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables that Airflow takes for connections."""
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections(settings).items()}


def as_environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables that Airflow takes for connections and Variables."""
    variable = {f"AIRFLOW_VAR_{VARIABLE.upper()}": json.dumps(pipeline_variable(settings))}
    return connection_environment(settings) | variable


def env(settings: Settings) -> str:
    """Return export lines, for ``eval``."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in as_environment(settings).items())


def for_import(settings: Settings) -> str:
    """Return what ``airflow connections import`` and the file backend read; the Variable has a format of its own."""
    return json.dumps(connections(settings), indent=2)


def variable(settings: Settings) -> str:
    """Return what ``airflow variables import`` and the file backend read."""
    return json.dumps({VARIABLE: pipeline_variable(settings)}, indent=2)


def secrets_manager(settings: Settings) -> str:
    """Return the secrets that ``SecretsManagerBackend`` reads by default: their names, and the text of each."""
    named: dict[str, Any] = {f"airflow/connections/{name}": fields for name, fields in connections(settings).items()}
    named[f"airflow/variables/{VARIABLE}"] = pipeline_variable(settings)
    return json.dumps({name: json.dumps(value) for name, value in named.items()}, indent=2)


def astro(settings: Settings) -> str:
    """Return an ``airflow_settings.yaml``: connections, pools and the Variable, for `astro dev object import`."""
    pools = json.loads(POOLS_FILE.read_text())
    content = {
        "airflow": {
            "connections": [
                {"conn_id": name} | {name_of(field): fields.get(field) for field in FIELDS}
                for name, fields in connections(settings).items()
            ],
            "pools": [
                {
                    "pool_name": name,
                    "pool_slot": pool["slots"],
                    "pool_description": pool["description"],
                    "pool_include_deferred": pool["include_deferred"],
                }
                for name, pool in pools.items()
            ],
            "variables": [
                {"variable_name": VARIABLE, "variable_value": json.dumps(pipeline_variable(settings), indent=2)}
            ],
        }
    }
    return yaml.safe_dump(content, sort_keys=False)


def name_of(field: str) -> str:
    """Return Astro's name of a field."""
    return field if field.startswith("conn_") else f"conn_{field}"


FORMATS: dict[str, Callable[[Settings], str]] = {
    "env": env,
    "json": for_import,
    "variables": variable,
    "astro": astro,
    "secretsmanager": secrets_manager,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, default="env", help="for which reader; docs/connections.md")


def run(options: argparse.Namespace, settings: Settings) -> int:
    print(FORMATS[options.format](settings))
    return 0
