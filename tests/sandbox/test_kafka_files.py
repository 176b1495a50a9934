"""How the sandbox's Kafka is configured, the plugin's build, and the connector's file, without a server."""

import json
import shutil
import zipfile
from pathlib import Path
from string import Template

import pytest
from botocore.session import Session
from botocore.validate import validate_parameters

from sandbox.run.java import Choice, java_home
from sandbox.run.settings import PREFERRED_PORTS, SECRETS, SandboxError, Settings
from sandbox.servers import kafka, kafka_connect
from sandbox.servers.kafka import java
from sandbox.servers.kafka_connect.s3_sink import build as plugin

CONNECTOR_FILE = Path(__file__).resolve().parents[2] / "include" / "kafka" / "pinterest-s3-sink.json"
CONNECTOR_VALUES = {
    "name": "pinterest-s3-sink",
    "bucket": "lake",
    "region": "us-east-1",
    "plugin_arn": "arn:plugin",
    "plugin_revision": 3,
    "service_role_arn": "arn:role",
    "bootstrap_servers": "b-1:9098,b-2:9098",
    "subnets": ["subnet-1", "subnet-2"],
    "security_groups": ["sg-1"],
    "topics": "pinterest.pin,pinterest.geo,pinterest.user",
    "rotate_schedule_interval_ms": "60000",
    "log_group": "/pinterest/msk-connect",
    "dead_letter_topic": "pinterest.dead-letters",
    "topics_dir": "topics",
}


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path, ports=PREFERRED_PORTS, secrets=dict.fromkeys(SECRETS, "secret"))


def filled(value):
    """Fill placeholders as the operator does: a text that is nothing else takes the value with its type."""
    match value:
        case str() if value.startswith("${") and value.endswith("}"):
            return CONNECTOR_VALUES[value[2:-1]]
        case str():
            return Template(value).substitute(CONNECTOR_VALUES)
        case dict():
            return {name: filled(member) for name, member in value.items()}
        case list():
            return [filled(member) for member in value]
    return value


@pytest.mark.parametrize(
    ("server", "addresses"),
    [
        (
            "kafka",
            {
                "listeners": "BROKER://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093",
                "advertised.listeners": "BROKER://127.0.0.1:19092",
                "controller.quorum.voters": "1@127.0.0.1:19093",
            },
        ),
        (
            "kafka_connect",
            {
                "bootstrap.servers": "127.0.0.1:19092",
                "listeners": "http://127.0.0.1:18083",
                "rest.advertised.host.name": "127.0.0.1",
            },
        ),
    ],
)
def test_every_address_is_loopback(settings, server, addresses):
    configured = {
        "kafka": kafka.properties(settings, Path("/data")),
        "kafka_connect": kafka_connect.properties(settings),
    }

    assert {name: value for name, value in configured[server].items() if "127.0.0.1" in value} == addresses


def test_no_credential_stands_in_a_command_line(settings):
    commands = [*kafka.server(settings).command, *kafka_connect.server(settings).command]

    assert not [argument for argument in commands if "secret" in argument]


def test_no_java_that_fits_says_what_brings_one(monkeypatch, tmp_path):
    monkeypatch.setattr("sandbox.run.java.LINK", tmp_path / "java")
    monkeypatch.setattr("sandbox.run.java.choose", lambda environment: Choice(None, "", ()))

    with pytest.raises(SandboxError, match="No Java 17 to 21 was found: run `make setup`, which brings one"):
        java_home.__wrapped__()


def test_the_plugin_is_built_once_and_again_only_after_a_change(monkeypatch, tmp_path):
    sources, target = tmp_path / "src", tmp_path / "jars" / "plugins" / "s3-sink"
    shutil.copytree(plugin.SOURCES, sources)
    monkeypatch.setattr(plugin, "SOURCES", sources)
    inputs = (java.jars("kafka"), java.jars("s3-sink"), target)
    plugin.build(*inputs)
    first = (target / plugin.PLUGIN_JAR).stat()

    plugin.build(*inputs)
    assert (target / plugin.PLUGIN_JAR).stat() == first

    changed = next(sources.rglob("S3SinkConnector.java"))
    changed.write_text(changed.read_text().replace('VERSION = "1.0.0"', 'VERSION = "1.0.1"'))
    plugin.build(*inputs)
    assert (target / plugin.PLUGIN_JAR).stat().st_ino != first.st_ino


def test_the_plugin_folder_has_the_service_file_by_which_connect_finds_it(tmp_path):
    target = tmp_path / "jars" / "plugins" / "s3-sink"

    plugin.build(java.jars("kafka"), java.jars("s3-sink"), target)

    with zipfile.ZipFile(target / plugin.PLUGIN_JAR) as jar:
        named = jar.read("META-INF/services/org.apache.kafka.connect.sink.SinkConnector").decode().strip()
        assert named.replace(".", "/") + ".class" in jar.namelist()
    shipped = {jar.name for jar in java.jars("s3-sink").glob("*.jar")} - {"ecj-3.40.0.jar"}
    assert {file.name for file in target.iterdir()} == shipped | {plugin.PLUGIN_JAR, plugin.DIGEST_FILE}


def test_java_that_does_not_compile_is_shown_and_leaves_the_old_plugin(monkeypatch, tmp_path):
    sources, target = tmp_path / "src", tmp_path / "jars" / "plugins" / "s3-sink"
    target.mkdir(parents=True)
    (target / "old.jar").touch()
    sources.mkdir()
    (sources / "Broken.java").write_text("class Broken { int x = ; }")
    monkeypatch.setattr(plugin, "SOURCES", sources)

    with pytest.raises(
        SandboxError, match=r"(?s)The S3 sink plugin could not be compiled:\n.*Broken\.java \(at line 1\)"
    ):
        plugin.build(java.jars("kafka"), java.jars("s3-sink"), target)

    assert (target / "old.jar").exists()


def test_the_connectors_file_is_a_request_that_msk_connect_takes():
    shape = Session().get_service_model("kafkaconnect").operation_model("CreateConnector").input_shape

    validate_parameters(filled(json.loads(CONNECTOR_FILE.read_text())), shape)


def test_no_dollar_is_left_in_the_connectors_file_but_those_of_its_transforms():
    configuration = filled(json.loads(CONNECTOR_FILE.read_text()))["connectorConfiguration"]

    assert {name for name, value in configuration.items() if "$" in value} == {
        "transforms.payload.type",
        "transforms.origin.type",
    }
    assert configuration["transforms.payload.type"] == "org.apache.kafka.connect.transforms.HoistField$Value"
