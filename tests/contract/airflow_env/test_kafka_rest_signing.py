"""Signed requests (SigV4), and a verifier that we did not write: ministack, which checks signatures with AUTH=true."""

import json
import os
import socket
import subprocess

import boto3
import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.records import Record
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from tests.conftest import SANDBOX_PYTHON
from tests.support.waiting import wait_until

ROOT = {"aws_access_key_id": "root-of-a-test", "aws_secret_access_key": "secret-of-root"}  # is never verified
POLICY = {"Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}]}
REGION = "eu-west-1"
ANSWERS = {
    "GET": ["pinterest.pin"],
    "POST": {
        "offsets": [{"partition": 0, "offset": 7, "error_code": None, "error": None}],
        "key_schema_id": None,
        "value_schema_id": None,
    },
}


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def signed_api(tmp_path_factory):
    """Yield the URL of an API with IAM authorization, which answers as a Kafka REST proxy, and a user's access key."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("ministack")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "AUTH": "true",
        **{name.upper(): value for name, value in ROOT.items()},
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SERVICES": "apigateway,iam,sts",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    with subprocess.Popen([str(SANDBOX_PYTHON), "-m", "ministack"], cwd=folder, env=environment) as process:
        try:
            wait_until(lambda: is_open(port), 60, "ministack listens")
            yield create_api(f"http://127.0.0.1:{port}"), create_user(f"http://127.0.0.1:{port}")
        finally:
            process.kill()


def create_api(endpoint):
    gateway = boto3.client("apigateway", endpoint_url=endpoint, region_name=REGION, **ROOT)
    api = gateway.create_rest_api(name="signed")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="{proxy+}")["id"]
    for verb, answer in ANSWERS.items():
        method = {"restApiId": api, "resourceId": resource, "httpMethod": verb}
        gateway.put_method(**method, authorizationType="AWS_IAM")
        gateway.put_integration(**method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
        gateway.put_method_response(**method, statusCode="200")
        gateway.put_integration_response(
            **method, statusCode="200", responseTemplates={"application/json": json.dumps(answer)}
        )
    gateway.create_deployment(restApiId=api, stageName="v1")
    return f"{endpoint}/_aws/execute-api/{api}/v1"


def create_user(endpoint):
    iam = boto3.client("iam", endpoint_url=endpoint, region_name=REGION, **ROOT)
    iam.create_user(UserName="sender")
    iam.put_user_policy(UserName="sender", PolicyName="invoke", PolicyDocument=json.dumps(POLICY))
    key = iam.create_access_key(UserName="sender")["AccessKey"]
    return {"login": key["AccessKeyId"], "password": key["SecretAccessKey"]}


@pytest.fixture
def connect(signed_api, monkeypatch):
    """Return a function of the connection's extra, and fields of it and of its AWS connection, that returns a hook."""
    url, user = signed_api

    def hook(extra, *, aws=(), **rest):
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        rest = {"conn_type": "http", "host": url, "extra": extra, **rest}
        monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_KAFKA_REST", json.dumps(rest))
        signs = {"conn_type": "aws", **user, "extra": {"region_name": REGION}, **dict(aws)}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_SIGNS", json.dumps(signs))
        return KafkaRestHook(max_attempts=1)

    return hook


SIGNED = {"sigv4": {"aws_conn_id": "aws_signs"}}


@pytest.mark.parametrize("topic", ["pinterest.pin", "a/b", "with space and ü"])
def test_requests_are_signed_with_path_and_body(connect, topic):
    hook = connect(SIGNED)

    assert hook.topics() == ["pinterest.pin"]
    assert hook.produce(topic, [Record(b'"1"', '{"title": "Grüße 😀"}'.encode())]).partitions == ((0, 7, 7),)


def test_an_api_may_want_a_key_and_headers_besides(connect):
    assert connect({**SIGNED, "X-Team": "data"}, password="key").test_connection()[0]


@pytest.mark.parametrize(
    ("aws", "message"),
    [
        pytest.param({"password": "another"}, "The request signature we calculated does not match", id="secret"),
        pytest.param({"login": "AKIANOBODY"}, "The security token included in the request is invalid", id="key"),
    ],
)
def test_a_signature_that_is_not_right_is_permanent(connect, aws, message):
    with pytest.raises(PermanentError, match=f"403: {message}.*: correct the credentials of the AWS connection"):
        connect(SIGNED, aws=aws).topics()


def test_a_body_that_is_not_what_was_signed_is_refused(connect):
    hook = connect(SIGNED)
    signer = hook.get_conn().auth

    def changed(request):
        signer(request)
        request.body = request.body.replace(b"1", b"2")
        return request

    hook.get_conn().auth = changed

    with pytest.raises(PermanentError, match="The request signature we calculated does not match"):
        hook.produce("t", [Record(b"1", b"1")])


def test_without_a_signature_the_api_asks_for_one(connect):
    with pytest.raises(PermanentError, match=r"Missing Authentication Token.*needs `sigv4` in the extra"):
        connect({}, password="key").topics()


def test_without_credentials_or_region_it_says_what_is_missing(connect, monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(PermanentError, match="AWS connection aws_signs has no credentials: add login and password"):
        connect(SIGNED, aws={"login": None, "password": None}).topics()
    with pytest.raises(PermanentError, match="has sigv4 without a region: add region_name to it"):
        connect(SIGNED, aws={"extra": None}).topics()
