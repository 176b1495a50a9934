"""ministack serves what the pipeline uses and nothing else: nothing that runs code, not even from an older state."""

import httpx
import pytest

from sandbox.run.settings import Settings
from sandbox.servers import ministack
from tests.support.groups import TEST_HOME
from tests.support.signed import call

REFUSED = ("lambda", "ecs", "ec2", "codebuild", "cloudformation", "states", "iam", "ssm", "glue", "eks")


@pytest.fixture(scope="module")
def settings(stand_ins):
    stand_ins("ministack")
    return Settings.load(TEST_HOME)


def test_the_services_are_the_four_that_the_pipeline_uses(settings):
    served = httpx.get(f"{settings.url('ministack')}/_ministack/health").json()["services"]

    assert sorted(served) == ["apigateway", "monitoring", "s3", "secretsmanager"]


@pytest.mark.parametrize("service", REFUSED)
def test_another_service_is_refused_even_to_the_owner_of_the_keys(settings, service):
    answer = call(settings.aws_environment, service, "POST", settings.url("ministack"), b"{}")

    assert (answer.status_code, answer.json()) == (400, {"error": f"Unsupported service: {service}"})


def test_functions_of_an_older_state_are_deleted_before_a_start_and_used_services_keep_theirs(tmp_path):
    for name in ("lambda", "ecs", "s3", "secretsmanager", "apigateway_v1", "cloudwatch"):
        (tmp_path / f"{name}.json").write_text("{}")

    ministack.remove_foreign_state(tmp_path)

    assert {file.stem for file in tmp_path.iterdir()} == {"s3", "secretsmanager", "apigateway_v1", "cloudwatch"}
