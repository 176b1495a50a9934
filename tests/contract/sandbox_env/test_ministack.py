"""ministack serves what the pipeline uses and nothing else: nothing that runs code, not even from an older state."""

from pathlib import Path

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.run.settings import Settings
from sandbox.servers import ministack

TEST_HOME = Path(__file__).resolve().parents[3] / ".sandbox-test"
CALLS = {
    "lambda": "list_functions", "ecs": "list_clusters", "ec2": "describe_instances", "codebuild": "list_projects",
    "cloudformation": "list_stacks", "stepfunctions": "list_state_machines", "iam": "list_users",
    "ssm": "describe_parameters", "glue": "get_databases", "eks": "list_clusters",
}  # fmt: skip


@pytest.fixture(scope="module")
def settings(stand_ins):
    stand_ins("ministack")
    return Settings.load(TEST_HOME)


def test_the_services_are_the_four_that_the_pipeline_uses(settings):
    served = httpx.get(f"{settings.url('ministack')}/_ministack/health").json()["services"]

    assert sorted(served) == ["apigateway", "monitoring", "s3", "secretsmanager"]


@pytest.mark.parametrize("service", CALLS)
def test_another_service_is_refused_even_to_the_owner_of_the_keys(settings, service):
    client = boto3.client(
        service,
        endpoint_url=settings.url("ministack"),
        region_name="us-east-1",
        aws_access_key_id=settings.secrets["aws_access_key_id"],
        aws_secret_access_key=settings.secrets["aws_secret_access_key"],
        config=Config(retries={"total_max_attempts": 1}),
    )

    with pytest.raises(ClientError) as refused:
        getattr(client, CALLS[service])()

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_functions_of_an_older_state_are_deleted_before_a_start_and_used_services_keep_theirs(tmp_path):
    for name in ("lambda", "ecs", "s3", "secretsmanager", "apigateway_v1", "cloudwatch"):
        (tmp_path / f"{name}.json").write_text("{}")

    ministack.remove_foreign_state(tmp_path)

    assert {file.stem for file in tmp_path.iterdir()} == {"s3", "secretsmanager", "apigateway_v1", "cloudwatch"}
