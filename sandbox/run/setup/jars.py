"""The jars: what the ``.lock`` files pin by coordinates and sha256, fetched by the Ivy that ships inside PySpark."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from sandbox.run.java import java_home
from sandbox.run.setup import maven
from sandbox.run.setup.commands import PROJECT, Runner, SetupError, say
from sandbox.run.setup.environments import python_of, site_packages

JARS = PROJECT / ".jars"
DECLARED = PROJECT / "sandbox" / "run" / "jars"
GROUPS = ("kafka", "spark", "s3-sink")
IVY_TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class Jar:
    """A jar by its Maven coordinates."""

    organisation: str
    name: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}.jar"

    @property
    def path(self) -> str:
        """Where it is in a Maven repository."""
        return f"{self.organisation.replace('.', '/')}/{self.name}/{self.version}/{self.file_name}"


def locked(group: str) -> list[Jar]:
    """Return the jars of a group that are used, out of all that its declaration resolves to."""
    lines = [line.split() for line in (DECLARED / f"{group}.lock").read_text().splitlines()]
    return [Jar(*coordinates.split(":"), digest) for digest, coordinates in lines]


def are_there(group: str) -> bool:
    folder = JARS / group
    return folder.is_dir() and {file.name for file in folder.iterdir()} == {jar.file_name for jar in locked(group)}


def ivy_file(group: str) -> str:
    """Return Ivy's declaration of exactly the locked jars: without their POMs a group takes a fifth of the time."""
    dependencies = "".join(
        f"<dependency org={quoteattr(jar.organisation)} name={quoteattr(jar.name)} rev={quoteattr(jar.version)} "
        'transitive="false" conf="default->default"/>\n'
        for jar in locked(group)
    )
    return (
        f'<ivy-module version="2.0"><info organisation="pinterest-pipeline" module="{group}"/>'
        '<configurations><conf name="default"/></configurations>'
        f"<dependencies>\n{dependencies}</dependencies></ivy-module>"
    )


def fetch(group: str, runner: Runner) -> None:
    if are_there(group):
        return
    began = time.monotonic()
    say(f"fetching the jars of {group}")
    draft = JARS / f"{group}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="pinterest-ivy-") as scratch:  # 0700: a password may stand in its files
        declaration = Path(scratch) / "ivy.xml"
        declaration.write_text(ivy_file(group))
        ivy(Path(scratch), declaration, draft / "[artifact]-[revision].[ext]", group, runner, uses_poms=False)
    for jar in locked(group):
        file = draft / jar.file_name
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != jar.sha256:
            shutil.rmtree(cache(runner.environment, group), ignore_errors=True)
            raise SetupError(
                f"{jar.file_name} is missing or is not the file it should be (sha256 {jar.sha256[:12]}…): run it again."
            )
    shutil.rmtree(JARS / group, ignore_errors=True)
    draft.rename(JARS / group)
    say(f"the jars of {group} are there ({time.monotonic() - began:.0f} s)")


def cache(environment: Mapping[str, str], group: str) -> Path:
    usual = environment.get("XDG_CACHE_HOME") or f"{environment.get('HOME') or ''}/.cache"
    return Path(usual) / "pinterest-data-pipeline" / f"jars-{group}"


def ivy(scratch: Path, declaration: Path, pattern: Path, group: str, runner: Runner, *, uses_poms: bool) -> None:
    """Let Ivy resolve a declaration and copy its jars to where ``pattern`` says, through this machine's network."""
    environment, what = runner.environment, f"the jars of {group}"
    try:
        settings = maven.Settings(maven.settings_files(environment), environment)
        repository, proxy = settings.repository(), settings.proxy() or maven.proxy_of(environment)
        certificate = environment.get("SSL_CERT_FILE") or environment.get("PIP_CERT", "")
        realm = maven.realm_of(repository, locked(group)[0].path, proxy, certificate)
    except ValueError as error:
        raise SetupError(f"{what}: {error}") from error
    bundles = [site_packages("tools") / "pip" / "_vendor" / "certifi" / "cacert.pem"]
    bundles += [Path(environment[name]) for name in ("SSL_CERT_FILE", "PIP_CERT") if environment.get(name)]
    (scratch / "authorities.jks").write_bytes(maven.trust_store([file for file in bundles if file.is_file()]))
    (scratch / "settings.xml").write_text(maven.ivy_settings(repository, realm, uses_poms=uses_poms))
    (scratch / "java.options").write_text("\n".join(maven.java_options(proxy, scratch / "authorities.jks")))
    jar = next((site_packages("spark") / "pyspark" / "jars").glob("ivy-*.jar"))
    command = [
        java_home() / "bin" / "java", f"@{scratch / 'java.options'}", "-XX:TieredStopAtLevel=1", "-jar", jar,
        "-settings", scratch / "settings.xml", "-ivy", declaration, "-cache", cache(environment, group),
        "-types", "jar", "bundle", "-retrieve", pattern,
    ]  # fmt: skip
    runner.run(command, what, timeout=IVY_TIMEOUT_SECONDS)


def build_sink_plugin() -> None:
    """Compile the S3 sink, which asks no network; its own build step knows whether anything changed."""
    command = [python_of("sandbox"), "-m", "sandbox.servers.kafka_connect.s3_sink.build"]
    Runner(lambda: os.environ).run(command, "the S3 sink plugin", attempts=1)
