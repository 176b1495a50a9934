"""Run a notebook in Databricks source format: cells, magics, exit value. Knows nothing of Spark or of the API.

Supported magics: ``%python``, ``%md``, ``%sql``, ``%run``, ``%pip`` and ``%restart_python`` (both only logged: the
driver's environment is fixed). Any other fails its cell with the magic's name, rather than being passed over.
"""

import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any, Protocol

SEPARATOR = "# COMMAND ----------"
MAGIC = "# MAGIC"
RESULT_LIMIT_BYTES = 5 * 1024 * 1024  # runs/get-output returns the first 5 MB of a notebook's result
SPARK_NAMES = {"spark", "sc"}
NO_EFFECT = {"pip", "restart_python"}


class NotebookExit(BaseException):
    """``dbutils.notebook.exit``; a BaseException, so that a notebook's own ``except Exception`` lets it pass."""


class NotebookCancelled(BaseException):
    """Raised inside a notebook's thread when its run is cancelled."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    :param kind: ``python`` or the name of the magic.
    :param line: The number of the cell's first line in its file.
    :param text: Python source, or the magic's argument and body.
    """

    kind: str
    line: int
    text: str


@dataclass(frozen=True)
class Outcome:
    """How a notebook ended: ``result`` is its exit value ("" without one); ``error`` is None where it succeeded."""

    result: str = ""
    truncated: bool = False
    error: str | None = None
    error_trace: str | None = None
    cancelled: bool = False


class Host(Protocol):
    """What a notebook finds around it on its cluster."""

    def spark_names(self) -> dict[str, Any]:
        """Return ``spark`` and ``sc``; called at the first cell that uses one, since a session costs seconds."""

    def dbutils(self, notebook: "Notebook") -> Any: ...

    def display(self, value: Any) -> None: ...


@dataclass
class Notebook:
    """One execution of one notebook file with its own namespace."""

    file: Path
    parameters: dict[str, str]
    host: Host
    namespace: dict[str, Any] = field(default_factory=dict)

    def run(self) -> str:
        """Execute every cell and return the exit value; whatever the notebook raises passes through."""
        self.namespace.update(
            __name__="__main__",
            __file__=str(self.file),
            __builtins__=__builtins__,
            dbutils=self.host.dbutils(self),
            display=self.host.display,
        )
        try:
            self.execute(self.file)
        except NotebookExit as leaving:
            return str(leaving)
        return ""

    def execute(self, file: Path) -> None:
        for cell in cells(file.read_text(encoding="utf-8")):
            if cell.kind == "python":
                self.execute_python(cell, file)
            elif cell.kind == "run":
                self.execute_file(cell, file)
            elif cell.kind == "sql":
                self.need_spark()
                self.namespace["_sqldf"] = self.namespace["spark"].sql(cell.text)
                self.host.display(self.namespace["_sqldf"])
            elif cell.kind in NO_EFFECT:
                print(f"%{cell.kind} {cell.text}".rstrip() + "  (no effect: the sandbox's environment is fixed)")
            elif cell.kind != "md":
                message = f"{file.name}, line {cell.line}: the sandbox does not run %{cell.kind} cells"
                raise NotImplementedError(message)

    def execute_python(self, cell: Cell, file: Path) -> None:
        padded = "\n" * (cell.line - 1) + cell.text  # so that tracebacks show the file's own line numbers
        code = compile(padded, str(file), "exec", dont_inherit=True)
        if SPARK_NAMES & names_used(code):
            self.need_spark()
        exec(code, self.namespace)  # noqa: S102 - running the notebook's code is what a notebook runner is for

    def execute_file(self, cell: Cell, file: Path) -> None:
        """``%run ./other $name="value"``: the other notebook's cells in this namespace."""
        target, *arguments = shlex.split(cell.text)
        other = sibling(file, target)
        self.parameters.update(argument.lstrip("$").split("=", 1) for argument in arguments)  # type: ignore[arg-type]
        self.execute(other)

    def need_spark(self) -> None:
        for name, value in self.host.spark_names().items():
            self.namespace.setdefault(name, value)


def cells(text: str) -> list[Cell]:
    """Split a notebook's source into its cells, empty ones left out."""
    found: list[Cell] = []
    block: list[str] = []
    start = 1
    for number, line in enumerate([*text.splitlines(), SEPARATOR], 1):
        if line.rstrip() != SEPARATOR:
            block.append(line)
            continue
        if (cell := read_cell(block, start)) is not None:
            found.append(cell)
        block, start = [], number + 1
    return found


def read_cell(lines: list[str], start: int) -> Cell | None:
    magic = [line[len(MAGIC) :].removeprefix(" ") for line in lines if line.startswith(MAGIC)]
    if not magic:
        has_code = any(line.strip() and not line.startswith("#") for line in lines)
        return Cell("python", start, "\n".join(lines)) if has_code else None
    head = re.match(r"%(\w+)\s*(.*)", magic[0])
    if head is None:  # "# MAGIC" lines without a magic command are text
        return None
    if head[1] == "python":
        position = next(i for i, line in enumerate(lines) if line.startswith(MAGIC))
        return Cell("python", start + position, "\n".join([head[2], *magic[1:]]))
    return Cell(head[1], start, "\n".join([head[2], *magic[1:]]).strip())


def names_used(code: CodeType) -> set[str]:
    """Return every name that a piece of code refers to, its functions' included."""
    inner = (names_used(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)


def sibling(file: Path, target: str) -> Path:
    """Return the notebook that ``target`` names, relative to the folder of ``file``."""
    other = (file.parent / target).resolve()
    for candidate in (other, other.with_name(other.name + ".py")):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"Notebook not found: {target}. It was searched beside {file.name}, with and without .py.")


def run_to_outcome(notebook: Notebook, redact: Callable[[str], str]) -> Outcome:
    """Run a notebook and say how it ended; only a request to end the whole process passes through."""
    try:
        with working_folder(notebook.file.parent):
            result = redact(notebook.run()).encode()
    except NotebookCancelled:
        return Outcome(cancelled=True, error="Cancelled")
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - any failure is the run's result
        trace = "".join(traceback.format_exception(type(error), error, own_frames(error)))
        summary = "".join(traceback.format_exception_only(error)).strip()
        return Outcome(error=redact(summary), error_trace=redact(trace))
    shown = result[:RESULT_LIMIT_BYTES].decode(errors="ignore")
    return Outcome(result=shown, truncated=len(result) > RESULT_LIMIT_BYTES)


def own_frames(error: BaseException) -> Any:
    """Return the traceback from the notebook's first frame on: the runner's own frames explain nothing."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename == __file__:
        frame = frame.tb_next
    return frame


class working_folder:  # noqa: N801 - used as a function
    """Work in the notebook's folder and import from it, as notebooks in the workspace do.

    The folder is the process's, so notebooks of different folders should not share a driver at one time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __enter__(self) -> None:
        os.chdir(self.folder)
        sys.path.insert(0, self.folder)

    def __exit__(self, *_: object) -> None:
        sys.path.remove(self.folder)
