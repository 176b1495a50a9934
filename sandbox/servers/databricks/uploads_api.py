"""``/api/2.0/workspace/{mkdirs,import,export,delete}`` and what ``databricks workspace import-dir`` sends.

Uploads lie below the sandbox's own state; the folders that are this clone's can be read and run, not written.
"""

import base64
import binascii
import shutil
from pathlib import Path
from typing import Any

from starlette.requests import Request

from sandbox.servers.databricks.errors import ApiError, invalid
from sandbox.servers.databricks.requests import arguments, flag, services
from sandbox.servers.databricks.settings_check import refuse_unknown
from sandbox.servers.databricks.workspace import NOTEBOOK_HEADER, is_notebook

Answer = dict[str, Any]
FORMATS = ("SOURCE", "AUTO", "RAW")


def file_of(request: Request, path: str) -> Path:
    """Return where an upload of that workspace path lies, or refuse a path that is the clone's."""
    if not path.startswith("/"):
        raise invalid(f"Path ({path}) must begin with '/'.")
    file = services(request).config.workspace.upload(path)
    if file is None:
        raise invalid(f"Path ({path}) is a folder of this clone: change its files, the sandbox does not write there.")
    return file


def store(file: Path, content: bytes, *, overwrite: bool, path: str) -> Answer:
    if file.is_dir():
        raise invalid(f"Path ({path}) is a directory.")
    if file.exists() and not overwrite:
        raise ApiError("RESOURCE_ALREADY_EXISTS", f"Path ({path}) already exists.")
    if not file.parent.is_dir():
        raise ApiError("RESOURCE_DOES_NOT_EXIST", f"The parent folder of ({path}) does not exist.")
    file.write_bytes(content)
    return {}


async def mkdirs(request: Request) -> Answer:
    path = str((await arguments(request)).get("path") or "")
    folder = file_of(request, path)
    if folder.is_file():
        raise ApiError("RESOURCE_ALREADY_EXISTS", f"Path ({path}) is a file.")
    folder.mkdir(parents=True, exist_ok=True)
    return {}


async def import_object(request: Request) -> Answer:
    given = await arguments(request)
    refuse_unknown(given, ("path", "format", "language", "content", "overwrite"), "workspace/import")
    kind, path = str(given.get("format") or "SOURCE"), str(given.get("path") or "")
    if kind not in FORMATS:
        raise invalid(f"workspace/import: the sandbox takes format {', '.join(FORMATS)}, got {kind}.")
    try:
        content = base64.b64decode(given.get("content") or "", validate=True)
    except binascii.Error as error:
        raise invalid(f"workspace/import: content must be base64 ({error}).") from error
    file = file_of(request, path)
    if kind == "SOURCE":
        if given.get("language") != "PYTHON":
            raise invalid(f"workspace/import: the sandbox has notebooks in PYTHON, got {given.get('language')}.")
        file = file.with_name(file.name.removesuffix(".py") + ".py")
        header = f"{NOTEBOOK_HEADER}\n".encode()
        content = content if content.startswith(header.rstrip()) else header + content
    return store(file, content, overwrite=flag(given, "overwrite"), path=path)


async def import_file(request: Request) -> Answer:
    """Take one file of ``workspace import-dir``: its bytes are the body."""
    path = "/" + request.path_params["path"]
    overwrite = flag(dict(request.query_params), "overwrite")
    return store(file_of(request, path), await request.body(), overwrite=overwrite, path=path)


async def export(request: Request) -> Answer:
    given = await arguments(request)
    refuse_unknown(given, ("path", "format"), "workspace/export")
    path, kind = str(given.get("path") or ""), str(given.get("format") or "SOURCE")
    if kind not in FORMATS:
        raise invalid(f"workspace/export: the sandbox gives format {', '.join(FORMATS)}, got {kind}.")
    file = services(request).config.workspace.locate(path)
    if file is None:
        raise ApiError("RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")
    if file.is_dir():
        raise invalid(f"Path ({path}) is a directory: the sandbox exports files and notebooks.")
    content = base64.b64encode(file.read_bytes()).decode()
    return {"content": content, "file_type": "py" if is_notebook(file) else file.suffix.lstrip(".")}


async def delete(request: Request) -> Answer:
    given = await arguments(request)
    path = str(given.get("path") or "")
    wanted = file_of(request, path)
    found = next((one for one in (wanted, wanted.with_name(wanted.name + ".py")) if one.exists()), None)
    if found is None:
        raise ApiError("RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")
    if found.is_file():
        found.unlink()
    elif any(found.iterdir()) and not flag(given, "recursive"):
        raise ApiError("DIRECTORY_NOT_EMPTY", f"Folder ({path}) is not empty: give recursive.")
    else:
        shutil.rmtree(found)
    return {}


ROUTES = {
    ("POST", "workspace/mkdirs"): mkdirs,
    ("POST", "workspace/import"): import_object,
    ("POST", "workspace-files/import-file/{path:path}"): import_file,
    ("GET", "workspace/export"): export,
    ("POST", "workspace/delete"): delete,
}
