"""How a small server's JVM is started, and where the jars are."""

import os
from pathlib import Path

from sandbox.run.java import java_home
from sandbox.run.settings import PROJECT, SandboxError

JARS = PROJECT / ".jars"
CONFIGURATION = Path(__file__).with_name("conf")
# One user on two cores: the serial collector needs no threads of its own; a heap that overflows ends the process,
# so that the supervisor starts it again; and no socket may be opened on IPv6, where "any" is another address.
SMALL_SERVER = (
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.net.preferIPv4Stack=true",
    "-Djava.awt.headless=true",
)


def java_program() -> str:
    """Return the path of the ``java`` that set-up chose."""
    return str(java_home() / "bin" / "java")


def jars(name: str) -> Path:
    """Return the folder of one group of jars, such as ``kafka`` or ``plugins``, which the set-up filled."""
    folder = JARS / name
    if not folder.is_dir():
        raise SandboxError(f"The jars in {folder.relative_to(PROJECT)} are missing: run `make setup`.")
    return folder


def kafka_command(main_class: str, *arguments: str, heap_megabytes: int) -> tuple[str, ...]:
    """Return the command of one of Kafka's own programs, with log4j2's configuration on the class path."""
    class_path = os.pathsep.join((str(CONFIGURATION), str(jars("kafka") / "*")))
    return (
        java_program(),
        f"-Xmx{heap_megabytes}m",
        *SMALL_SERVER,
        "-cp",
        class_path,
        main_class,
        *arguments,
    )
