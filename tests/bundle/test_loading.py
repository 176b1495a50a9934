"""The bundle works where MWAA installs it: exactly its requirements, and no path but plugins and config."""

import re
import subprocess
from pathlib import Path

import pytest

from deploy.versions import PACKAGES, PREINSTALLED, version

PROJECT = Path(__file__).resolve().parents[2]


def name_of(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


def test_the_environment_is_the_one_asked_for(loaded, airflow):
    assert loaded.says["airflow"] == airflow
    assert loaded.says["python"] == version(airflow).python


def test_only_plugins_and_config_are_added_to_the_path(loaded):
    home = loaded.plugins.parent

    assert set(loaded.says["path"]) == {str(home / "config"), str(home / "plugins")}


def test_every_dag_is_parsed_without_an_error(loaded):
    files = {file.name for file in (PROJECT / "dags").glob("*.py")}

    assert loaded.says["import_errors"] == {}
    assert files
    assert {(dag_id, name) for dag_id, name in loaded.says["dags"].items()} == {(Path(n).stem, n) for n in files}


def test_every_trigger_is_found_by_the_triggerer(loaded):
    package = PROJECT / "plugins" / "pinterest_pipeline"
    written = {
        f"pinterest_pipeline.{file.parent.name}.{file.stem}.{name}"
        for file in package.glob("*/*.py")
        for name in re.findall(r"^class (\w+Trigger)\b", file.read_text(), re.MULTILINE)
    }

    assert len(written) >= 5
    assert written <= set(loaded.says["triggers"])


def test_the_plugin_is_loaded_and_nothing_else_is_run_as_one(loaded):
    assert "pinterest_pipeline" in loaded.says["plugins"]
    assert loaded.says["plugin_errors"] == {}


def test_every_module_of_the_package_can_be_imported(loaded):
    assert loaded.says["module_errors"] == {}


def test_no_module_of_the_standard_library_is_replaced(loaded):
    assert loaded.says["replaced"] == []


def test_every_import_is_answered_by_a_requirement_or_by_what_one_declares(loaded):
    """What only happens to be installed goes away with the next version of the package that brought it."""
    direct = {name_of(package) for package in (*PACKAGES, *PREINSTALLED)} | {"apache-airflow-core"}
    declared = {name_of(line) for owner in direct for line in loaded.says["requires"].get(owner, [])}
    unanswered = {
        name: owners
        for name, owners in loaded.says["used"].items()
        if not {name_of(owner) for owner in owners} & (direct | declared)
    }

    assert loaded.says["missing"] == [], "not in the environment: add the package to deploy/versions.py"
    assert unanswered == {}, "no package's declared dependency: add the package to deploy/versions.py"


def test_no_requirement_is_there_for_nothing(loaded):
    listed = {name_of(line) for line in (loaded.bundle / "requirements.txt").read_text().splitlines() if "==" in line}
    used = {name_of(owner) for owners in loaded.says["used"].values() for owner in owners}

    assert listed == {name_of(package) for package in PACKAGES}
    assert listed - used == set(), "no DAG and no plugin imports it: take it out of deploy/versions.py"


@pytest.mark.parametrize("wrong", [False, True], ids=["as-built", "another-version"])
def test_the_startup_script_says_whether_the_environment_is_the_right_one(loaded, airflow, wrong, tmp_path):
    script = tmp_path / "startup.sh"
    text = (loaded.bundle / "startup.sh").read_text()
    script.write_text(text.replace(f'wanted="{airflow}"', 'wanted="3.9.9"') if wrong else text)

    done = subprocess.run(
        ["/bin/sh", script], env={"PATH": str(loaded.python.parent)}, capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip

    assert ("and so is this environment" in done.stdout) is not wrong
    assert (f"make mwaa AIRFLOW={airflow}" in done.stdout) is wrong
