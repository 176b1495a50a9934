"""Which Java the sandbox runs on: one of the machine's that fits, else the runtime that set-up takes from PyPI.

Standard library only: set-up runs before anything is installed. Set-up records its choice as the link ``.venv/java``.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sandbox.run.settings import PROJECT, SandboxError

LINK = PROJECT / ".venv" / "java"
OLDEST, NEWEST = 17, 21  # Kafka Connect 4 runs from 17 on; Java 24 removed getSubject, which Spark's Hadoop calls
ASK_SECONDS = 30
# Where systems and version managers keep Javas, each entry a pattern of homes; a `~` is the user's home.
PLACES = (
    "/usr/lib/jvm/*",
    "/usr/lib64/jvm/*",
    "/usr/java/*",
    "/usr/local/java/*",
    "/usr/local/openjdk-*",
    "/opt/*",
    "/opt/java/*",
    "/opt/jdks/*",
    "/opt/hostedtoolcache/Java_*/*/*",
    "/opt/homebrew/opt/openjdk*",
    "/usr/local/opt/openjdk*",
    "/home/linuxbrew/.linuxbrew/opt/openjdk*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "~/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "{SDKMAN_DIR:~/.sdkman}/candidates/java/*",
    "{ASDF_DATA_DIR:~/.asdf}/installs/java/*",
    "{MISE_DATA_DIR:~/.local/share/mise}/installs/java/*",
    "{JENV_ROOT:~/.jenv}/versions/*",
    "~/.jdks/*",
    "~/.jabba/jdk/*",
    "~/.gradle/jdks/*",
)
MAC_JAVA_HOME = "/usr/libexec/java_home"  # knows further ones, and answers with the home of a major version
MAC_STUB = "/usr/bin/java"  # on macOS no Java, only the way to the one that java_home names


@dataclass(frozen=True)
class Java:
    """A Java that ran: its home and its major version."""

    home: Path
    version: int

    @property
    def fits(self) -> bool:
        return OLDEST <= self.version <= NEWEST

    def __str__(self) -> str:
        return f"Java {self.version} ({self.home})"


@dataclass(frozen=True)
class Choice:
    """What the machine has.

    :param java: The one to take, None where none fits.
    :param refused: A sentence on JAVA_HOME where it is set and does not fit, else empty.
    :param others: What was found and does not fit.
    """

    java: Java | None
    refused: str
    others: tuple[Java, ...]


@cache
def java_home() -> Path:
    """Return the home that set-up chose; before a set-up the one that it would choose.

    :raises SandboxError: where no Java fits.
    """
    if (LINK / "bin" / "java").is_file():
        return LINK
    found = choose(os.environ).java
    if found is None:
        raise SandboxError(f"No Java {OLDEST} to {NEWEST} was found: run `make setup`, which brings one.")
    return found.home


def choose(environment: Mapping[str, str], root: Path = Path("/")) -> Choice:
    """Return the first Java that fits: of JAVA_HOME, of the PATH, of where systems keep them.

    :param root: What stands for ``/`` in the places of the system.
    """
    refused = ""
    if given := environment.get("JAVA_HOME"):
        java = ask(Path(given) / "bin" / "java")
        if java is not None and java.fits:
            return Choice(Java(Path(given), java.version), "", ())
        reason = f"is Java {java.version}, not {OLDEST} to {NEWEST}" if java else "has no bin/java that runs"
        refused = f"JAVA_HOME={given} {reason}"
    others: dict[Path, Java] = {}
    seen: set[Path] = set()
    for program in (*on_the_path(environment), *in_known_places(environment, root)):
        real = program.resolve()
        if real in seen or not os.access(real, os.X_OK):
            continue
        seen.add(real)
        java = declared(real) or ask(program)
        if java is not None and java.fits:
            java = ask(program)  # what a `release` file declares may be broken, or built for another processor
            if java is not None and java.fits:
                return Choice(java, refused, tuple(others.values()))
        if java is not None:
            others.setdefault(java.home, java)
    return Choice(None, refused, tuple(others.values()))


def on_the_path(environment: Mapping[str, str]) -> Iterator[Path]:
    for folder in environment.get("PATH", "").split(os.pathsep):
        program = Path(folder) / "java"
        if folder and not (sys.platform == "darwin" and str(program) == MAC_STUB):
            yield program


def in_known_places(environment: Mapping[str, str], root: Path) -> Iterator[Path]:
    finder = root / MAC_JAVA_HOME.lstrip("/")
    for version in range(NEWEST, OLDEST - 1, -1) if finder.is_file() else ():
        if (home := printed_by(finder, "-F", "-v", str(version)).strip()) and home.startswith("/"):
            yield Path(home) / "bin" / "java"
    for place in PLACES:
        pattern = expanded(place, environment)
        if pattern is None:
            continue
        base = root if not place.startswith(("~", "{")) else Path("/")
        yield from sorted(base.glob(f"{pattern.lstrip('/')}/bin/java"), reverse=True)


def expanded(place: str, environment: Mapping[str, str]) -> str | None:
    """Return the place with its variable and its ``~`` filled in, None where there is no home."""
    if match := re.match(r"\{(\w+):([^}]*)\}", place):
        place = (environment.get(match[1]) or match[2]) + place[match.end() :]
    if place.startswith("~"):
        home = environment.get("HOME", "")
        return f"{home}{place[1:]}" if home.startswith("/") else None
    return place


def declared(program: Path) -> Java | None:
    """Return what the ``release`` file beside a Java says, which costs no start of a JVM."""
    home = program.parents[1]
    try:
        text = (home / "release").read_text(errors="replace")
    except OSError:
        return None
    found = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', text, re.MULTILINE)
    return Java(home, int(found[1])) if found else None


def ask(program: Path) -> Java | None:
    """Run a ``java`` and return its home and version, None where it does not run or is none."""
    said = printed_by(program, "-XshowSettings:properties", "-version")
    # Not the first number of the output: a JVM first names the options that it took from the environment.
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    home = re.search(r"^\s*java\.home = (.+)$", said, re.MULTILINE)  # a version manager's program is not in it
    if version is None:
        return None
    return Java(Path(home[1].strip()) if home else program.resolve().parents[1], int(version[1]))


def printed_by(program: Path, *arguments: str) -> str:
    """Return what a program printed, empty where it failed."""
    try:
        done = subprocess.run(
            [str(program), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            check=False, timeout=ASK_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr if done.returncode == 0 else ""
