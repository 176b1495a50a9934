"""Every port of a running sandbox, visited by those who have no business there; Airflow's own is in tests/e2e."""

import os
import socket
import stat
import subprocess

import boto3
import httpx
import psycopg
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from psycopg import sql

from sandbox.run.settings import DATABASE_PASSWORDS, PREFERRED_PORTS, REGION, Settings
from sandbox.servers.ministack import BESIDE_MINISTACK, api_gateway
from tests.support.groups import TEST_HOME

HTTP = ("ministack", "api_gateway", "kinesis", "kafka_connect", "kafka_rest", "msk_connect", "databricks")
OTHERS = ("postgres", "kafka", "kafka_controller")
REFUSED = {400, 401, 403, 404, 405}
PATHS = {
    "ministack": ("/", "/pinterest-lake", "/restapis", "/_ministack/config", "/_ministack/reset", "/_localstack/x"),
    "api_gateway": ("/", "/_aws/execute-api/any/v1/topics"),
    "kinesis": ("/",),
    "kafka_connect": ("/", "/connectors", "/connector-plugins", "/admin/loggers", "/health"),
    "kafka_rest": ("/topics", "/topics/pinterest.pin", "/v3/clusters"),
    "msk_connect": ("/v1/connectors", "/v1/custom-plugins"),
    "databricks": ("/api/2.1/jobs/list", "/api/2.0/workspace/list?path=/"),
}
CALLS = {
    "s3": "list_buckets",
    "secretsmanager": "list_secrets",
    "cloudwatch": "list_metrics",
    "apigateway": "get_rest_apis",
    "kinesis": "list_streams",
    "kafkaconnect": "list_connectors",
}
VISITS = [(server, path, verb) for server, paths in PATHS.items() for path in paths for verb in ("GET", "POST")]


@pytest.fixture(scope="module")
def settings(stand_ins):
    stand_ins("postgres", "kafka_rest", "msk_connect", "kinesis", "databricks")
    return Settings.load(TEST_HOME)


def test_every_port_is_visited():
    assert {*HTTP, *OTHERS, "airflow"} == set(PREFERRED_PORTS)


@pytest.mark.parametrize(("server", "path", "verb"), VISITS)
def test_a_page_of_another_origin_reads_and_runs_nothing(settings, server, path, verb):
    headers = {"Origin": "http://page.example", "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}

    answer = httpx.request(verb, settings.url(server) + path, headers=headers, content=b"{}", timeout=30)

    assert answer.status_code in {401, 403}
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("server", HTTP)
def test_no_preflight_is_answered(settings, server):
    headers = {"Origin": "http://page.example", "Access-Control-Request-Method": "PUT"}

    answer = httpx.options(settings.url(server) + PATHS[server][0], headers=headers, timeout=30)

    assert not [name for name in answer.headers if name.startswith("access-control-allow")]


@pytest.mark.parametrize("server", HTTP)
def test_a_page_whose_name_was_resolved_to_loopback_is_refused(settings, server):
    headers = {"Host": f"page.example:{settings.ports[server]}"}

    answer = httpx.get(settings.url(server) + PATHS[server][0], headers=headers, timeout=30)

    assert answer.status_code in {401, 403}


def test_a_gateway_call_of_a_page_is_refused_although_it_needs_no_signature(settings):
    key = {"x-api-key": settings.secrets["kafka_rest_api_key"], "Origin": "http://page.example"}

    answer = httpx.get(f"{api_gateway.invoke_url(settings)}/topics", headers=key, timeout=30)

    assert answer.status_code == 403
    assert "answers no page of another origin" in answer.text


@pytest.mark.parametrize(("server", "path", "verb"), VISITS)
def test_a_client_without_a_credential_reads_and_runs_nothing(settings, server, path, verb):
    answer = httpx.request(verb, settings.url(server) + path, content=b"{}", timeout=30)

    assert answer.status_code in REFUSED
    assert "pinterest" not in answer.text


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize("wrong", ["access key", "secret key", "no signature"])
def test_an_aws_call_with_a_wrong_signature_is_refused(settings, service, wrong):
    client = aws_client(settings, service, wrong)

    with pytest.raises(ClientError) as refused:
        getattr(client, CALLS[service])()

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 401, 403}


@pytest.mark.parametrize("service", CALLS)
def test_an_aws_call_with_the_right_signature_is_answered(settings, service):
    answer = getattr(aws_client(settings, service, None), CALLS[service])()

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def aws_client(settings, service, wrong):
    keys = {
        "aws_access_key_id": "AKIDOTHER" if wrong == "access key" else settings.secrets["aws_access_key_id"],
        "aws_secret_access_key": "other" if wrong == "secret key" else settings.secrets["aws_secret_access_key"],
    }
    version = UNSIGNED if wrong == "no signature" else "s3v4" if service == "s3" else "v4"
    return boto3.client(
        service,
        endpoint_url=settings.url(BESIDE_MINISTACK.get(service, "ministack")),
        region_name=REGION,
        **keys,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, signature_version=version),
    )


def test_a_presigned_url_opens_its_object_and_no_other(settings):
    s3 = aws_client(settings, "s3", None)
    for key in ("access-test/one +é", "access-test/two"):
        s3.put_object(Bucket="pinterest-lake", Key=key, Body=key.encode())
    url = s3.generate_presigned_url("get_object", {"Bucket": "pinterest-lake", "Key": "access-test/one +é"}, 60)

    assert httpx.get(url).text == "access-test/one +é"
    assert httpx.get(url.replace("one%20%2B%C3%A9", "two")).status_code == 403


@pytest.mark.parametrize("password", [None, "wrong"])
@pytest.mark.parametrize("listener", ["kafka", "kafka_controller"])
def test_kafka_answers_no_client_without_its_password(settings, password, listener):
    address = {"bootstrap.servers": f"127.0.0.1:{settings.ports[listener]}", "log_level": 0}
    if password:
        address |= {**settings.kafka_client, **address, "sasl.password": password}

    with pytest.raises(KafkaException):
        AdminClient(address).list_topics(timeout=4)


@pytest.mark.parametrize("role", ["pinterest", *DATABASE_PASSWORDS])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_postgres_answers_no_client_without_its_password(settings, role, password):
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(
            f"postgresql://{role}@127.0.0.1:{settings.ports['postgres']}/pinterest_warehouse", password=password
        )


@pytest.mark.parametrize("database", DATABASE_PASSWORDS)
def test_a_role_of_a_database_is_no_superuser_and_opens_no_other_database(settings, database):
    with psycopg.connect(settings.postgres_url(database)) as connection:
        (is_superuser,) = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql.SQL("COPY (SELECT 1) TO PROGRAM 'true'"))

    assert not is_superuser
    for other in set(DATABASE_PASSWORDS) - {database}:
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(f"{settings.postgres_url(database).rpartition('/')[0]}/{other}")


def test_every_file_with_a_credential_is_its_owners_alone(settings):
    secrets = {value.encode() for value in settings.secrets.values()}
    readable = []
    for file in settings.home.rglob("*"):
        if file.is_file() and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and file.stat().st_size < 1_000_000:
            content = file.read_bytes()
            if any(secret in content for secret in secrets):
                readable.append(str(file.relative_to(settings.home)))

    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
    assert readable == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_reads_no_file_and_no_command_line_with_a_credential(settings):
    files = f"/proc/[0-9]*/cmdline /proc/[0-9]*/environ {settings.home}/settings.json"

    read = subprocess.run(
        ["/bin/sh", "-c", f"cat {files} 2>/dev/null; true"],
        capture_output=True,
        check=True,
        timeout=60,
        user="nobody",
        cwd="/",
    )

    seen = read.stdout
    assert not [name for name, value in settings.secrets.items() if value.encode() in seen]


def test_every_port_is_closed_on_every_other_address(settings):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it only picks the address of this machine
        own = probe.getsockname()[0]
    if own.startswith("127."):
        pytest.skip("this machine has no other address")
    for name in (*HTTP, *OTHERS):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((own, settings.ports[name]), timeout=5)
