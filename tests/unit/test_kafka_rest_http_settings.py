"""What a connection's fields and extra mean for the requests: redirects, credentials, headers, forward proxies."""

import pytest

from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from tests.unit.raw_http import answering
from tests.unit.scripted_kafka_rest import Answer, permanent


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_its_target_is_named(http, connect, status):
    http.script = [Answer(b"", status, {"Location": f"{http.url}/elsewhere"})]

    permanent(connect(http.url, attempts=3), f"{status}: .*it redirects to {http.url}/elsewhere: correct the host")

    assert len(http.asked) == 1


@pytest.mark.parametrize(
    "fields", [{}, {"login": "me"}, {"password": None, "extra": {"Authorization": "Bearer abcde"}}]
)
def test_a_netrc_for_the_host_is_never_read(http, connect, tmp_path, fields):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login intruder password secret\n")

    connect(http.url, **fields).topics()

    headers = http.asked[0].headers
    expected = {"login": "Basic bWU6dGhlLWtleQ==", "extra": "Bearer abcde"}
    assert headers.get("authorization") == next((expected[name] for name in expected if name in fields), None)


def test_headers_of_the_extra_are_sent_and_the_api_s_own_are_not_replaced(http, connect):
    extra = {"headers": {"X-Team": "data", "Accept": "text/html"}, "X-Trace": "7"}

    connect(http.url, extra=extra).topics()

    headers = http.asked[0].headers
    assert (headers["x-team"], headers["x-trace"], headers["x-api-key"]) == ("data", "7", "the-key")
    assert headers["accept"] == "application/vnd.kafka.v2+json"


def test_a_uri_connection_with_a_path_works(http, monkeypatch):
    port, path = http.server.server_port, "gate%2Fv1"
    monkeypatch.setenv("AIRFLOW_CONN_MINE", f"http://:the-key@127.0.0.1:{port}/{path}")

    assert KafkaRestHook("mine").topics() == ["t"]
    assert (http.asked[0].path, http.asked[0].headers["x-api-key"]) == ("/gate/v1/topics", "the-key")


@pytest.mark.parametrize("key", ["clé-€", "the-key\n"])
def test_a_key_that_no_header_carries_is_refused_before_any_request(http, connect, key):
    permanent(connect(http.url, password=key), r"Connection mine: password \(API key\) .*: enter it again")

    assert http.asked == []


@pytest.mark.parametrize("of", ["extra", "environment", "both"])
def test_a_forward_proxy_is_used_and_the_connection_s_goes_before_the_environment_s(http, connect, monkeypatch, of):
    address = f"http://127.0.0.1:{http.server.server_port}"
    if of != "extra":
        monkeypatch.setenv("HTTP_PROXY", address if of == "environment" else "http://127.0.0.1:1")
    extra = {} if of == "environment" else {"proxies": {"http": address}}

    assert connect("http://kafka-rest.example/v1", extra=extra).topics() == ["t"]

    assert http.asked[0].path == "http://kafka-rest.example/v1/topics"


def test_trust_env_false_leaves_the_environment_s_proxy_out(http, connect, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    assert connect(http.url, extra={"trust_env": False}).topics() == ["t"]


def test_a_forward_proxy_that_refuses_the_tunnel_is_permanent(http, connect):
    http.script = []
    address = f"http://127.0.0.1:{http.server.server_port}"  # it knows no CONNECT: 501
    with answering(
        lambda connection: connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    ) as port:
        permanent(
            connect("https://kafka-rest.example/v1", extra={"proxies": {"https": f"http://127.0.0.1:{port}"}}),
            "407.*: the forward proxy refuses: see proxies in the extra of connection mine",
        )
    with pytest.raises(TransientError, match="501"):
        connect("https://kafka-rest.example/v1", extra={"proxies": {"https": address}}).topics()
