"""The committed templates of lake and roles, created in a stand-in that enforces policies, and used in each role."""

import json
import os
import subprocess
import sys
from contextlib import closing
from socket import socket
from types import SimpleNamespace
from urllib.error import URLError
from urllib.request import urlopen

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.aws.policies import ROLES
from tests.conftest import PROJECT
from tests.infra.denied import ACCOUNT, DENIED
from tests.support.waiting import wait_until

TEMPLATES = PROJECT / "infra" / "aws" / "templates"
BUCKET = f"pinterest-lake-{ACCOUNT}-us-east-1"
SERVICES = "iam,sts,s3,cloudformation,secretsmanager"
SECRET, OTHER_SECRET = "airflow/connections/pinterest_source", "payments"


def free_port():
    with closing(socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """An account of its own with the stacks ``lake`` and ``access``, and a function that returns clients of a role."""
    home, port = str(tmp_path_factory.mktemp("account")), free_port()
    environment = {
        **os.environ, "AUTH": "true", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": SERVICES,
        "MINISTACK_REGION": "us-east-1", "STATE_DIR": home, "S3_DATA_DIR": f"{home}/s3", "TMPDIR": home, "HOME": home,
        "XDG_RUNTIME_DIR": home, "LOG_LEVEL": "WARNING", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0",
    }  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([sys.executable, "-m", "ministack"], cwd=home, env=environment)

    def client(service, **credentials):
        root = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "root"}
        return boto3.client(service, endpoint_url=url, region_name="us-east-1", **(root | credentials))

    def of_role(service, role):
        arn = f"arn:aws:iam::{ACCOUNT}:role/pinterest-{role}"
        given = client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        return client(
            service,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    try:
        wait_until(lambda: answers(f"{url}/_ministack/health"), seconds=90)
        for stack in ("lake", "access"):
            create(client("cloudformation"), stack)
        for role in ROLES:  # a service assumes it; here the account's root does
            trust = {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            }
            document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
            client("iam").update_assume_role_policy(RoleName=f"pinterest-{role}", PolicyDocument=document)
        for name in (SECRET, OTHER_SECRET):
            client("secretsmanager").create_secret(Name=name, SecretString="{}")
        yield SimpleNamespace(client=client, of_role=of_role)
    finally:
        server.terminate()
        server.wait(timeout=30)


def answers(url):
    try:
        with urlopen(url, timeout=2):  # noqa: S310 - our own loopback address
            return True
    except (URLError, OSError):
        return False


def create(cloudformation, stack):
    cloudformation.create_stack(
        StackName=f"pinterest-{stack}",
        TemplateBody=(TEMPLATES / f"{stack}.json").read_text(),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )

    def status():
        return cloudformation.describe_stacks(StackName=f"pinterest-{stack}")["Stacks"][0]["StackStatus"]

    wait_until(lambda: status() == "CREATE_COMPLETE", seconds=30, what=status)


def refused(call, **arguments):
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    assert raised.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}


@pytest.fixture
def without_tls(account):
    """The lake without its rule that refuses plain HTTP, which is all that the stand-in speaks."""
    s3 = account.client("s3")
    s3.delete_bucket_policy(Bucket=BUCKET)


def test_the_lake_refuses_plain_http(account):
    policy = json.loads(account.client("s3").get_bucket_policy(Bucket=BUCKET)["Policy"])

    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    refused(account.of_role("s3", "airflow").list_objects_v2, Bucket=BUCKET)


@pytest.mark.parametrize(
    ("role", "allowed", "denied"),
    [
        ("airflow", ["dead-letters/a", "progress/a", "emulation/a"], ["topics/a", "delta/a", "checkpoints/a"]),
        ("connector", ["topics/a", "topics-2/a"], ["dead-letters/a", "delta/a", "progress/a"]),
        ("databricks", ["delta/a", "checkpoints/a"], ["topics/a", "dead-letters/a", "progress/a"]),
        ("kafka-rest", [], ["topics/a", "delta/a", "dead-letters/a"]),
    ],
)
@pytest.mark.usefixtures("without_tls")
def test_each_role_writes_its_own_folders_and_no_other(account, role, allowed, denied):
    s3 = account.of_role("s3", role)

    for key in allowed:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"1")
    for key in denied:
        refused(s3.put_object, Bucket=BUCKET, Key=key, Body=b"1")
    refused(s3.delete_bucket, Bucket=BUCKET)


def test_airflow_reads_the_secrets_of_its_connections_and_no_other(account):
    secrets = account.of_role("secretsmanager", "airflow")

    assert secrets.get_secret_value(SecretId=SECRET)["SecretString"] == "{}"
    refused(secrets.get_secret_value, SecretId=OTHER_SECRET)
    refused(secrets.put_secret_value, SecretId=SECRET, SecretString="{}")


def test_every_call_of_the_denied_list_is_denied_by_the_created_policies(account):
    iam = account.client("iam")
    allowed = []
    for role, action, resource in DENIED:
        attached = iam.list_attached_role_policies(RoleName=f"pinterest-{role}")["AttachedPolicies"]
        documents = [document_of(iam, policy["PolicyArn"]) for policy in attached]
        assert len(documents) == len(ROLES[role])
        (result,) = iam.simulate_custom_policy(
            PolicyInputList=documents, ActionNames=[action], ResourceArns=[resource]
        )["EvaluationResults"]
        if result["EvalDecision"] == "allowed":
            allowed.append((role, action, resource))

    assert allowed == []


def document_of(iam, arn):
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return json.dumps(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])
