"""The project as Astro takes it: what its image holds and parses, and the sandbox beside it in containers."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.bundle.astro_project import PROJECT, environment, is_ignored, lay_out

OVERRIDE = yaml.safe_load((PROJECT / "docker-compose.override.yml").read_text())
OF_ASTRO = yaml.safe_load((PROJECT / "tests" / "bundle" / "astro_compose.yml").read_text())["services"].keys()


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("usr-local-airflow"))


def in_image(image, *command):
    """Run a command as the image would: its variables, its folder, its packages, and nothing of this machine's."""
    python = environment()
    variables = {
        "PATH": f"{python.parent}{os.pathsep}{os.defpath}",
        "HOME": str(image),
        "AIRFLOW_HOME": str(image),
        "PYTHONPATH": str(image),
        "ASTRONOMER_ENVIRONMENT": "local",
    }
    return subprocess.run(
        command, cwd=image, env=variables, capture_output=True, text=True, timeout=300, check=False
    )  # fmt: skip


def test_the_image_holds_what_runs_and_nothing_else(image):
    assert {path.name for path in image.iterdir()} == {
        ".astro", "airflow_settings.example.yaml", "dags", "docs", "include", "packages.txt", "plugins",
        "requirements.txt", "tests",
    }  # fmt: skip
    assert {path.name for path in (image / "tests").iterdir()} == {"dags"}
    assert not (image / "include" / "spark").exists()
    assert (image / "plugins" / ".airflowignore").exists()
    assert not list(image.rglob("__pycache__"))


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("dags/a.py", False),
        ("dags/deep/__pycache__/a.pyc", True),
        ("include/sql/a.sql", False),
        ("include/spark/a.py", True),
        ("tests/dags/a.py", False),
        ("tests/unit/a.py", True),
        (".env", True),
    ],
)
def test_dockerignore_is_read_as_docker_reads_it(name, ignored):
    assert is_ignored(Path(name), (PROJECT / ".dockerignore").read_text().splitlines()) is ignored


def test_every_dag_parses_in_an_empty_environment_and_one_that_does_not_is_named(image):
    broken = image / "dags" / "broken.py"
    broken.write_text("from airflow.sdk import DAG\nimport nowhere_to_be_found\n")
    try:  # `astro dev parse`
        parsed = in_image(image, "pytest", "-q", "-p", "no:cacheprovider", ".astro/test_dag_integrity_default.py")
    finally:
        broken.unlink()

    said = f"{parsed.stdout[-3000:]}\n{parsed.stderr[-2000:]}"
    assert f"1 failed, {len(list((PROJECT / 'dags').glob('*.py'))) + 1} passed" in parsed.stdout, said
    assert "FAILED .astro/test_dag_integrity_default.py::test_a_dag_file_parses[broken.py]" in parsed.stdout, said
    assert "nowhere_to_be_found" in parsed.stdout, said


def test_the_policy_of_the_dags_holds_in_the_image(image):
    tested = in_image(image, "pytest", "-q", "-p", "no:cacheprovider", "tests/dags")  # `astro dev pytest tests/dags`

    assert tested.returncode == 0, f"{tested.stdout[-3000:]}\n{tested.stderr[-2000:]}"


def test_the_dockerfile_is_one_pinned_runtime_for_our_airflow_and_python():
    lines = [line for line in (PROJECT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    airflow = re.search(r"^apache-airflow==(\d+\.\d+)", (PROJECT / "requirements.txt").read_text(), re.MULTILINE)[1]

    (line,) = lines
    assert re.fullmatch(rf"FROM \S+/runtime:{re.escape(airflow)}-\d+-python-3\.12", line)
    assert (PROJECT / "packages.txt").read_text() == ""


def test_the_bridges_share_the_networks_of_what_talks_to_the_sandbox():
    services = OVERRIDE["services"]
    shared = {services[name]["network_mode"].removeprefix("service:") for name in services if name != "sandbox"}

    assert shared == {"scheduler", "triggerer", "api-server"}
    assert shared < OF_ASTRO
    assert not OF_ASTRO & services.keys()
    assert not any("ports" in service for service in services.values())
    assert {service["image"] for service in services.values()} == {services["sandbox"]["image"]}
    assert all(service["command"][:3] == ["python", "-m", "sandbox.run.bridge"] for service in services.values())
    assert (PROJECT / services["sandbox"]["build"]["dockerfile"]).is_file()
    assert services["sandbox"]["networks"] == ["airflow"]
