"""Imports between folders run down only: an upward or sideways one fails `make lint` with the reason."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("plugins/pinterest_pipeline", "include/spark/pinterest_spark", "sandbox")
LAYERS = ".importlinter.toml"


def lint_imports(project):
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo", LAYERS]
    paths = f"{project / 'plugins'}:{project / 'include' / 'spark'}"
    return subprocess.run(
        command, cwd=project, env={"PYTHONPATH": paths}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def project(tmp_path):
    for package in PACKAGES:
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=not_python)
    shutil.copy(PROJECT / LAYERS, tmp_path)
    return tmp_path


def not_python(folder, names):
    return [name for name in names if not (name.endswith(".py") or (Path(folder) / name).is_dir())]


@pytest.mark.parametrize(
    ("module", "source", "edge", "reason"),
    [
        pytest.param(
            "plugins/pinterest_pipeline/common/bad.py",
            "import pinterest_pipeline.kinesis.plan",
            "pinterest_pipeline.common is not allowed to import pinterest_pipeline.kinesis",
            "what two systems share belongs in common",
            id="plugins-upward",
        ),
        pytest.param(
            "plugins/pinterest_pipeline/kafka_rest/bad.py",
            "def later():\n    from pinterest_pipeline.kinesis import plan",
            "pinterest_pipeline.kafka_rest is not allowed to import pinterest_pipeline.kinesis",
            "A system is read and changed in its own folder",
            id="plugins-sideways-in-a-function",
        ),
        pytest.param(
            "plugins/pinterest_pipeline/ui/bad.py",
            "import pinterest_pipeline.stream.policy",
            "pinterest_pipeline.ui is not allowed to import pinterest_pipeline.stream",
            "must not call a system of the cloud",
            id="plugins-ui-past-the-warehouse",
        ),
        pytest.param(
            "plugins/pinterest_pipeline/dag/bad.py",
            "import pinterest_pipeline.ui.warehouse",
            "pinterest_pipeline.dag is not allowed to import pinterest_pipeline.ui",
            "A system is read and changed in its own folder",
            id="plugins-nothing-imports-ui",
        ),
        pytest.param(
            "include/spark/pinterest_spark/rows/bad.py",
            "import pinterest_spark.stream.queries",
            "pinterest_spark.rows is not allowed to import pinterest_spark.stream",
            "Batch and stream clean a row by the same code",
            id="spark-upward",
        ),
        pytest.param(
            "include/spark/pinterest_spark/kinesis/bad.py",
            "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from pinterest_spark.lakehouse import tables",
            "pinterest_spark.kinesis is not allowed to import pinterest_spark.lakehouse",
            "what needs both in stream",
            id="spark-sideways-for-types",
        ),
        pytest.param(
            "sandbox/run/bad.py",
            "import sandbox.servers.kafka",
            "sandbox.run is not allowed to import sandbox.servers",
            "what needs a certain server belongs in servers or above",
            id="sandbox-upward",
        ),
        pytest.param(
            "sandbox/servers/kafka_rest/bad.py",
            "from sandbox.servers.databricks import rules",
            "sandbox.servers.kafka_rest is not allowed to import sandbox.servers.databricks",
            "A server replaces one service of the cloud",
            id="sandbox-sideways",
        ),
        pytest.param(
            "plugins/pinterest_pipeline/extra/__init__.py",
            "",
            "pinterest_pipeline.extra",
            "A system is read and changed in its own folder",
            id="a-folder-without-a-place",
        ),
    ],
)
def test_an_import_that_does_not_run_down_fails_with_the_reason(project, module, source, edge, reason):
    (project / module).parent.mkdir(exist_ok=True)
    (project / module).write_text(source + "\n")

    done = lint_imports(project)
    said = " ".join(done.stdout.split())  # the output is wrapped

    assert done.returncode == 1
    assert edge in said
    assert reason in said


def test_the_imports_of_the_project_run_down():
    done = lint_imports(PROJECT)

    assert done.returncode == 0, done.stdout + done.stderr
