"""A second Kafka broker, which joins the sandbox's cluster, for a partition whose leader goes away.

With the sandbox's Python: ``python -m tests.support.second_broker <folder>`` becomes that broker, with its data in the
folder, and ``… <folder> forget`` makes the cluster forget it once it is down; the sandbox of ``PINTEREST_SANDBOX_HOME``
is running.
"""

import os
import subprocess
import sys
from pathlib import Path

from sandbox.run.settings import Settings, free_port
from sandbox.servers.kafka import HEAP_MEGABYTES, configuration_file, data_folder, java_client, write_properties
from sandbox.servers.kafka.java import kafka_command

NODE_ID = 2


def read_properties(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def main(folder: Path) -> None:
    first = Path(os.environ["PINTEREST_SANDBOX_HOME"]) / "kafka"
    listener = f"BROKER://127.0.0.1:{free_port()}"
    file, data = configuration_file(folder), data_folder(folder)
    changed = {
        "process.roles": "broker",
        "node.id": str(NODE_ID),
        "listeners": listener,
        "advertised.listeners": listener,
        "log.dirs": str(data),
    }
    write_properties(file, read_properties(configuration_file(first)) | changed)
    if not data.exists():
        cluster_id = read_properties(data_folder(first) / "meta.properties")["cluster.id"]
        arguments = ("format", f"--cluster-id={cluster_id}", f"--config={file}")
        command = kafka_command("kafka.tools.StorageTool", *arguments, heap_megabytes=64)
        subprocess.run(command, check=True, timeout=120)
    command = kafka_command("kafka.Kafka", str(file), heap_megabytes=HEAP_MEGABYTES)
    os.execv(command[0], command)  # noqa: S606 - so that a signal to this process is one to the broker


def forget(folder: Path) -> None:
    """Unregister the broker: a cluster goes on counting one that has only stopped."""
    settings = Settings.load(Path(os.environ["PINTEREST_SANDBOX_HOME"]))
    file = folder / "client.properties"
    write_properties(file, {"bootstrap.servers": settings.bootstrap_servers, **java_client(settings)})
    program = str(Path(__file__).with_name("UnregisterBroker.java"))
    subprocess.run(kafka_command(program, str(file), str(NODE_ID), heap_megabytes=64), check=True, timeout=120)


if __name__ == "__main__":
    (forget if sys.argv[2:] == ["forget"] else main)(Path(sys.argv[1]))
