"""The part of ``dbutils`` that jobs use: fs, notebook, secrets and widgets. Any other name raises AttributeError."""

from collections.abc import Callable
from typing import Any

from sandbox.servers.databricks.fs import FileSystem
from sandbox.servers.databricks.notebook import Host, Notebook, NotebookExit, sibling

REDACTED = "[REDACTED]"


class InputWidgetNotDefined(ValueError):  # noqa: N818 - the service's name for it
    """A widget was read that neither the run's parameters nor the notebook defines."""


class Widgets:
    """Notebook parameters: the run's values first, then the defaults that the notebook declared."""

    def __init__(self, given: dict[str, str]) -> None:
        self._given = given
        self._declared: dict[str, str] = {}

    def text(self, name: str, defaultValue: str = "", label: str | None = None) -> None:  # noqa: N803, ARG002 - the service's signature
        self._declared[name] = str(defaultValue)

    def dropdown(self, name: str, defaultValue: str, choices: list[str], label: str | None = None) -> None:  # noqa: N803, ARG002 - the service's signature
        if defaultValue not in choices:
            raise ValueError(f"The default {defaultValue!r} of widget {name} is not among its choices {choices}.")
        self._declared[name] = str(defaultValue)

    combobox = dropdown
    multiselect = dropdown

    def get(self, name: str) -> str:
        if name in self._given:
            return str(self._given[name])
        if name in self._declared:
            return self._declared[name]
        raise InputWidgetNotDefined(f"No input widget named {name} is defined")

    def getArgument(self, name: str, defaultValue: str = "") -> str:  # noqa: N802, N803 - the service's name
        return self.get(name) if name in self._given or name in self._declared else defaultValue

    def getAll(self) -> dict[str, str]:  # noqa: N802 - the service's name
        return {**self._declared, **{name: str(value) for name, value in self._given.items()}}

    def remove(self, name: str) -> None:
        self._declared.pop(name, None)

    def removeAll(self) -> None:  # noqa: N802 - the service's name
        self._declared.clear()


class Secrets:
    """Secret scopes. Every value handed out is from then on replaced by ``[REDACTED]`` in output and results."""

    def __init__(self, scopes: dict[str, dict[str, str]], hide: Callable[[str], None]) -> None:
        self._scopes = scopes
        self._hide = hide

    def get(self, scope: str, key: str) -> str:
        if key not in self._scopes.get(scope, {}):
            raise ValueError(f"Secret does not exist with scope: {scope} and key: {key}")
        value = self._scopes[scope][key]
        self._hide(value)
        return value

    def getBytes(self, scope: str, key: str) -> bytes:  # noqa: N802 - the service's name
        return self.get(scope, key).encode()

    def list(self, scope: str) -> "list[dict[str, str]]":
        if scope not in self._scopes:
            raise ValueError(f"Secret scope does not exist: {scope}")
        return [{"key": key} for key in self._scopes[scope]]

    def listScopes(self) -> "list[dict[str, str]]":  # noqa: N802 - the service's name
        return [{"name": scope} for scope in self._scopes]


class NotebookUtils:
    """``dbutils.notebook``: leave with a value, or run another notebook as a function."""

    def __init__(self, notebook: Notebook, host: Host) -> None:
        self._notebook = notebook
        self._host = host

    def exit(self, value: Any = "") -> None:
        raise NotebookExit(str(value))

    def run(self, path: str, timeout_seconds: int = 0, arguments: dict[str, str] | None = None) -> str:  # noqa: ARG002 - the task's own timeout holds
        other = sibling(self._notebook.file, path)
        return Notebook(other, dict(arguments or {}), self._host).run()


class DBUtils:
    """What a notebook knows as ``dbutils``."""

    def __init__(self, notebook: Notebook, host: Host, secrets: Secrets) -> None:
        self.widgets = Widgets(notebook.parameters)
        self.notebook = NotebookUtils(notebook, host)
        self.secrets = secrets
        self.fs = FileSystem(host)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"dbutils.{name} is not in the sandbox; it has fs, notebook, secrets and widgets")
