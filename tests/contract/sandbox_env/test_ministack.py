"""ministack serves what the pipeline uses and nothing that runs code, and a killed one comes back with all it had."""

import os
import signal
import uuid

import httpx
import pytest

from sandbox.run.settings import BUCKET, Settings
from sandbox.run.supervision import Supervision
from sandbox.servers import ministack
from sandbox.servers.ministack import api_gateway, client
from tests.support.groups import TEST_HOME
from tests.support.signed import call
from tests.support.waiting import wait_until

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


def test_a_killed_one_comes_back_with_its_apis_secrets_buckets_and_objects(settings):
    api_gateway.provision(settings)
    s3, secrets, gateway = (client(settings, name) for name in ("s3", "secretsmanager", "apigateway"))
    key = f"kill/{uuid.uuid4().hex}"  # its versions stay from one run of the tests to the next
    for text in (b"first", b"second"):
        s3.put_object(Bucket=ministack.DEPLOY_BUCKET, Key=key, Body=text)
    s3.put_object(Bucket=BUCKET, Key="kill/doomed", Body=b"x")
    s3.delete_object(Bucket=BUCKET, Key="kill/doomed")
    secrets.put_secret_value(SecretId=ministack.WAREHOUSE_URL_NAME, SecretString="changed")
    before = known(s3, secrets, gateway, key)
    old = pid()

    os.kill(old, signal.SIGKILL)
    wait_until(lambda: pid() != old, 60, "supervisord starts ministack again")
    Supervision(settings).wait_ready(ministack.server(settings))

    assert known(s3, secrets, gateway, key) == before
    assert before["apis"] == [api_gateway.API_ID]
    assert before["secret"] == "changed"
    assert before["versioning"] == "Enabled"
    assert [body for _, body in before["versions"]] == [b"second", b"first"]
    api_key = {"x-api-key": settings.secrets["kafka_rest_api_key"]}
    allowed = api_gateway.invoke_url(settings).replace(settings.url("api_gateway"), settings.url("ministack"))
    assert [httpx.get(f"{allowed}/topics", headers=sent).status_code for sent in (api_key, {})] == [200, 403]
    ministack.create_resources(settings)  # the secret's own value, for the tests that follow


def pid():
    return int((TEST_HOME / "pids" / "ministack.pid").read_text())


def known(s3, secrets, gateway, key):
    versions = s3.list_object_versions(Bucket=ministack.DEPLOY_BUCKET, Prefix=key)["Versions"]
    bodies = [
        s3.get_object(Bucket=ministack.DEPLOY_BUCKET, Key=one["Key"], VersionId=one["VersionId"])["Body"].read()
        for one in versions
    ]
    return {
        "apis": [api["id"] for api in gateway.get_rest_apis()["items"]],
        "plans": [plan["apiStages"] for plan in gateway.get_usage_plans()["items"]],
        "secret": secrets.get_secret_value(SecretId=ministack.WAREHOUSE_URL_NAME)["SecretString"],
        "buckets": [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]],
        "versioning": s3.get_bucket_versioning(Bucket=ministack.DEPLOY_BUCKET)["Status"],
        "versions": [(one["VersionId"], body) for one, body in zip(versions, bodies, strict=True)],
        "lake": [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="kill/").get("Contents", ())],
    }


def test_an_older_sandbox_gets_the_api_id_that_stays(settings):
    gateway = client(settings, "apigateway")
    api_gateway.provision(settings)
    gateway.delete_rest_api(restApiId=api_gateway.API_ID)
    for plan in gateway.get_usage_plans()["items"]:
        gateway.delete_usage_plan(usagePlanId=plan["id"])
    older = gateway.create_rest_api(name=api_gateway.NAME)["id"]
    gateway.create_usage_plan(name=api_gateway.NAME, apiStages=[])

    api_gateway.provision(settings)

    assert [api["id"] for api in gateway.get_rest_apis()["items"]] == [api_gateway.API_ID] != [older]
    assert [plan["apiStages"] for plan in gateway.get_usage_plans()["items"]] == [
        [{"apiId": api_gateway.API_ID, "stage": api_gateway.STAGE}]
    ]
