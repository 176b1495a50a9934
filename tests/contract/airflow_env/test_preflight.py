"""The preflight against the stand-ins: green where all is there that DAGs make; tests/unit plants the faults."""

import json
import os
import shlex
import subprocess
from contextlib import closing
from functools import cache
from types import SimpleNamespace

import boto3
import psycopg
import pytest

from pinterest_pipeline.dag.preflight import outcome, table
from pinterest_pipeline.dag.preflight_checks import SOURCE_TABLES, check_all
from pinterest_pipeline.kinesis.plan import read_streams_file
from pinterest_pipeline.msk_connect.hook import MskConnectHook
from pinterest_pipeline.msk_connect.plan import read_connector_file
from pinterest_pipeline.warehouse.hook import PipelinePostgresHook
from pinterest_pipeline.warehouse.migrations import migrate, read_migrations
from tests.conftest import PROJECT, SANDBOX_PYTHON
from tests.support.groups import SERVER_ENVIRONMENT
from tests.support.postgres import as_superuser, fresh_database
from tests.support.waiting import wait_until

INCLUDE = PROJECT / "include"
CONNECTOR = "preflight-sink"


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("kinesis", "kafka_rest", "msk_connect", "databricks", "postgres")


@pytest.fixture
def ready(environment, monkeypatch):
    """The connections and the Variable of the sandbox, with all that DAGs would have made."""
    for name, value in environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    for name, value in printed().items():
        monkeypatch.setenv(name, value)
    variable = json.loads(printed()["AIRFLOW_VAR_PINTEREST_PIPELINE"])
    variable["connector"]["name"] = CONNECTOR
    declared = read_streams_file(INCLUDE / "kinesis" / "streams.json", {"prefix": variable["topic_prefix"]})
    missing = {stream.name for stream in declared.values()} - set(boto3.client("kinesis").list_streams()["StreamNames"])
    for name in missing:
        make_stream(name)
    make_connector(variable)
    with (
        fresh_database(as_superuser(environment["PINTEREST_SOURCE_URL"])) as source,  # the sandbox's own is not seeded
        fresh_database(environment["PINTEREST_WAREHOUSE_URL"]) as warehouse,
    ):
        with psycopg.connect(source) as connection:
            for table in SOURCE_TABLES:
                connection.execute(f"CREATE TABLE {table} (); GRANT SELECT ON {table} TO PUBLIC")
        for name, url in (("AIRFLOW_CONN_PINTEREST_SOURCE", source), ("AIRFLOW_CONN_PINTEREST_WAREHOUSE", warehouse)):
            database = url.rpartition("/")[2].partition("?")[0]
            monkeypatch.setenv(name, json.dumps({**json.loads(printed()[name]), "schema": database}))
        with closing(PipelinePostgresHook("pinterest_warehouse").get_conn()) as connection:
            migrate(connection, read_migrations(INCLUDE / "sql" / "migrations"), applied_by="test")
        yield variable
    MskConnectHook().delete(MskConnectHook().get(CONNECTOR))
    for name in missing:
        boto3.client("kinesis").delete_stream(StreamName=name)


@cache
def printed():
    """The connections and the Variable, as the sandbox's own command prints them for a shell."""
    done = subprocess.run(
        [str(SANDBOX_PYTHON), "-m", "sandbox", "connections", "--format", "env"],
        env={**os.environ, **SERVER_ENVIRONMENT}, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    lines = (shlex.split(line.removeprefix("export "))[0] for line in done.stdout.splitlines())
    return dict(line.split("=", 1) for line in lines)


def make_stream(name):
    client = boto3.client("kinesis")
    client.create_stream(StreamName=name, ShardCount=1)
    client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})


def make_connector(variable):
    hook = MskConnectHook()
    if hook.find(CONNECTOR):
        return
    topics = [f"{variable['topic_prefix']}.{table}" for table in ("pin", "geo", "user")]
    values = {
        **variable["connector"],
        "bucket": variable["bucket"],
        "region": "us-east-1",
        "topics": ",".join(topics),
        "topics_dir": "topics-preflight",
        "dead_letter_topic": f"{variable['topic_prefix']}.dead-letters",
    }
    hook.create(hook.typed_request(read_connector_file(INCLUDE / "kafka" / "pinterest-s3-sink.json", values)))
    wait_until(lambda: hook.get(CONNECTOR).state == "RUNNING", seconds=90)


def test_a_whole_environment_has_no_fault_and_a_line_for_each_thing(ready):
    lines = check_all({"json": SimpleNamespace(pinterest_pipeline=ready)}, INCLUDE)

    assert outcome(lines) == {"checks": len(lines), "faults": 0}, table(lines)
    assert {line.part for line in lines} == {
        *("Variable", "source", "warehouse", "topic", "lake", "plugin", "connector"),
        *("stream", "databricks", "notebook", "secret"),
    }
