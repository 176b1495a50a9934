"""Notebooks in Databricks source format, without Spark."""

import io
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from sandbox.servers.databricks.capture import Output, Redactor
from sandbox.servers.databricks.dbutils import DBUtils, Secrets, TaskValues
from sandbox.servers.databricks.modules import FreshModules
from sandbox.servers.databricks.notebook import Cell, Notebook, Outcome, cells, run_to_outcome
from sandbox.servers.databricks.workspace import Workspace

HEADER = "# Databricks notebook source\n"
SEPARATOR = "\n# COMMAND ----------\n"
SECRETS = {"pinterest": {"warehouse_url": "postgresql://u:hunter2@h/db"}}


class FakeSpark:
    def sql(self, text: str) -> str:
        return f"rows of {text}"


class FakeHost:
    def __init__(self) -> None:
        self.redact = Redactor()
        self.sessions = 0
        self.shown: list[Any] = []

    def spark_names(self) -> dict[str, Any]:
        self.sessions += 1
        return {"spark": FakeSpark(), "sc": object()}

    def dbutils(self, notebook: Notebook) -> DBUtils:
        return DBUtils(notebook, self, Secrets(SECRETS, self.redact.hide), TaskValues({"before": {"rows": 7}}))

    def display(self, value: Any) -> None:
        self.shown.append(value)


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def run(tmp_path: Path, host: FakeHost, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a notebook changes the folder; this puts it back

    def run_cells(*sources: str, **parameters: str) -> Outcome:
        file = tmp_path / "it.py"
        file.write_text(HEADER + SEPARATOR.join(sources))
        return run_to_outcome(Notebook(file, parameters, host), host.redact)

    return run_cells


def test_cells_are_split_with_their_kinds_and_first_lines():
    text = HEADER + SEPARATOR.join(
        ["x = 1", "# MAGIC %md\n# MAGIC # Title", "# DBTITLE 1,Count\n# MAGIC %sql\n# MAGIC SELECT 1", "# only words"]
    )

    assert cells(text) == [
        Cell("python", 1, HEADER + "x = 1"),
        Cell("md", 4, "# Title"),
        Cell("sql", 7, "SELECT 1"),
    ]


def test_the_exit_value_is_the_result_and_ends_the_notebook(run, tmp_path: Path):
    outcome = run("dbutils.notebook.exit('done')", "open('never', 'w')")

    assert outcome == Outcome(result="done")
    assert not (tmp_path / "never").exists()


def test_exit_passes_through_a_notebooks_own_except_exception(run):
    assert run("try:\n    dbutils.notebook.exit('out')\nexcept Exception:\n    pass\nraise ValueError").result == "out"


def test_a_notebook_without_exit_has_an_empty_result(run):
    assert run("x = 1") == Outcome(result="")


def test_a_failure_shows_the_files_own_lines_and_none_of_the_runners(run, tmp_path: Path):
    outcome = run("x = 1", "def broken():\n    return 1 / 0\n\nbroken()")

    assert outcome.error == "ZeroDivisionError: division by zero"
    assert f'File "{tmp_path}/it.py", line 5, in broken' in outcome.error_trace
    assert "return 1 / 0" in outcome.error_trace
    assert "notebook.py" not in outcome.error_trace


@pytest.mark.parametrize(
    "source", ["raise SystemExit(3)", "raise KeyboardInterrupt", "def (:"], ids=["exit", "interrupt", "syntax"]
)
def test_anything_that_a_notebook_raises_is_its_failure(run, source: str):
    assert run(source).error


def test_parameters_of_the_run_win_over_a_widgets_default(run):
    source = "dbutils.widgets.text('a', 'default')\ndbutils.widgets.dropdown('b', 'x', ['x', 'y'])\n"

    outcome = run(source + "dbutils.notebook.exit(str(sorted(dbutils.widgets.getAll().items())))", a="given", c="3")

    assert outcome.result == "[('a', 'given'), ('b', 'x'), ('c', '3')]"


def test_an_unknown_widget_is_named(run):
    assert run("dbutils.widgets.get('nope')").error.endswith("No input widget named nope is defined")


def test_a_secret_is_readable_but_struck_out_of_result_error_and_trace(run):
    read = "url = dbutils.secrets.get('pinterest', 'warehouse_url')\n"

    left = run(read + "dbutils.notebook.exit(f'{len(url)} {url}')")
    failed = run(read + "raise ValueError(url)")

    assert left.result == "27 [REDACTED]"
    assert failed.error == "ValueError: [REDACTED]"
    assert "hunter2" not in failed.error_trace


def test_a_missing_secret_is_named(run):
    assert "scope: pinterest and key: other" in run("dbutils.secrets.get('pinterest', 'other')").error


def test_spark_is_started_only_by_cells_that_use_it(run, host: FakeHost):
    run("x = 1", "def f():\n    return x")
    assert host.sessions == 0

    assert run("def f():\n    return spark.sql('a')\ndbutils.notebook.exit(f())").result == "rows of a"
    assert host.sessions == 1


def test_a_sql_cell_is_shown_and_stored_for_the_next_cell(run, host: FakeHost):
    outcome = run("# MAGIC %sql\n# MAGIC SELECT 1\n# MAGIC FROM t", "dbutils.notebook.exit(_sqldf)")

    assert outcome.result == "rows of SELECT 1\nFROM t"
    assert host.shown == ["rows of SELECT 1\nFROM t"]


def test_run_executes_another_notebook_in_the_same_namespace(run, tmp_path: Path):
    (tmp_path / "helpers.py").write_text(HEADER + "def double(x):\n    return 2 * x")

    assert run("# MAGIC %run ./helpers", "dbutils.notebook.exit(double(4))").result == "8"


def test_notebook_run_gives_the_other_notebooks_exit_value_and_keeps_the_namespaces_apart(run, tmp_path: Path):
    (tmp_path / "child.py").write_text(HEADER + "x = 5\ndbutils.notebook.exit(dbutils.widgets.get('n') + '!')")

    call = "got = dbutils.notebook.run('./child', 60, {'n': '7'})\n"

    assert run(call + "dbutils.notebook.exit(f'{got} {\"x\" in globals()}')").result == "7! False"


def test_pip_is_only_logged_and_an_unknown_magic_fails_by_name(run, capsys):
    assert run("# MAGIC %pip install requests").error is None
    assert "%pip install requests  (no effect" in capsys.readouterr().out
    assert "line 1: the sandbox does not run %scala cells" in run("# MAGIC %scala\n# MAGIC 1").error


def test_a_notebook_works_in_its_folder_and_imports_from_it(run, tmp_path: Path):
    (tmp_path / "beside_it.py").write_text("VALUE = 11")

    assert (
        run("import os, beside_it\ndbutils.notebook.exit(f'{os.getcwd()} {beside_it.VALUE}')").result
        == f"{tmp_path} 11"
    )
    assert str(tmp_path) not in sys.path


def test_changed_workspace_modules_are_imported_again(tmp_path: Path, monkeypatch):
    package = tmp_path / "fresh_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("VALUE = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    modules = FreshModules([tmp_path])
    from fresh_package import part

    assert modules.refresh() == []
    (package / "part.py").write_text("VALUE = 2")
    os.utime(package / "part.py", ns=(0, 0))
    assert sorted(modules.refresh()) == ["fresh_package", "fresh_package.part"]
    from fresh_package import part as again

    assert (part.VALUE, again.VALUE) == (1, 2)


def test_output_of_two_threads_goes_to_two_logs_and_a_strangers_to_the_drivers():
    driver_log, mine, other = io.StringIO(), io.StringIO(), io.StringIO()
    logs = {threading.get_ident(): mine, -1: other}
    redact = Redactor()
    redact.hide("hunter2")
    output = Output(driver_log, logs, redact)

    output.write("my hunter2")
    stranger = threading.Thread(target=output.write, args=("from a pool",))
    stranger.start()
    stranger.join()

    assert (mine.getvalue(), other.getvalue(), driver_log.getvalue()) == ("my [REDACTED]", "", "from a pool")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("/Workspace/Shared/p/notebooks/it", True, id="without-suffix"),
        pytest.param("/Workspace/Shared/p/notebooks/it.py", True, id="with-suffix"),
        pytest.param("/Shared/p/notebooks/it", True, id="older-spelling"),
        pytest.param("/Workspace/Shared/p/notebooks/plain", False, id="no-header"),
        pytest.param("/Workspace/Shared/p/notebooks", False, id="folder"),
        pytest.param("/Workspace/Shared/p/../../outside", False, id="outside"),
        pytest.param("/Workspace/Shared/pp/it", False, id="other-root"),
    ],
)
def test_workspace_paths(tmp_path: Path, path: str, found: bool):
    folder = tmp_path / "root" / "notebooks"
    folder.mkdir(parents=True)
    (folder / "it.py").write_text(HEADER)
    (folder / "plain.py").write_text("x = 1\n")
    (tmp_path / "outside.py").write_text(HEADER)
    workspace = Workspace({"/Workspace/Shared/p": tmp_path / "root"})

    assert workspace.notebook(path) == (folder / "it.py" if found else None)
