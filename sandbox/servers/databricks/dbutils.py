"""The part of ``dbutils`` that jobs use: fs, jobs, notebook, secrets, widgets. Any other raises AttributeError."""

import json
from collections.abc import Callable, Mapping
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


class TaskValues:
    """``dbutils.jobs.taskValues``: what tasks of a run tell those after them; values are JSON.

    :param given: Values of the run's other tasks, by task key.
    """

    def __init__(self, given: Mapping[str, Mapping[str, Any]]) -> None:
        self._given = given
        self.own: dict[str, Any] = {}

    def set(self, key: str, value: Any) -> None:
        self.own[key] = json.loads(json.dumps(value))

    def get(self, taskKey: str, key: str, default: Any = None, debugValue: Any = None) -> Any:  # noqa: N803, ARG002 - the service's signature
        found = self._given.get(taskKey, {}).get(key, default)
        if found is None:
            raise ValueError(f"No task value {key} of task {taskKey} was set, and no default is given")
        return found


class Jobs:
    """``dbutils.jobs``."""

    def __init__(self, task_values: TaskValues) -> None:
        self.taskValues = task_values


class DBUtils:
    """What a notebook knows as ``dbutils``."""

    def __init__(self, notebook: Notebook, host: Host, secrets: Secrets, task_values: TaskValues) -> None:
        self.widgets = Widgets(notebook.parameters)
        self.notebook = NotebookUtils(notebook, host)
        self.secrets = secrets
        self.fs = FileSystem(host)
        self.jobs = Jobs(task_values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"dbutils.{name} is not in the sandbox; it has fs, jobs, notebook, secrets and widgets")
