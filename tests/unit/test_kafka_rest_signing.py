"""Signed requests as they are sent; that their signatures are right is for the contract tests to say."""

import json
import re

import pytest

from pinterest_pipeline.common.records import Record
from pinterest_pipeline.kafka_rest.connection import Endpoint, Signing
from pinterest_pipeline.kafka_rest.signing import sign
from tests.unit.scripted_kafka_rest import Answer

USER = {"conn_type": "aws", "login": "AKIAOFATEST", "password": "secret", "extra": {"region_name": "eu-west-1"}}


@pytest.fixture
def signing(http, connect, monkeypatch):
    """Return a function of the option sigv4 that returns a hook."""

    def hook(sigv4, **fields):
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({**USER, **fields}))
        return connect(http.url, password=None, attempts=2, extra={"sigv4": sigv4})

    return hook


def signature_of(asked):
    """Return region, service and signed headers."""
    pattern = (
        r"AWS4-HMAC-SHA256 Credential=AKIAOFATEST/\d{8}/(.+)/(.+)/aws4_request, SignedHeaders=(.+), Signature=\w{64}"
    )
    return re.fullmatch(pattern, asked.headers["authorization"]).groups()


@pytest.mark.parametrize(
    ("sigv4", "region"), [(True, "eu-west-1"), ({"region_name": "us-east-2"}, "us-east-2")], ids=["default", "own"]
)
def test_a_request_is_signed_for_the_api_in_the_connection_s_region(http, signing, sigv4, region):
    signing(sigv4).topics()

    assert signature_of(http.asked[0]) == (region, "execute-api", "host;x-amz-date")
    assert "x-api-key" not in http.asked[0].headers


def test_each_attempt_is_signed_by_itself_with_its_body_s_type(http, signing):
    http.script = [Answer({}, 503)]
    http.always = http.deliver

    assert signing(True).produce("t", [Record(b"1", b"1")]).acknowledged == 1

    assert [signature_of(asked)[2] for asked in http.asked] == ["content-type;host;x-amz-date"] * 2


def test_credentials_of_a_role_send_their_token(http, signing):
    signing(True, extra={"region_name": "eu-west-1", "aws_session_token": "of-a-role"}).topics()

    assert signature_of(http.asked[0])[2] == "host;x-amz-date;x-amz-security-token"
    assert http.asked[0].headers["x-amz-security-token"] == "of-a-role"


def test_the_region_in_an_api_s_own_host_name_goes_before_the_aws_connection_s(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(USER))
    host = "https://abc123.execute-api.ap-south-1.amazonaws.com/v1"

    assert sign(Endpoint(host, {}, "mine"), Signing())._region_name == "ap-south-1"
    assert sign(Endpoint(host, {}, "mine"), Signing(region_name="us-east-2"))._region_name == "us-east-2"
