"""How the pins are renewed: all of them, and the Airflow of MWAA's newest image."""

import re

import pytest

from sandbox.run.setup import environments, jars, lock
from sandbox.run.setup.commands import SetupError
from tests.conftest import PROJECT

REQUIREMENTS = PROJECT / "requirements"


def test_every_declaration_is_compiled_and_those_that_others_are_bound_to_come_first():
    assert set(lock.ORDER) == {file.stem for file in REQUIREMENTS.glob("*.in")}
    for number, name in enumerate(lock.ORDER):
        bound_to = re.findall(r"^-[cr] (\S+)\.txt", (REQUIREMENTS / f"{name}.in").read_text(), re.MULTILINE)
        assert {file for file in bound_to if "/" not in file} <= set(lock.ORDER[:number])


@pytest.mark.parametrize("name", lock.ORDER)
def test_each_file_of_pins_says_how_it_was_compiled_and_has_a_hash_for_each(name):
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    options = " ".join(option for option in lock.COMPILE if option != "--quiet")

    assert f"#    uv {options} -o requirements/{name}.txt requirements/{name}.in\n" in text
    assert not re.search(r"https?://|index-url", text.replace("--no-emit-index-url", ""))
    assert len(re.findall(r"^\S+==\S+.*\\\n    --hash=", text, re.MULTILINE)) == text.count("==") - text.count(" ==")


@pytest.mark.parametrize("group", jars.GROUPS)
def test_each_jar_that_a_group_declares_is_locked_at_its_version(group):
    declared = re.findall(
        r'<dependency org="(\S+)" name="(\S+)" rev="(\S+)"', (jars.DECLARED / f"{group}.ivy.xml").read_text()
    )

    assert set(declared) <= {(jar.organisation, jar.name, jar.version) for jar in jars.locked(group)}


@pytest.fixture
def images(tmp_path):
    """Return the images of MWAA as their public repository has them."""
    for version, provider in (("2.11.2", "8.0.0"), ("3.3.1", "9.34.0"), ("3.10.0", "10.1.0")):
        etc = tmp_path / version / "etc"
        etc.mkdir(parents=True)
        pins = f"#\n# copied from …\n\nboto3==2.0\napache-airflow-providers-amazon=={provider}\n"
        (etc / "airflow_constraints.txt").write_text(pins)
    (tmp_path / "README").touch()
    return tmp_path


def test_the_newest_airflow_is_the_highest_number(images, tmp_path):
    assert lock.newest_version(images) == "3.10.0"
    with pytest.raises(SetupError, match="has no folder of an Airflow version with etc/airflow_constraints"):
        lock.newest_version(tmp_path / "3.3.1")


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("apache-airflow==3.3.1\n", "apache-airflow==3.10.0\n"),
        ("constraints-3.3.1-python3.12.txt", "constraints-3.10.0-python3.12.txt"),
        ("It is Airflow 3.3.1: api-server", "It is Airflow 3.10.0: api-server"),
        ("on Airflow 3.3.1.", "on Airflow 3.10.0."),
        ("==3.3.10 13.3.1 3.3.1.2 1.3.3.1", "==3.3.10 13.3.1 3.3.1.2 1.3.3.1"),
    ],
)
def test_the_version_moves_where_it_stands_by_itself(text, moved):
    assert lock.with_airflow(text, "3.3.1", "3.10.0") == moved


def test_providers_and_boto3_take_the_versions_of_the_constraints():
    text = "apache-airflow==3\napache-airflow-providers-amazon[aiobotocore]==9.34.0\nboto3==1\nboto3\npytest==9\n"

    pinned = lock.with_pins(text, {"apache-airflow-providers-amazon": "10.1.0", "boto3": "2.0", "pytest": "8"})

    assert (
        pinned
        == "apache-airflow==3\napache-airflow-providers-amazon[aiobotocore]==10.1.0\nboto3==2.0\nboto3\npytest==9\n"
    )


def test_the_project_moves_to_the_newest_airflow_and_its_history_stays(images, tmp_path, monkeypatch):
    project = tmp_path / "project"
    for name, text in {
        "requirements/airflow.in": "-c ../constraints/constraints-3.3.1-python3.12.txt\napache-airflow==3.3.1\n",
        "deploy/versions.py": 'DEFAULT_AIRFLOW = "3.3.1"\n',
        "CHANGELOG.md": "- Airflow 3.3.1\n",
        "constraints/constraints-3.3.1-python3.12.txt": "x==3.3.1\n",
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    monkeypatch.setattr(lock, "PROJECT", project)
    monkeypatch.setattr(environments, "REQUIREMENTS", project / "requirements")
    for command in (["init", "-q"], ["add", "."]):
        lock.subprocess.run(["git", *command], cwd=project, check=True)

    lock.move_airflow(images)

    assert (
        (project / "requirements" / "airflow.in")
        .read_text()
        .endswith("3.10.0-python3.12.txt\napache-airflow==3.10.0\n")
    )
    assert (project / "deploy" / "versions.py").read_text() == 'DEFAULT_AIRFLOW = "3.10.0"\n'
    assert (project / "CHANGELOG.md").read_text() == "- Airflow 3.3.1\n"
    (constraints,) = (project / "constraints").iterdir()
    assert constraints.name == "constraints-3.10.0-python3.12.txt"
    pins = constraints.read_text()
    assert pins.splitlines()[1:] == ["boto3==2.0", "apache-airflow-providers-amazon==10.1.0"]
