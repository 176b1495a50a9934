"""What `make mwaa` leaves in the folder, byte for byte."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.bundle import sha256_of
from deploy.requirements import Source, requirements_text
from deploy.versions import PACKAGES, version, versions

PROJECT = Path(__file__).resolve().parents[2]


def make(output, *options, umask="022"):
    command = 'umask "$1"; shift; exec "$@"'
    arguments = [sys.executable, "-m", "deploy", "mwaa", "--output", str(output), *options]
    return subprocess.run(
        ["/bin/sh", "-c", command, "sh", umask, *arguments],
        cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    output = tmp_path_factory.mktemp("bundle") / "mwaa"
    done = make(output)
    assert done.returncode == 0, done.stderr
    return output


def state_of(folder):
    return {
        path.relative_to(folder).as_posix(): (
            path.stat().st_mode, path.stat().st_mtime, path.read_bytes() if path.is_file() else None
        )
        for path in sorted(folder.rglob("*"))
    }  # fmt: skip


def test_two_builds_are_the_same_whatever_the_umask(bundle, tmp_path):
    make(tmp_path / "other", umask="077")

    assert state_of(tmp_path / "other") == state_of(bundle)


def test_a_second_build_replaces_the_first_and_leaves_nothing_beside_it(tmp_path):
    output = tmp_path / "mwaa"
    make(output)
    (output / "dags" / "removed.py").write_text("")

    make(output)

    assert [path.name for path in tmp_path.iterdir()] == ["mwaa"]
    assert not (output / "dags" / "removed.py").exists()


def test_the_manifest_has_the_checksum_of_every_other_file(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    files = {path.relative_to(bundle).as_posix(): path for path in bundle.rglob("*") if path.is_file()}

    assert set(manifest["files"]) == set(files) - {"manifest.json"}
    assert manifest["files"] == {name: sha256_of(files[name]) for name in manifest["files"]}
    assert (manifest["airflow"], manifest["python"]) == ("3.3.1", "3.12")


def test_the_dags_take_with_them_what_they_read_and_hide_it_from_the_dag_processor(bundle):
    packed = {path.name for path in (bundle / "dags" / "include").iterdir()}

    assert packed == {path.name for path in (PROJECT / "include").iterdir() if path.is_dir()} - {"spark"}
    assert "include/" in (bundle / "dags" / ".airflowignore").read_text().splitlines()
    assert (bundle / "dags" / "include" / "sql" / "migrations").is_dir()


def test_the_notebooks_lie_beside_their_package_as_in_the_workspace(bundle):
    assert (bundle / "databricks" / "notebooks" / "bronze.py").is_file()
    assert (bundle / "databricks" / "pinterest_spark" / "__init__.py").is_file()


def test_the_plugins_have_the_package_at_the_top_and_nothing_that_python_left(bundle):
    with zipfile.ZipFile(bundle / "plugins.zip") as archive:
        names = archive.namelist()

    plugins = PROJECT / "plugins"
    files = [path.relative_to(plugins) for path in plugins.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    written = {
        name.as_posix() for name in files if name.name == ".airflowignore" or "." not in {p[0] for p in name.parts}
    }
    assert names == sorted(names)
    assert {
        ".airflowignore",
        "pinterest_pipeline/__init__.py",
    } <= written
    assert set(names) == written | {"constraints-3.3.1-python3.12.txt"}


@pytest.mark.parametrize("airflow", sorted(versions()))
def test_each_version_has_its_own_pins(airflow):
    chosen = version(airflow)
    pins = chosen.constraints.read_text().splitlines()

    lines = [line for line in requirements_text(chosen, Source.VENDORED).splitlines() if "==" in line]

    assert len(lines) == len(PACKAGES)
    assert {line.replace("[aiobotocore]", "") for line in lines} <= set(pins)


def test_a_private_network_reads_the_constraints_from_the_plugins_and_a_public_one_may_from_their_address():
    vendored, public, wheels = (
        requirements_text(version("3.3.1"), source) for source in (Source.VENDORED, Source.PUBLIC, Source.WHEELS)
    )

    assert '--constraint "/usr/local/airflow/plugins/constraints-3.3.1-python3.12.txt"' in vendored.splitlines()
    assert "://" not in vendored + wheels
    assert "/constraints-3.3.1/constraints-3.12.txt" in public
    assert wheels.splitlines()[1:3] == ["--no-index", "--find-links /usr/local/airflow/plugins"]


def test_a_version_without_pins_is_refused_with_the_ones_there_are(tmp_path):
    done = make(tmp_path / "mwaa", "--airflow", "2.10.3")

    assert done.returncode == 1
    assert done.stderr.startswith("deploy: There are no pins for Airflow 2.10.3, only for 3.0.6, 3.3.1:")
    assert not (tmp_path / "mwaa").exists()
