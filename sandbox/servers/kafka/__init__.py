"""Apache Kafka 4: one KRaft node, broker and controller in one JVM, on two loopback ports."""

import base64
import shutil
import socket
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sandbox.run.server import Server
from sandbox.run.settings import CALL_SECONDS, KAFKA_USER, SandboxError, Settings, write_private
from sandbox.servers.kafka import topics
from sandbox.servers.kafka.java import kafka_command

HEAP_MEGABYTES = 256
MECHANISM = "PLAIN"
LOGIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"
MESSAGE_MAX_BYTES = 1_048_588  # Kafka's own default: 1 MiB and a batch header
PARTITIONS = 3  # of topics that are created without a number


def server(settings: Settings) -> Server:
    folder = settings.folder("kafka")
    return Server(
        name="kafka",
        command=kafka_command("kafka.Kafka", str(configuration_file(folder)), heap_megabytes=HEAP_MEGABYTES),
        directory=folder,
        is_ready=lambda: answers(settings),
        prepare=lambda: prepare(settings),
        provision=lambda: topics.ensure(admin(settings), topics.declared()),
    )


def configuration_file(folder: Path) -> Path:
    return folder / "server.properties"


def data_folder(folder: Path) -> Path:
    return folder / "data"


def properties(settings: Settings, data: Path) -> dict[str, str]:
    """Return the broker's configuration: loopback only, one replica each, nothing created by accident."""
    broker = settings.bootstrap_servers
    controller = f"127.0.0.1:{settings.ports['kafka_controller']}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"BROKER://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"BROKER://{broker}",
        "listener.security.protocol.map": "BROKER:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "sasl.enabled.mechanisms": MECHANISM,
        "sasl.mechanism.inter.broker.protocol": MECHANISM,
        "sasl.mechanism.controller.protocol": MECHANISM,
        "listener.name.broker.plain.sasl.jaas.config": login_module(settings, is_server=True),
        "listener.name.controller.plain.sasl.jaas.config": login_module(settings, is_server=True),
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "num.partitions": str(PARTITIONS),
        "message.max.bytes": str(MESSAGE_MAX_BYTES),
        # Retention goes by the record's own time: one written as of 2018 would be deleted within minutes. Only the
        # pipeline's topics have one, of include/kafka/topics.json: the REST proxy writes their records as of now.
        "log.retention.ms": "-1",
        "group.initial.rebalance.delay.ms": "0",
        **{
            f"{log}.{setting}": "1"
            for log in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
            for setting in ("num.partitions", "replication.factor")
        },
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.min.isr": "1",
    }


def login_module(settings: Settings, *, is_server: bool = False) -> str:
    """Return a JAAS line: what a client logs in with, and whom a server lets in."""
    user, password = KAFKA_USER, settings.secrets["kafka_password"]
    known = f' user_{user}="{password}"' if is_server else ""
    return f'{LOGIN_MODULE} required username="{user}" password="{password}"{known};'


def java_client(settings: Settings) -> dict[str, str]:
    """Return what one of Kafka's own clients needs to log in."""
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": MECHANISM,
        "sasl.jaas.config": login_module(settings),
    }


def write_properties(file: Path, values: Mapping[str, str]) -> None:
    """Write a Java properties file; a backslash in a value would otherwise be read as an escape."""
    write_private(file, "".join(f"{name}={value.replace('\\', '\\\\')}\n" for name, value in values.items()))


def prepare(settings: Settings) -> None:
    """Write the configuration (ports may have changed), and format the data folder unless that was done."""
    folder = settings.folder("kafka")
    file, data = configuration_file(folder), data_folder(folder)
    write_properties(file, properties(settings, data))
    if (data / "meta.properties").exists():
        return
    shutil.rmtree(data, ignore_errors=True)  # what an interrupted format left
    tool = kafka_command(
        "kafka.tools.StorageTool",
        "format",
        f"--cluster-id={cluster_id()}",
        f"--config={file}",
        heap_megabytes=64,
    )
    done = subprocess.run(tool, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise SandboxError(f"Kafka could not format {data}:\n{done.stdout}{done.stderr}")


def cluster_id() -> str:
    """Return a random id as Kafka writes them: 22 characters of URL-safe base64."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def admin(settings: Settings) -> AdminClient:
    """Return an admin client that is silent while the broker is away (librdkafka prints each refusal)."""
    return AdminClient({**settings.kafka_client, "log_level": 0})


def answers(settings: Settings) -> bool:
    """Whether the broker tells its metadata; a closed port is an OSError, which costs no time-out."""
    with socket.create_connection(("127.0.0.1", settings.ports["kafka"]), timeout=CALL_SECONDS):
        pass
    try:
        return bool(admin(settings).list_topics(timeout=CALL_SECONDS).brokers)
    except KafkaException:
        return False
