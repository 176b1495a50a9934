"""Apache Kafka Connect 4: one distributed worker with the sandbox's S3 sink plugin, as MSK Connect runs them."""

from base64 import b64encode
from pathlib import Path

from sandbox.run.server import Server, http_get
from sandbox.run.settings import KAFKA_USER, Settings
from sandbox.servers.kafka import java_client, write_properties
from sandbox.servers.kafka.java import JARS, jars, kafka_command

HEAP_MEGABYTES = 384
PLUGINS = JARS / "plugins"
CLIENTS = ("", "consumer.", "producer.", "admin.")  # the worker's own, and those of its tasks
STRING_CONVERTER = "org.apache.kafka.connect.storage.StringConverter"


def server(settings: Settings) -> Server:
    folder = settings.folder("kafka_connect")
    return Server(
        name="kafka_connect",
        command=kafka_command(
            "org.apache.kafka.connect.cli.ConnectDistributed",
            str(configuration_file(folder)),
            heap_megabytes=HEAP_MEGABYTES,
        ),
        # The plugin finds S3 by the SDK's own variables, so that the connector's JSON has no endpoint.
        environment={**settings.aws_environment, "AWS_ENDPOINT_URL_S3": settings.url("ministack")},
        directory=folder,
        needs=("kafka", "ministack"),
        # Once the worker has joined its group and read its configuration; until then other calls block.
        is_ready=lambda: is_healthy(settings),
        prepare=lambda: prepare(settings),
    )


def configuration_file(folder: Path) -> Path:
    return folder / "worker.properties"


def properties(settings: Settings) -> dict[str, str]:
    """Return the worker's configuration: a killed worker's tasks run again in seconds, not minutes."""
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        **{f"{of}{name}": value for of in CLIENTS for name, value in java_client(settings).items()},
        "rest.extension.classes": "pinterest.sandbox.access.OwnClientsOnly",
        "sandbox.rest.credential": f"{KAFKA_USER}:{settings.secrets['kafka_connect_password']}",
        "group.id": "pinterest-connect",
        "listeners": settings.url("kafka_connect"),
        "rest.advertised.host.name": "127.0.0.1",
        "rest.advertised.port": str(settings.ports["kafka_connect"]),
        "plugin.path": str(PLUGINS),
        "plugin.discovery": "service_load",
        "key.converter": STRING_CONVERTER,
        "value.converter": STRING_CONVERTER,
        "config.storage.topic": "_connect_configs",
        "config.storage.replication.factor": "1",
        "offset.storage.topic": "_connect_offsets",
        "offset.storage.partitions": "1",
        "offset.storage.replication.factor": "1",
        "status.storage.topic": "_connect_status",
        "status.storage.partitions": "1",
        "status.storage.replication.factor": "1",
        "offset.flush.interval.ms": "5000",
        "connector.client.config.override.policy": "All",
        # There is one worker: without this its tasks would wait five minutes for its return.
        "scheduled.rebalance.max.delay.ms": "0",
        # By default a dead worker keeps its partitions for 45 s; a living one is silent for 10 on a loaded machine.
        "session.timeout.ms": "15000",
        "heartbeat.interval.ms": "3000",
        "consumer.session.timeout.ms": "15000",
        "consumer.heartbeat.interval.ms": "3000",
        "consumer.max.poll.records": "2000",
    }


def prepare(settings: Settings) -> None:
    """Write the configuration, and refuse to start a worker that could not run the pipeline's connector."""
    jars("plugins/s3-sink")
    write_properties(configuration_file(settings.folder("kafka_connect")), properties(settings))


def is_healthy(settings: Settings) -> bool:
    credential = b64encode(f"{KAFKA_USER}:{settings.secrets['kafka_connect_password']}".encode()).decode()
    return http_get(f"{settings.url('kafka_connect')}/health", {"Authorization": f"Basic {credential}"})[0] == 200
