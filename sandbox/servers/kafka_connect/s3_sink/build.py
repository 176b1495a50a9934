"""Compile the S3 sink plugin with Eclipse's compiler: no JDK, no Maven, and no work when nothing changed.

The plugin folder holds the plugin's jar, the AWS SDK's jars beside it (Connect loads each plugin in isolation), and
the digest of all that went in.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path

from sandbox.run.settings import SandboxError
from sandbox.servers.kafka.java import JARS, jars, java_program

SOURCES = Path(__file__).parent / "src"
RESOURCES = Path(__file__).parent / "resources"
JAVA_RELEASE = "17"  # what Kafka 4's Connect worker needs at least
PLUGIN_JAR = "pinterest-s3-sink.jar"
DIGEST_FILE = "inputs.sha256"
COMPILER = "ecj-*.jar"  # beside the AWS SDK's jars: it needs a Java to run on, not the javac of a JDK
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold: the same sources give the same jar


def build(kafka_jars: Path, sink_jars: Path, target: Path) -> None:
    """Make ``target`` the plugin folder, unless it was made from exactly these sources and jars.

    :param kafka_jars: Folder of Kafka's jars, which the plugin is compiled against and the worker brings.
    :param sink_jars: Folder of the AWS SDK's jars, which go into the plugin folder, and of the compiler.
    :param target: The plugin folder, below a folder that is on the worker's ``plugin.path``. Replaced in one step.
    """
    digest = inputs_digest(kafka_jars, sink_jars)
    if (target / DIGEST_FILE).is_file() and (target / DIGEST_FILE).read_text() == digest:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="s3-sink-", dir=target.parent.parent) as work:
        classes, draft = Path(work) / "classes", Path(work) / "plugin"
        compile_java(classes, kafka_jars, sink_jars)
        shutil.copytree(sink_jars, draft, ignore=shutil.ignore_patterns(COMPILER))
        write_jar(draft / PLUGIN_JAR, [classes, RESOURCES])
        (draft / DIGEST_FILE).write_text(digest)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)


def inputs_digest(kafka_jars: Path, sink_jars: Path) -> str:
    """Return one digest of this file, the sources, and the jars by name and size (their content is pinned)."""
    digest = sha256(Path(__file__).read_bytes())
    for folder in (SOURCES, RESOURCES):
        for file in files_below(folder):
            digest.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes())
    for folder in (kafka_jars, sink_jars):
        for jar in sorted(folder.glob("*.jar")):
            digest.update(f"{jar.name}\0{jar.stat().st_size}\0".encode())
    return digest.hexdigest()


def compile_java(classes: Path, kafka_jars: Path, sink_jars: Path) -> None:
    class_path = sorted(jar for folder in (kafka_jars, sink_jars) for jar in folder.glob("*.jar"))
    compiler = next(sink_jars.glob(COMPILER), None)
    if compiler is None:
        raise SandboxError(f"{COMPILER} is missing from {sink_jars}: run `make setup`.")
    command = [
        java_program(), "-XX:TieredStopAtLevel=1", "-jar", str(compiler), f"-{JAVA_RELEASE}", "-encoding", "UTF-8",
        "-failOnWarning", "-proc:none", "-cp", ":".join(map(str, class_path)), "-d", str(classes),
    ]  # fmt: skip
    done = subprocess.run(
        [*command, *map(str, files_below(SOURCES))], capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode != 0:
        raise SandboxError(f"The S3 sink plugin could not be compiled:\n{done.stdout}{done.stderr}")


def write_jar(jar: Path, folders: list[Path]) -> None:
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            for file in files_below(folder):
                archive.writestr(zipfile.ZipInfo(str(file.relative_to(folder)), ZIP_EPOCH), file.read_bytes())


def files_below(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    try:
        build(jars("kafka"), jars("s3-sink"), JARS / "plugins" / "s3-sink")
    except SandboxError as error:
        sys.exit(str(error))
