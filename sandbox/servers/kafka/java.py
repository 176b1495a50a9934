"""The sandbox's Java: where ``java`` and ``javac`` are, and how a small server's JVM is started."""

import os
import shutil
from pathlib import Path

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


def java_program(name: str) -> str:
    """Return the path of ``java`` or ``javac``: of JAVA_HOME if that is set, else the first on the PATH."""
    if home := os.environ.get("JAVA_HOME"):
        program = Path(home) / "bin" / name
        if not program.is_file():
            raise SandboxError(f"JAVA_HOME is {home}, but there is no bin/{name}: point it to a JDK 17 or newer.")
        return str(program)
    if found := shutil.which(name):
        return found
    raise SandboxError(f"There is no {name} on the PATH: install a JDK 17 or newer, or set JAVA_HOME to one.")


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
        java_program("java"),
        f"-Xmx{heap_megabytes}m",
        *SMALL_SERVER,
        "-cp",
        class_path,
        main_class,
        *arguments,
    )
