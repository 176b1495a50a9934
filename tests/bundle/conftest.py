"""Each version's bundle, built and installed as MWAA does it, and what Airflow says of it from the inside."""

import ast
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.bundle import build
from deploy.environment import install, unpack
from deploy.requirements import Source
from deploy.versions import version

LOADER = Path(__file__).with_name("load_as_mwaa.py")
AIRFLOWS = ("3.3.1", "3.0.6")
OWN = {*sys.stdlib_module_names, "pinterest_pipeline"}


@dataclass(frozen=True)
class Loaded:
    """A bundle in an empty environment, and the answers of ``load_as_mwaa.py``."""

    bundle: Path
    plugins: Path
    python: Path
    says: dict[str, Any]


def load(airflow: str, scratch: Path) -> Loaded:
    bundle, home = scratch / "mwaa", scratch / "airflow"
    build(version(airflow), bundle, Source.VENDORED)
    unpack(bundle / "plugins.zip", home / "plugins")
    shutil.copytree(bundle / "dags", home / "dags")
    python = install(version(airflow), bundle / "requirements.txt", home / "plugins")
    environment = {  # nothing else: no PYTHONPATH, which MWAA protects, and nothing of this machine's AWS settings
        "PATH": os.defpath,
        "HOME": str(scratch),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////nowhere/airflow.db",
    }
    (home / "imports.json").write_text(json.dumps(foreign_imports(home / "dags", home / "plugins")))
    done = subprocess.run(
        [python, "-P", "-W", "ignore", LOADER], cwd=scratch, env=environment,
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"MWAA {airflow} could not load the bundle:\n{done.stderr[-3000:]}"
    return Loaded(bundle, home / "plugins", python, json.loads(done.stdout.splitlines()[-1]))


def foreign_imports(*folders: Path) -> list[str]:
    """Name every module that the code imports, anywhere in it, and that is neither Python's nor its own."""
    trees = [ast.parse(file.read_text()) for folder in folders for file in folder.rglob("*.py")]
    statements = [node for tree in trees for node in ast.walk(tree)]
    names = {node.module for node in statements if isinstance(node, ast.ImportFrom) and node.module}
    names |= {alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names}
    return sorted(name for name in names if name.split(".")[0] not in OWN)


@pytest.fixture(scope="session")
def loading(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[Loaded]]:
    """Both at once: each is one process, and the machines of the tests have two cores."""
    pool = ThreadPoolExecutor(len(AIRFLOWS))
    started = {name: pool.submit(load, name, tmp_path_factory.mktemp(f"mwaa-{name}")) for name in AIRFLOWS}
    pool.shutdown(wait=False)
    return started


@pytest.fixture(scope="session", params=AIRFLOWS)
def airflow(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def loaded(loading: dict[str, Future[Loaded]], airflow: str) -> Loaded:
    return loading[airflow].result(timeout=600)
