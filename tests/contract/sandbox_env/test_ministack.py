"""ministack serves what the pipeline uses and nothing else: nothing that runs code, not even from an older state."""

import json
from pathlib import Path

import httpx
import pytest

from sandbox.run.settings import Settings
from sandbox.servers import ministack

TEST_HOME = Path(__file__).resolve().parents[3] / ".sandbox-test"
REFUSED = ("lambda", "ecs", "ec2", "codebuild", "cloudformation", "states", "iam", "ssm", "glue", "eks")


@pytest.fixture(scope="module")
def url(stand_ins):
    stand_ins("ministack")
    return Settings.load(TEST_HOME).url("ministack")


def test_the_services_are_the_four_that_the_pipeline_uses(url):
    served = httpx.get(f"{url}/_ministack/health").json()["services"]

    assert sorted(served) == ["apigateway", "monitoring", "s3", "secretsmanager"]


@pytest.mark.parametrize("service", REFUSED)
def test_another_service_is_refused(url, service):
    answer = httpx.post(url, headers=signed_for(service), content="{}")

    assert (answer.status_code, answer.json()) == (400, {"error": f"Unsupported service: {service}"})


def test_a_page_of_another_origin_cannot_create_a_function(url):
    function = {"FunctionName": "f", "Runtime": "python3.12", "Handler": "f.f", "Role": "r", "Code": {"ZipFile": ""}}
    headers = {"Origin": "http://page.example", "Content-Type": "text/plain", **signed_for("lambda")}

    created = httpx.post(f"{url}/2015-03-31/functions", headers=headers, content=json.dumps(function))

    assert created.status_code == 400
    assert "Unsupported service" in created.text


def test_functions_of_an_older_state_are_deleted_before_a_start_and_used_services_keep_theirs(tmp_path):
    for name in ("lambda", "ecs", "s3", "secretsmanager", "apigateway_v1", "cloudwatch"):
        (tmp_path / f"{name}.json").write_text("{}")

    ministack.remove_foreign_state(tmp_path)

    assert {file.stem for file in tmp_path.iterdir()} == {"s3", "secretsmanager", "apigateway_v1", "cloudwatch"}


def signed_for(service):
    """The part of a signature by which ministack tells which service a request is for."""
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/{service}/aws4_request"}
