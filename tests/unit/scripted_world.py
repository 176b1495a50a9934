"""Everything that the preflight asks, on real sockets: AWS, the Kafka REST proxy, Databricks; PostgreSQL as a driver.

Its state is public; a test takes something away, and sees which line tells of it.
"""

import json
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

from pinterest_pipeline.dag.preflight_checks import NOTEBOOKS, SOURCE_TABLES
from pinterest_pipeline.warehouse.migrations import Migration
from tests.unit.scripted_databricks import ScriptedDatabricks
from tests.unit.scripted_kafka_rest import Answer, Asked, ScriptedKafkaRest, serving

PLUGIN = "arn:aws:kafkaconnect:us-east-1:000000000000:custom-plugin/p/1-1"
CONNECTOR = "arn:aws:kafkaconnect:us-east-1:000000000000:connector/sink/1-1"
BACKEND = 7  # process id of the server
NOT_THERE = {"message": "not there"}


class World:
    """A whole environment without a fault."""

    def __init__(self, monkeypatch: Any, migrations: list[Migration]) -> None:
        self.opened = ExitStack()
        self.bucket = "lake"
        self.streams = {f"streaming-pinterest-{table}": "ACTIVE" for table in ("pin", "geo", "user")}
        self.connector: str | None = "RUNNING"
        self.plugins = {PLUGIN: "ACTIVE"}
        self.topics = {f"pinterest.{name}": 3 for name in ("pin", "geo", "user")} | {"pinterest.dead-letters": 1}
        self.api_key = "the-key"
        self.source_faults: dict[str, str] = {}
        self.may_create = True
        self.applied = {migration.name: migration.checksum for migration in migrations}
        self.variable: dict[str, Any] = {
            "bucket": "lake", "lake_uri": "s3a://lake", "topic_prefix": "pinterest", "kafka_replication_factor": 2,
            "msk_cluster_name": "c",
            "connector": {
                "name": "sink", "plugin_arn": PLUGIN, "plugin_revision": 1, "service_role_arn": "arn",
                "bootstrap_servers": "b:9098", "subnets": ["s"], "security_groups": ["g"], "log_group": "/l",
                "rotate_schedule_interval_ms": "60000",
            },
            "databricks": {
                "notebook_root": "/n", "cluster": {}, "warehouse_url_scope": "scope", "warehouse_url_key": "key",
            },
            "stream": {
                "job_name": "j", "checkpoint_uri": "s3a://c", "stale_after_seconds": 1, "start_within_seconds": 1,
            },
        }  # fmt: skip
        self.databricks = ScriptedDatabricks()
        self.opened.callback(self.databricks.close)
        self.databricks.notebooks |= {f"/n/{name}": {"object_type": "NOTEBOOK"} for name in NOTEBOOKS}
        self.databricks.secrets["scope"] = ["key"]
        aws, proxy = (self.opened.enter_context(serving()) for _ in range(2))
        aws.always, proxy.always = self.answer_of_aws, self.answer_of_the_proxy
        self.connect(monkeypatch, aws, proxy)

    def connect(self, monkeypatch: Any, aws: ScriptedKafkaRest, proxy: ScriptedKafkaRest) -> None:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws.server.server_port}",
            "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1",
            "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
            "AIRFLOW_CONN_PINTEREST_DATABRICKS": self.databricks.connection,
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        rest = {"conn_type": "http", "host": proxy.url, "password": "the-key"}
        monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_KAFKA_REST", json.dumps(rest))
        postgres = {"conn_type": "postgres", "host": "h", "schema": "s", "login": "l", "password": "p"}
        for name in ("SOURCE", "WAREHOUSE"):
            monkeypatch.setenv(f"AIRFLOW_CONN_PINTEREST_{name}", json.dumps(postgres))
        hook = "airflow.providers.postgres.hooks.postgres.PostgresHook"
        monkeypatch.setattr(f"{hook}._create_connection", lambda *_: Driver(self))

    @property
    def var(self) -> dict[str, Any]:
        return {"json": SimpleNamespace(pinterest_pipeline=self.variable)}

    def answer_of_aws(self, asked: Asked) -> Answer:
        path = unquote(urlsplit(asked.path).path)
        if "monitoring" in asked.headers["authorization"]:
            return Answer({"MetricDataResults": []})
        if target := asked.headers.get("x-amz-target", ""):
            return self.answer_of_kinesis(target.rpartition(".")[2], json.loads(asked.body))
        if path.startswith("/v1/"):
            return self.answer_of_msk_connect(path)
        if path.strip("/") == self.bucket:
            return Answer(b"<ListBucketResult></ListBucketResult>")
        return Answer(b"<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>", status=404)

    def answer_of_msk_connect(self, path: str) -> Answer:
        if path == "/v1/connectors":
            listed = {"connectorArn": CONNECTOR, "connectorName": "sink"}
            return Answer({"connectors": [listed] if self.connector else []})
        if path == f"/v1/connectors/{CONNECTOR}":
            found = {"connectorArn": CONNECTOR, "connectorName": "sink", "connectorState": self.connector}
            return Answer({**found, "currentVersion": "1", "connectorConfiguration": {"topics": "t"}})
        state = self.plugins.get(path.partition("/v1/custom-plugins/")[2])
        found = {"customPluginState": state, "latestRevision": {"revision": 1}}
        return Answer(found) if state else refusal(NOT_THERE, 404, "NotFoundException")

    def answer_of_kinesis(self, operation: str, given: dict[str, Any]) -> Answer:
        state = self.streams.get(given["StreamName"])
        if state is None:
            return Answer({"__type": "ResourceNotFoundException", **NOT_THERE}, status=400)
        if operation == "ListTagsForStream":
            return Answer({"Tags": [], "HasMoreTags": False})
        summary = {
            "StreamName": given["StreamName"], "StreamARN": "arn", "StreamStatus": state, "OpenShardCount": 2,
            "StreamModeDetails": {"StreamMode": "PROVISIONED"}, "RetentionPeriodHours": 72, "EncryptionType": "KMS",
            "StreamCreationTimestamp": 1, "EnhancedMonitoring": [],
        }  # fmt: skip
        return Answer({"StreamDescriptionSummary": summary})

    def answer_of_the_proxy(self, asked: Asked) -> Answer:
        path = urlsplit(asked.path).path.removeprefix("/gate/v1")
        if asked.headers.get("x-api-key") != self.api_key:
            return refusal({"message": "Forbidden"}, 403, "ForbiddenException")
        if path == "/topics":
            return Answer(list(self.topics))
        if path == "/v3/clusters":
            return Answer({"data": [{"cluster_id": "c"}]})
        if path.endswith("/topics"):
            found = [
                {"topic_name": name, "partitions_count": count, "replication_factor": 2}
                for name, count in self.topics.items()
            ]
            return Answer({"data": found})
        return Answer({"name": "retention.ms", "value": str(168 * 3_600_000)})

    def rows(self, sql: str, parameters: Any) -> list[tuple[Any, ...]]:
        """Answer as PostgreSQL does to each statement of the preflight."""
        if "has_table_privilege" in sql:
            assert parameters["name"] in SOURCE_TABLES
            return [(self.source_faults.get(parameters["name"]),)]
        if "has_database_privilege" in sql:
            return [(self.may_create,)]
        if "to_regclass('audit.migrations')" in sql:
            return [(bool(self.applied),)]
        if "pg_backend_pid" in sql or "set_config" in sql:
            return [(BACKEND,)]
        assert sql.startswith("SELECT name, checksum FROM audit.migrations"), sql
        return list(self.applied.items())


class Driver:
    """A connection and its cursor in one: each statement's rows are the world's; nothing but SELECT is taken."""

    def __init__(self, world: World) -> None:
        self.world, self.found, self.autocommit, self.description = world, [], False, ()
        self.notices: list[str] = []
        self.info = SimpleNamespace(backend_pid=BACKEND)

    def execute(self, sql: str, parameters: Any = None) -> None:
        assert sql.lstrip().upper().startswith("SELECT"), f"the preflight changes something: {sql}"
        self.found = self.world.rows(sql, parameters)

    def fetchone(self) -> Any:
        return self.found[0]

    def fetchall(self) -> Any:
        return self.found

    def cursor(self, *_: Any, **__: Any) -> "Driver":
        return self

    def __getattr__(self, name: str) -> Any:
        if name in {"commit", "rollback", "close"}:
            return lambda: None
        raise AttributeError(name)

    def __enter__(self) -> "Driver":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


def refusal(body: dict[str, Any], status: int, kind: str) -> Answer:
    return Answer(body, status=status, headers={"x-amzn-ErrorType": kind})
