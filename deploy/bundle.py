"""Build ``dist/mwaa``: the same commit gives the same bytes on every machine and at any time.

- ``dags/``: the DAG files and, as MWAA syncs nothing else, ``include/`` inside (without ``spark``, which no DAG reads).
- ``plugins.zip``: the package at its top, with the constraints (and the wheels) beside it.
- ``requirements.txt``, ``startup.sh``, and ``manifest.json`` with the sha256 of every file.
- ``databricks/``: the notebooks, their package and the answers, for the workspace; MWAA never sees them.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.requirements import Source, requirements_text
from deploy.versions import PROJECT, Version
from deploy.wheels import download_wheels

EPOCH = 315_532_800  # 1980-01-01, the oldest time that a zip archive can hold
FILE_MODE, FOLDER_MODE = 0o644, 0o755
SOURCES = ("dags", "include", "plugins", "constraints", "deploy")
MANIFEST = "manifest.json"


def build(version: Version, output: Path, source: Source) -> dict[str, Any]:
    """Make the bundle in a folder beside ``output`` and put it in its place at once; return its manifest."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as scratch:
        draft = Path(scratch) / "bundle"
        copy_tree(PROJECT / "dags", draft / "dags")
        for folder in sorted((PROJECT / "include").iterdir()):
            if folder.is_dir() and folder.name != "spark":
                copy_tree(folder, draft / "dags" / "include" / folder.name)
        copy_tree(PROJECT / "include" / "spark", draft / "databricks")
        copy_tree(PROJECT / "include" / "sql" / "answers", draft / "databricks" / "answers")
        requirements = requirements_text(version, source)
        beside = {version.constraints.name: version.constraints}
        if source is Source.WHEELS:
            beside |= download_wheels(version, requirements, Path(scratch) / "wheels")
        write_zip(draft / "plugins.zip", dict(deployable(PROJECT / "plugins")) | beside)
        (draft / "requirements.txt").write_text(requirements)
        script = (PROJECT / "deploy" / "startup.sh").read_text()
        (draft / "startup.sh").write_text(script.replace("@AIRFLOW_VERSION@", version.airflow))
        manifest = describe(version, source, draft)
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
        fix_modes_and_times(draft)
        shutil.rmtree(output, ignore_errors=True)
        draft.rename(output)
    return manifest


def deployable(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and file of all below a folder but what Python, an editor or a desktop leaves there."""
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        hidden = any(part.startswith(".") and part != ".airflowignore" for part in name.parts)
        if file.is_file() and not hidden and "__pycache__" not in name.parts and not file.name.endswith((".pyc", "~")):
            yield name.as_posix(), file


def copy_tree(source: Path, target: Path) -> None:
    for name, file in deployable(source):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / name)


def write_zip(archive: Path, files: dict[str, Path]) -> None:
    """Stored, not deflated: zlib's bytes differ from one build of Python to the next, and wheels are packed already."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, also where it is built on something else
            entry.external_attr = (0o100000 | FILE_MODE) << 16
            with packed.open(entry, "w") as target, files[name].open("rb") as origin:
                shutil.copyfileobj(origin, target)


def describe(version: Version, source: Source, bundle: Path) -> dict[str, Any]:
    files = sorted(file for file in bundle.rglob("*") if file.is_file())
    return {
        "airflow": version.airflow,
        "python": version.python,
        "packages": str(source),
        "commit": commit(),
        "files": {file.relative_to(bundle).as_posix(): sha256_of(file) for file in files},
    }


def commit() -> str:
    """Return the commit, with ``-dirty`` where files of the bundle differ from it, or ``unknown`` outside of git."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(PROJECT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", *SOURCES)
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def sha256_of(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def fix_modes_and_times(bundle: Path) -> None:
    """Give every file one mode and one time, whatever the umask and the clock say."""
    for path in [bundle, *bundle.rglob("*")]:
        path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
        os.utime(path, (EPOCH, EPOCH))
