"""What `python -m sandbox connections` prints, read by Airflow's own readers; DAGs on the Secrets Manager backend."""

import json
import os
import shlex
import subprocess
import sys
import uuid
from pathlib import Path

import boto3
import pytest
import yaml
from airflow.secrets.environment_variables import EnvironmentVariablesBackend
from airflow.secrets.local_filesystem import LocalFilesystemBackend

from tests.contract.airflow_env import run_from_secrets
from tests.support.groups import TEST_HOME

PROJECT = Path(__file__).resolve().parents[3]
HOME = TEST_HOME
FORMATS = ("env", "json", "variables", "astro", "secretsmanager")
CONNECTIONS = {"pinterest_source", "pinterest_warehouse", "pinterest_kafka_rest", "aws_default", "pinterest_databricks"}


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("kinesis", "ministack", "postgres")


@pytest.fixture(scope="module")
def printed(environment):
    script = f"from sandbox.__main__ import main\nfor form in {FORMATS}:\n"
    script += "    main(['connections', '--format', form])\n    print('=====')"
    done = subprocess.run(
        [str(PROJECT / ".venv" / "sandbox" / "bin" / "python"), "-c", script],
        env={**os.environ, "PINTEREST_SANDBOX_HOME": str(HOME), "PYTHONPATH": str(PROJECT)},
        cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return dict(zip(FORMATS, done.stdout.split("=====\n"), strict=False))


@pytest.fixture
def expected(printed):
    return json.loads(printed["json"]), json.loads(printed["variables"])["pinterest_pipeline"]


def seen(connection):
    names = ("conn_type", "host", "schema", "login", "password", "port")
    fields = {name: getattr(connection, name) for name in names if getattr(connection, name) is not None}
    return fields | ({"extra": connection.extra_dejson} if connection.extra_dejson else {})


def given(fields):
    return {name: value for name, value in fields.items() if value is not None}


def test_the_environment_backend_reads_the_exports(printed, expected, monkeypatch):
    for line in shlex.split(printed["env"].replace("export ", "")):
        monkeypatch.setenv(*line.split("=", 1))
    backend = EnvironmentVariablesBackend()
    connections, variable = expected

    assert connections.keys() == CONNECTIONS
    for name, fields in connections.items():
        assert seen(backend.get_connection(name)) == given(fields)
    assert json.loads(backend.get_variable("pinterest_pipeline")) == variable


def test_the_file_backend_reads_the_json(printed, expected, tmp_path):
    (tmp_path / "c.json").write_text(printed["json"])
    (tmp_path / "v.json").write_text(printed["variables"])
    backend = LocalFilesystemBackend(variables_file_path=tmp_path / "v.json", connections_file_path=tmp_path / "c.json")

    for name, fields in expected[0].items():
        assert seen(backend.get_connection(name)) == given(fields)
    assert backend.get_variable("pinterest_pipeline") == expected[1]


def test_astros_settings_hold_the_same_in_the_types_that_astro_takes(printed, expected):
    settings = yaml.safe_load(printed["astro"])["airflow"]

    for connection in settings["connections"]:
        fields = {name.removeprefix("conn_"): value for name, value in connection.items() if name != "conn_id"}
        assert given({"conn_type": fields.pop("type"), **fields}) == given(expected[0][connection["conn_id"]])
    (variable,) = settings["variables"]
    assert isinstance(variable["variable_value"], str)
    assert json.loads(variable["variable_value"]) == expected[1]
    assert "'" not in printed["astro"].replace("''", ""), "astro gives values to a shell between single quotes"
    pools = json.loads((PROJECT / "include" / "airflow" / "pools.json").read_text())
    assert {pool["pool_name"]: pool["pool_include_deferred"] for pool in settings["pools"]} == {
        name: pool["include_deferred"] for name, pool in pools.items()
    }


class Secrets:
    """The printed secrets in Secrets Manager under a prefix of the test's own, with streams of its own."""

    def __init__(self, environment, printed):
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.aws = {name: value for name, value in environment.items() if name.startswith("AWS_")}
        # the endpoint of Kinesis must come from the connection
        del self.aws["AWS_ENDPOINT_URL_KINESIS"], self.aws["AWS_ENDPOINT_URL_KAFKACONNECT"]
        self.client = self.connect("secretsmanager", self.aws["AWS_ENDPOINT_URL"])
        self.kinesis = self.connect("kinesis", environment["AWS_ENDPOINT_URL_KINESIS"])
        for name, text in json.loads(printed).items():
            value = json.loads(text)
            if name == "airflow/variables/pinterest_pipeline":
                value["topic_prefix"] = self.name
            self.client.create_secret(Name=name.replace("airflow", self.name, 1), SecretString=json.dumps(value))

    def connect(self, service, url):
        return boto3.client(
            service, endpoint_url=url, region_name=self.aws["AWS_REGION"],
            aws_access_key_id=self.aws["AWS_ACCESS_KEY_ID"], aws_secret_access_key=self.aws["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    @property
    def streams(self):
        names = self.kinesis.list_streams(Limit=1000)["StreamNames"]
        return sorted(name for name in names if self.name in name)

    def remove(self):
        for name in self.streams:
            self.kinesis.delete_stream(StreamName=name)
        for secret in self.client.list_secrets(MaxResults=100)["SecretList"]:
            if secret["Name"].startswith(self.name):
                self.client.delete_secret(SecretId=secret["Name"], ForceDeleteWithoutRecovery=True)


@pytest.fixture
def secrets(environment, printed):
    secrets = Secrets(environment, printed["secretsmanager"])
    yield secrets
    secrets.remove()


def airflow_with(secrets, home):
    prefixes = {"connections_prefix": f"{secrets.name}/connections", "variables_prefix": f"{secrets.name}/variables"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "AWS_"))}
    return {
        **kept, **secrets.aws,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__SECRETS__BACKEND": "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(prefixes),
    }  # fmt: skip


def test_dags_run_with_nothing_but_the_secrets(secrets, printed, expected, tmp_path):
    files = [tmp_path / "connections.json", tmp_path / "variables.json"]
    for file, form in zip(files, ("json", "variables"), strict=True):
        file.write_text(printed[form])

    done = subprocess.run(
        [sys.executable, "-W", "ignore", run_from_secrets.__file__, *map(str, files)],
        env=airflow_with(secrets, tmp_path), cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    told = dict(json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("told "))
    assert told["pinterest_kinesis_streams"]["ensure_stream"] == "success", done.stdout
    assert secrets.streams == [f"streaming-{secrets.name}-{table}" for table in ("geo", "pin", "user")]
    assert told["migrate_warehouse"] == ""
    assert told["connections"].keys() == CONNECTIONS
    for name, (conn_type, host, port, password) in told["connections"].items():
        fields = expected[0][name]
        assert (conn_type, host, port, password) == tuple(
            fields.get(key) for key in ("conn_type", "host", "port", "password")
        )
    assert told["variable"] == expected[1]
