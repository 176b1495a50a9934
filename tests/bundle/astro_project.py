"""An Astro project's image as a folder: what .dockerignore lets through, and an environment from requirements.txt."""

import fcntl
import hashlib
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.tools import run_tool

PROJECT = Path(__file__).resolve().parents[2]
CONSTRAINTS = PROJECT / "constraints" / "constraints-3.3.1-python3.12.txt"  # what the Runtime has before our packages
NEVER_IN_GIT = (".git", ".venv", ".jars", ".node", ".sandbox", "dist")  # large, and slow to look at


def lay_out(target: Path) -> Path:
    """Copy the project as the image's build does."""
    patterns = (PROJECT / ".dockerignore").read_text().splitlines()
    tops = [top for top in PROJECT.iterdir() if not top.name.startswith(NEVER_IN_GIT)]
    for file in (file for top in tops for file in ([top] if top.is_file() else top.rglob("*"))):
        name = file.relative_to(PROJECT)
        if file.is_file() and not is_ignored(name, patterns):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / name)
    return target


def is_ignored(name: Path, patterns: Sequence[str]) -> bool:
    """Tell as Docker does: the last pattern that matches the file or a folder of it decides."""
    ignored = False
    for line in patterns:
        pattern = line.strip().removeprefix("!").strip("/")
        if not pattern or pattern.startswith("#"):
            continue
        if any(matches(path.as_posix(), pattern) for path in (name, *name.parents)):
            ignored = not line.startswith("!")
    return ignored


def matches(path: str, pattern: str) -> bool:
    """Tell whether a pattern of .dockerignore, which counts from the project's root, matches all of a path."""
    found = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return path != "." and re.fullmatch(found, path) is not None


def environment() -> Path:
    """Return the Python of ``.venv/astro``, made again when requirements or constraints change."""
    folder, wanted = PROJECT / ".venv" / "astro", PROJECT / "requirements.txt"
    python, stamp = folder / "bin" / "python", folder.with_name("astro.done")
    digest = hashlib.sha256("\0".join([sys.version, wanted.read_text(), CONSTRAINTS.read_text()]).encode()).hexdigest()
    with folder.with_name("astro.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == digest and python.exists()):
            stamp.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            run_tool("Astro's environment", "uv", "venv", "--quiet", "--python", sys.executable, folder)
            options = ["--quiet", "--python", python, "--constraints", CONSTRAINTS]
            run_tool("Astro's environment", "uv", "pip", "install", *options, "-r", wanted)
            stamp.write_text(digest)
    return python
