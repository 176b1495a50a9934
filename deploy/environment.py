"""A virtual environment as MWAA's requirements install would leave it, to load the bundle in.

It lies in ``.venv/mwaa-<Airflow>`` and is made again when the requirements or the constraints change.
"""

import fcntl
import hashlib
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from deploy.bundle import build
from deploy.requirements import Source, read_from
from deploy.tools import run_tool
from deploy.versions import PREINSTALLED, PROJECT, Version


def environment_for(version: Version) -> Path:
    """Return the Python of the environment for a bundle that is built now."""
    with tempfile.TemporaryDirectory() as scratch:
        bundle, plugins = Path(scratch) / "mwaa", Path(scratch) / "plugins"
        build(version, bundle, Source.VENDORED)
        unpack(bundle / "plugins.zip", plugins)
        return install(version, bundle / "requirements.txt", plugins)


def unpack(archive: Path, plugins: Path) -> None:
    """As MWAA does it: the archive's top becomes the plugins folder."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(plugins)


def install(version: Version, requirements: Path, plugins: Path) -> Path:
    """Install a bundle's ``requirements.txt`` beside what MWAA's image has, and return the Python.

    :param plugins: The unpacked ``plugins.zip``, where the requirements look for constraints and wheels.
    """
    environment = PROJECT / ".venv" / f"mwaa-{version.airflow}"
    python = environment / "bin" / "python"
    text = requirements.read_text()
    image = "\n".join(map(version.pinned, PREINSTALLED)) + "\n"
    digest = hashlib.sha256("\0".join([sys.version, image, text, version.constraints.read_text()]).encode())
    stamp = environment.with_name(f"{environment.name}.done")
    with environment.with_name(f"{environment.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == digest.hexdigest() and python.exists():
            return python
        stamp.unlink(missing_ok=True)
        shutil.rmtree(environment, ignore_errors=True)
        with tempfile.TemporaryDirectory() as scratch:
            wanted, preinstalled = Path(scratch) / "requirements.txt", Path(scratch) / "image.txt"
            wanted.write_text(read_from(text, str(plugins)))
            preinstalled.write_text(image)
            name = f"The environment of MWAA {version.airflow}"
            run_tool(name, "uv", "venv", "--quiet", "--python", sys.executable, environment)
            options = ("--quiet", "--python", python)
            run_tool(name, "uv", "pip", "install", *options, "-r", preinstalled, "-r", wanted)
        stamp.write_text(digest.hexdigest())
    return python
