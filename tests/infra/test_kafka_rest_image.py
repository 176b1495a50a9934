"""The files of the proxy's image, which cannot be built here: the Dockerfile is parsed, the start script is run."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from infra.aws.network import PROXY_PORT
from tests.conftest import PROJECT

FOLDER = PROJECT / "infra" / "kafka-rest"
CLUSTER = "arn:aws:kafka:us-east-1:000000000000:cluster/pinterest/uuid"
BROKERS = "b-1.example.com:9098,b-2.example.com:9098"


@pytest.fixture
def start(tmp_path: Path):
    """Run the start script with an ``aws`` that says, call by call, what is given; ``env`` stands for the proxy."""

    def run(*answers: str, **environment: str) -> subprocess.CompletedProcess[str]:
        for number, answer in enumerate(answers, 1):
            (tmp_path / f"answer{number}").write_text(answer)
        fake = tmp_path / "aws"
        fake.write_text(
            '#!/bin/sh\ncd "$(dirname "$0")"\necho "$@" >>calls\n'
            'answer="answer$(wc -l <calls)"\n[ -s "$answer" ] || exit 255\ncat "$answer"\n'
        )
        fake.chmod(0o755)
        variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PAUSE_SECONDS": "0", "ATTEMPTS": "3", **environment}
        return subprocess.run(
            [str(FOLDER / "start.sh"), "env"], env=variables, capture_output=True, text=True, check=False, timeout=20
        )

    return run


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (FOLDER / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def test_the_proxy_is_started_with_the_brokers_and_iam(start, tmp_path: Path) -> None:
    done = start(BROKERS, CLUSTER_ARN=CLUSTER)

    given = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert done.returncode == 0
    assert given["KAFKA_REST_BOOTSTRAP_SERVERS"] == BROKERS
    assert given["KAFKA_REST_CLIENT_SASL_MECHANISM"] == "AWS_MSK_IAM"
    assert given["KAFKA_REST_CLIENT_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert given["KAFKA_REST_LISTENERS"].endswith(f":{PROXY_PORT}")
    assert f"get-bootstrap-brokers --cluster-arn {CLUSTER}" in (tmp_path / "calls").read_text()


def test_the_settings_are_those_of_the_deploy_page(start) -> None:
    page = (PROJECT / "docs" / "deploy.md").read_text()
    done = start(BROKERS, CLUSTER_ARN=CLUSTER)

    settings = re.findall(r"^KAFKA_REST_CLIENT_(\w+)=(.*)$", done.stdout, re.MULTILINE)

    assert len(settings) == 4
    for name, value in settings:
        assert f"`{name.lower().replace('_', '.')}={value}`" in page


def test_an_answer_that_is_late_is_waited_for(start) -> None:
    done = start("", "", BROKERS, CLUSTER_ARN=CLUSTER)

    assert done.returncode == 0
    assert f"KAFKA_REST_BOOTSTRAP_SERVERS={BROKERS}" in done.stdout


@pytest.mark.parametrize(
    ("answers", "environment", "code", "line"),
    [
        ([], {}, 64, "CLUSTER_ARN is not set"),
        (["None"], {"CLUSTER_ARN": CLUSTER}, 78, "enable SASL/IAM on the cluster"),
        (["", "", ""], {"CLUSTER_ARN": CLUSTER}, 75, "in 3 attempts: check the task's role and route"),
    ],
    ids=["no cluster", "no IAM", "no answer"],
)
def test_what_cannot_be_started_is_said_in_one_line(start, answers, environment, code, line) -> None:
    done = start(*answers, **environment)

    assert done.returncode == code
    (said,) = done.stderr.splitlines()
    assert line in said


def test_every_image_is_pinned_and_every_copied_file_is_there() -> None:
    stages = set()
    for name, argument in instructions():
        if name == "FROM":
            image, _, stage = argument.partition(" AS ")
            assert re.search(r":\d+\.\d+\.\d+", image), f"{image} is not pinned"
            stages.add(stage)
        if name == "COPY":
            source = argument.split()[-2]
            stage = re.search(r"--from=(\w+)", argument)
            assert stage[1] in stages if stage else (FOLDER / source).is_file()


def test_the_library_of_msk_is_checked_by_its_sum_and_on_the_class_path() -> None:
    text = (FOLDER / "Dockerfile").read_text()
    (artifact,) = re.findall(r"software\.amazon\.msk:aws-msk-iam-auth:([\d.]+):jar:all", text)
    jar = f"aws-msk-iam-auth-{artifact}-all.jar"

    assert re.search(rf'echo "[0-9a-f]{{64}}  /jars/{jar}"', text)
    assert f"CLASSPATH=/opt/msk/{jar}" in text
    assert f"/jars/{jar} /opt/msk/" in text


def test_the_port_is_the_one_that_the_load_balancer_sends_to() -> None:
    assert ("EXPOSE", str(PROXY_PORT)) in instructions()


def test_the_script_is_what_the_image_starts() -> None:
    found = dict(instructions())

    assert found["ENTRYPOINT"] == '["/opt/msk/start.sh"]'
    assert os.access(FOLDER / "start.sh", os.X_OK)
