"""The workspace: absolute Databricks paths mapped to folders of this machine. Used by the API and by the drivers."""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

UPLOADS = "/Workspace"
NOTEBOOK_HEADER = "# Databricks notebook source"


@dataclass(frozen=True)
class Workspace:
    """Workspace folders and where they really are.

    :param roots: For example ``{"/Workspace/Shared/pinterest": Path("…/include/spark")}``; the last may be
        ``/Workspace`` itself, where uploads lie.
    """

    roots: dict[str, Path]

    @classmethod
    def from_json(cls, text: str, uploads: Path | None = None) -> "Workspace":
        roots = {normal(path): Path(folder).resolve() for path, folder in json.loads(text).items()}
        return cls(roots | ({UPLOADS: uploads.resolve()} if uploads else {}))

    def as_json(self) -> str:
        return json.dumps({path: str(folder) for path, folder in self.roots.items()})

    def upload(self, path: str) -> Path | None:
        """Return where an upload lies or would lie, None below a folder that is the clone's."""
        wanted = PurePosixPath(normal(path))
        if any(wanted.is_relative_to(prefix) for prefix in self.roots if prefix != UPLOADS):
            return None
        root = self.roots[UPLOADS]
        file = (root / wanted.relative_to(UPLOADS)).resolve()
        return file if file.is_relative_to(root) and file != root else None

    def locate(self, path: str) -> Path | None:
        """Return the file or folder behind a workspace path (a notebook's with or without ``.py``), if there is one."""
        wanted = PurePosixPath(normal(path))
        for prefix, folder in self.roots.items():
            if not wanted.is_relative_to(prefix):
                continue
            plain = folder / wanted.relative_to(prefix)
            for candidate in (plain, plain.with_name(plain.name + ".py")):
                if candidate.exists() and candidate.resolve().is_relative_to(folder):
                    return candidate.resolve()
        return None

    def notebook(self, path: str) -> Path | None:
        """Return the notebook's file; a Python file without the notebook header is none, as on the service."""
        file = self.locate(path)
        return file if file is not None and is_notebook(file) else None

    def object_type(self, file: Path) -> str:
        if file.is_dir():
            return "DIRECTORY"
        return "NOTEBOOK" if is_notebook(file) else "FILE"

    def path_of(self, file: Path) -> str:
        """Return the workspace path of a local file; notebooks show without their suffix."""
        for prefix, folder in self.roots.items():
            if file.is_relative_to(folder):
                shown = file.with_suffix("") if is_notebook(file) else file
                return str(PurePosixPath(prefix) / shown.relative_to(folder).as_posix()).rstrip("/")
        return str(file)


def normal(path: str) -> str:
    """``/Shared/x`` is the older spelling of ``/Workspace/Shared/x``."""
    clean = "/" + path.strip().strip("/")
    return clean if clean == "/Workspace" or clean.startswith("/Workspace/") else "/Workspace" + clean.rstrip("/")


def is_notebook(file: Path) -> bool:
    if file.suffix != ".py" or not file.is_file():
        return False
    with file.open(encoding="utf-8") as text:
        return text.readline().rstrip() == NOTEBOOK_HEADER
