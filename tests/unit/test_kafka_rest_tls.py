"""Certificates, names and addresses that do not work: permanent where a person must act, and they say what to do."""

import socket
from datetime import timedelta

import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from tests.unit.scripted_kafka_rest import permanent, serving
from tests.unit.tls import Authority


def test_certificate_of_a_private_ca_is_refused_at_once_and_verify_accepts_it(authority, connect):
    with serving(authority.server()) as https:
        permanent(
            connect(https.url, attempts=3),
            r'certificate verify failed.*: set \{"verify": "<file of its CA>"\} in the extra of connection mine',
        )
        assert https.asked == []

        assert connect(https.url, extra={"verify": str(authority.file)}).topics() == ["t"]
        assert connect(https.url, extra={"verify": False}).topics() == ["t"]


def test_the_environment_s_ca_counts_and_the_connection_s_own_goes_before_it(authority, connect, monkeypatch, tmp_path):
    other = Authority(tmp_path).file
    with serving(authority.server()) as https:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
        assert connect(https.url).topics() == ["t"]

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
        assert connect(https.url, extra={"verify": str(authority.file)}).topics() == ["t"]
        permanent(connect(https.url), "certificate verify failed")


@pytest.mark.parametrize(
    ("name", "expires", "message"),
    [
        (
            "elsewhere.example",
            timedelta(days=1),
            "its certificate is for another name: correct the host of connection mine",
        ),
        ("127.0.0.1", timedelta(days=-1), "certificate has expired.*: its certificate must be renewed"),
    ],
)
def test_certificate_that_is_wrong_in_itself_is_told_apart(authority, connect, name, expires, message):
    with serving(authority.server(name, expires=expires)) as https:
        permanent(connect(https.url, extra={"verify": str(authority.file)}), message)


def test_client_certificate_is_sent_where_the_server_wants_one(authority, connect):
    trusted = {"verify": str(authority.file)}
    with serving(authority.server(wants_client=True)) as https:
        permanent(connect(https.url, extra=trusted), "set cert in the extra of connection mine")

        cert = [str(file) for file in authority.issue("client.example")]
        assert connect(https.url, extra={**trusted, "cert": cert}).topics() == ["t"]


@pytest.mark.parametrize("setting", ["verify", "cert"])
def test_a_file_that_is_not_there_or_no_certificate_is_named(authority, connect, setting, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("no certificate")
    with serving(authority.server()) as https:
        extra = {"verify": str(authority.file)}
        permanent(connect(https.url, extra={**extra, setting: "/not/there.pem"}), "correct verify or cert in the extra")
        permanent(connect(https.url, extra={**extra, setting: str(text)}), "a file of verify or cert .* is not usable")


def test_https_to_a_server_without_tls_asks_for_the_scheme(http, connect):
    permanent(connect(http.url.replace("http:", "https:")), "no TLS is spoken there: is its scheme http")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        pytest.param(
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            PermanentError,
            "no such name in DNS: correct the host of connection mine",
            id="no such name",
        ),
        pytest.param(
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            TransientError,
            "Temporary failure",
            id="DNS is down",
        ),
    ],
)
def test_a_name_that_does_not_exist_is_permanent_and_a_silent_resolver_is_not(
    connect, monkeypatch, error, kind, message
):
    def resolve(*arguments, **named):
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    with pytest.raises(kind, match=message):
        connect("https://kafka-rest.example/v1").topics()


def test_a_label_that_no_name_can_have_is_permanent(connect):
    permanent(connect(f"http://{'a' * 64}.example/v1"), "correct the host of connection mine")


def test_a_refused_connection_may_pass(connect):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(TransientError, match="Connection refused") as caught:
        connect(f"http://127.0.0.1:{port}/v1").topics()

    assert "Max retries" not in str(caught.value)
