"""What an Airflow connection amounts to: every form of its URL, and each setting of its extra."""

import base64
import json

import pytest
from airflow.sdk import Connection

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.kafka_rest.connection import read_endpoint

GATEWAY = "abc123.execute-api.eu-west-1.amazonaws.com"


def endpoint(uri=None, **fields):
    if uri:
        return read_endpoint(Connection(conn_id="mine", uri=uri))
    if isinstance(fields.get("extra"), dict):
        fields["extra"] = json.dumps(fields["extra"])
    return read_endpoint(Connection(**{"conn_id": "mine", "conn_type": "http", "password": "key-of-mine", **fields}))


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        pytest.param("http://:key@host:8082/v1", "http://host:8082/v1", id="path"),
        pytest.param("https://:key@host:8082/v1", "https://host:8082/v1", id="scheme is the type"),
        pytest.param("http://:key@host:8082/https", "https://host:8082", id="scheme is the path"),
        pytest.param("http://:key@host:8082/https%2Fv1", "https://host:8082/v1", id="scheme and path"),
        pytest.param("http://:key@host:8082", "http://host:8082", id="no path"),
        pytest.param("http://:key@host/v1/", "http://host/v1", id="slash at the end"),
        pytest.param("http://:key@host:8082/a%2Fb", "http://host:8082/a/b", id="quoted path"),
        pytest.param("http://https://:key@host/v1", "https://host/v1", id="two schemes"),
        pytest.param("http://https://:key@host:8443/a/b", "https://host:8443/a/b", id="two schemes and a port"),
        pytest.param("http://:key@https%3A%2F%2Fhost%3A8443%2Fv1", "https://host:8443/v1", id="URL as the host"),
        pytest.param("http://https://:key@host%2Fv1", "https://host/v1", id="as Airflow writes it"),
        pytest.param("http://:key@host%2Fv1:443/https", "https://host:443/v1", id="path in the host"),
        pytest.param("http://:key@%3A%3A1:8082/v1", "http://[::1]:8082/v1", id="IPv6"),
        pytest.param(f"http://:key@{GATEWAY}/v1", f"https://{GATEWAY}/v1", id="API Gateway is https"),
    ],
)
def test_a_uri_is_read_and_written_by_airflow_to_the_same_url(uri, url):
    written = Connection(conn_id="mine", uri=uri).get_uri()

    assert (endpoint(uri).base_url, endpoint(written).base_url) == (url, url)
    assert endpoint(uri).headers == {"x-api-key": "key"}


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": f"https://{GATEWAY}/v1"}, f"https://{GATEWAY}/v1"),
        ({"host": f" https://{GATEWAY}/v1/ "}, f"https://{GATEWAY}/v1"),
        ({"host": "https://h/v1", "port": 8443}, "https://h:8443/v1"),
        ({"host": "https://h:8443/v1", "port": 8443}, "https://h:8443/v1"),
        ({"host": "h", "schema": "https", "port": 8443}, "https://h:8443"),
        ({"host": "h/v1", "schema": "https"}, "https://h/v1"),
        ({"host": "h:8082", "schema": "HTTPS://"}, "https://h:8082"),
        ({"host": "h"}, "http://h"),
        ({"host": "::1", "port": 8082}, "http://[::1]:8082"),
    ],
)
def test_fields_amount_to_a_url(fields, url):
    connection = Connection(conn_id="mine", conn_type="http", password="key-of-mine", **fields)

    assert read_endpoint(connection).base_url == url
    assert read_endpoint(Connection(conn_id="mine", uri=connection.get_uri())).base_url == url


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"host": "ftp://h"}, r"host has the scheme 'ftp': write http:// or https://"),
        ({"host": "htps://h/v1"}, r"host has the scheme 'htps'"),
        ({"host": "https://"}, "host has no host name"),
        ({"host": "https://h ost/v1"}, "host has no host name"),
        ({"host": "https://h:80x/v1"}, "host is no URL"),
        ({"host": "https://me:pw@h/v1"}, "host has credentials before the @: move them to login and password"),
        ({"host": "https://h/v1?x=1"}, "host has a query or a fragment"),
        ({"host": "https://h:1/v1", "port": 2}, "host has port 1, and port is 2"),
        ({"host": "h", "password": "sécrét-ключ"}, r"password \(API key\) has a character outside Latin-1"),
        ({"host": "h", "password": "key\n"}, r"password \(API key\) begins or ends with white space, or has a line"),
        ({"host": "h", "password": " key"}, r"password \(API key\) begins or ends with white space"),
        ({"host": "h", "extra": "{"}, "extra is not JSON"),
        ({"host": "h", "extra": "[]"}, "extra is a JSON list, not an object"),
        ({"host": "h", "extra": {"headers": ["a"]}}, "headers of the extra is not an object"),
        ({"host": "h", "extra": {"headers": {"a b": "c"}}}, "header 'a b' of the extra has a name that is no header's"),
        ({"host": "h", "extra": {"headers": {"a": "b\r\nc: d"}}}, "header 'a' of the extra begins or ends"),
        ({"host": "h", "extra": {"x-team": {"a": 1}}}, "header 'x-team' of the extra is a JSON dict: write a text"),
        ({"host": "h", "extra": {"verify": 5}}, "verify of the extra is 5: expected true, false or the file of a CA"),
        ({"host": "h", "extra": {"cert": ["a"]}}, "cert of the extra is"),
        ({"host": "h", "extra": {"timeout": "soon"}}, "timeout of the extra is 'soon': expected a number of seconds"),
        (
            {"host": "h", "extra": {"sigv4": {"region": "x"}}},
            "sigv4 of the extra has region: expected true, or an object",
        ),
        ({"host": "h", "login": "me", "extra": {"sigv4": True}}, "login and sigv4 both write the header Authorization"),
    ],
)
def test_what_cannot_work_is_named_with_its_remedy_and_without_the_key(fields, said):
    with pytest.raises(PermanentError, match=f"^Connection mine: {said}") as caught:
        endpoint(**fields)

    assert str(caught.value).endswith("see docs/connections/kafka_rest.md.")
    assert not {"key-of-mine", "ключ", "pw@"} & {
        word for word in ("key-of-mine", "ключ", "pw@") if word in str(caught.value)
    }


def test_login_and_password_are_basic_authentication_in_any_script():
    found = endpoint(host="h", login="me", password="pässwörd ключ")

    assert base64.b64decode(found.headers["authorization"].split()[1]).decode() == "me:pässwörd ключ"


@pytest.mark.parametrize(
    ("extra", "setting", "value"),
    [
        ({"verify": False}, "verify", False),
        ({"verify": "/ca.pem"}, "verify", "/ca.pem"),
        ({"verify_ssl": False}, "verify", False),
        ({}, "verify", True),
        ({"cert": "/both.pem"}, "cert", "/both.pem"),
        ({"cert": ["/c.pem", "/k.pem"]}, "cert", ("/c.pem", "/k.pem")),
        ({"proxies": {"https": "http://p:3128"}}, "proxies", {"https": "http://p:3128"}),
        ({"proxy": "http://p:3128"}, "proxies", {"http": "http://p:3128", "https": "http://p:3128"}),
        ({"trust_env": False}, "trust_env", False),
        ({"timeout": 3}, "timeout_seconds", 3),
        ({"headers": {"X-Team": "data"}}, "headers", {"x-team": "data", "x-api-key": "key-of-mine"}),
        ({"X-Team": "data"}, "headers", {"x-team": "data", "x-api-key": "key-of-mine"}),
        ({"X-Api-Key": "other"}, "headers", {"x-api-key": "key-of-mine"}),
        ({"allow_redirects": True, "stream": True}, "headers", {"x-api-key": "key-of-mine"}),
        ({"sigv4": False}, "signing", None),
    ],
)
def test_a_setting_of_the_extra_is_read_as_airflow_s_http_hook_reads_it(extra, setting, value):
    assert getattr(endpoint(host="h", extra=extra), setting) == value


def test_a_uri_s_query_has_only_texts():
    found = endpoint("http://:key@host/v1?verify=false&timeout=3&x-team=data&cert=%2Fc.pem")

    assert (found.verify, found.timeout_seconds, found.cert) == (False, 3, "/c.pem")
    assert found.headers == {"x-team": "data", "x-api-key": "key"}


def test_a_signed_api_needs_no_key_and_may_have_one():
    with_key = endpoint(host=f"https://{GATEWAY}/v1", extra={"sigv4": {"aws_conn_id": "a", "region_name": "r"}})
    without = endpoint(host=f"https://{GATEWAY}/v1", password=None, extra={"sigv4": True})

    assert (with_key.signing.aws_conn_id, with_key.signing.region_name) == ("a", "r")
    assert with_key.headers == {"x-api-key": "key-of-mine"}
    assert (without.signing.aws_conn_id, without.headers) == ("aws_default", {})
