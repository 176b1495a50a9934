"""What an Airflow connection says of a Kafka REST proxy: its base URL, headers and HTTP settings. No I/O.

A connection comes from the UI, from JSON or from a URI, and a URI has no field for a path:
``http://:key@host:8082/v1`` arrives as host ``host`` and schema ``v1``, with the scheme as the connection's type. The
extra is read as ``HttpHook`` of Airflow's http provider reads it: its options by name, every other text as a header.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn, Protocol
from urllib.parse import SplitResult, urlsplit

from pinterest_pipeline.common.errors import PermanentError

SCHEMES = frozenset({"http", "https"})
API_GATEWAY = re.compile(r"\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com")  # answers https only
MAX_LATIN_1 = 0xFF  # http.client encodes headers so
UNUSED_OPTIONS = frozenset({"allow_redirects", "check_response", "max_redirects", "stream"})  # of HttpHook
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, token
CREDENTIAL_HEADERS = frozenset({"authorization", "x-api-key"})
OPTIONS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "verify": ((bool, str), "true, false or the file of a CA"),
    "verify_ssl": ((bool, str), "true, false or the file of a CA"),
    "cert": ((str, list), "a file, or a list of certificate and key"),
    "proxies": ((dict, str), 'an object such as {"https": "http://proxy:3128"}'),
    "proxy": ((dict, str), 'an object such as {"https": "http://proxy:3128"}'),
    "trust_env": ((bool,), "true or false"),
    "timeout": ((int, float), "a number of seconds"),
    "sigv4": ((bool, dict), "true, or an object of aws_conn_id, region_name"),
}


class HttpConnection(Protocol):
    """What is read of an Airflow connection."""

    conn_id: str
    conn_type: str | None
    host: str | None
    schema: str | None
    port: int | None
    login: str | None
    password: str | None
    extra: str | None


@dataclass(frozen=True)
class Signing:
    """How requests are signed (SigV4) for an API Gateway with IAM authorization."""

    aws_conn_id: str | None = "aws_default"
    region_name: str | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where the proxy is, and how it is spoken to.

    :param headers: Lower-case name to value, credentials included (kept out of logs by ``repr=False``).
    :param verify: False, or the file of the CA; True is the system's, or the environment's ``REQUESTS_CA_BUNDLE``.
    :param cert: The client's certificate: one file, or certificate and key.
    :param proxies: Scheme to forward proxy; they go before those of the environment.
    :param trust_env: Whether the environment's proxies and CA count. ``.netrc`` never does.
    :param timeout_seconds: For a whole answer; None leaves it to the hook.
    """

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    conn_id: str
    verify: bool | str = True
    cert: str | tuple[str, str] | None = None
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    trust_env: bool = True
    timeout_seconds: float | None = None
    signing: Signing | None = None


def read_endpoint(connection: HttpConnection) -> Endpoint:
    """Return what a connection says, or raise :class:`PermanentError` that names the field to correct."""
    options, headers = read_extra(connection)
    cert = options.get("cert")
    return Endpoint(
        base_url(connection),
        {**headers, **credentials(connection)},
        connection.conn_id,
        verify=options.get("verify", options.get("verify_ssl", True)),
        cert=tuple(cert) if isinstance(cert, list) else cert,
        proxies=read_proxies(options.get("proxies", options.get("proxy"))),
        trust_env=options.get("trust_env", True),
        timeout_seconds=options.get("timeout"),
        signing=read_signing(connection, options.get("sigv4")),
    )


def has_credentials(connection: HttpConnection) -> bool:
    """Tell whether a password, a header of the extra or a signature lets us in."""
    options, headers = read_extra(connection)
    return bool(connection.password or options.get("sigv4") or CREDENTIAL_HEADERS & headers.keys())


def base_url(connection: HttpConnection) -> str:
    """Return scheme, host, port and path, from any of the fields that may have them, without a slash at the end."""
    host = (connection.host or "").strip()
    scheme, path = scheme_and_path((connection.schema or "").strip())
    if "://" not in host:
        host = f"{scheme or default_scheme(connection)}://{with_brackets(host)}"
    parts = checked_url(connection, host)
    port = "" if parts.port or not connection.port else f":{connection.port}"
    segments = [parts.netloc.rstrip(":") + port, parts.path.strip("/"), path.strip("/")]
    return f"{parts.scheme}://{'/'.join(filter(None, segments))}"


def scheme_and_path(schema: str) -> tuple[str, str]:
    """Split the field schema, which has the scheme, or the path of a URI, or both: ``https/v1``."""
    first, _, rest = schema.partition("/")
    scheme = first.rstrip(":").lower()
    return (scheme, rest) if scheme in SCHEMES else ("", schema)


def with_brackets(host: str) -> str:
    """Return a host as it stands in a URL: Airflow takes the brackets off an IPv6 address."""
    authority, slash, path = host.partition("/")
    return f"[{authority}]{slash}{path}" if authority.count(":") > 1 and "]" not in authority else host


def default_scheme(connection: HttpConnection) -> str:
    """Return the URI's own scheme, which HttpHook takes, too; API Gateway has no other than https."""
    if connection.conn_type == "https" or API_GATEWAY.search(connection.host or ""):
        return "https"
    return "http"


def checked_url(connection: HttpConnection, url: str) -> SplitResult:
    """Split a URL that can be a base URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        refuse(connection, f"host is no URL: {error}", "write https://<host>[:port]/<path>")
    if parts.scheme not in SCHEMES:
        refuse(connection, f"host has the scheme {parts.scheme!r}", "write http:// or https://")
    if not parts.hostname or re.search(r"\s", parts.netloc):
        refuse(connection, f"host has no host name: {url!r}", "write https://<host>[:port]/<path>")
    if parts.username is not None:
        refuse(connection, "host has credentials before the @", "move them to login and password")
    if parts.query or parts.fragment:
        refuse(connection, "host has a query or a fragment", "end it with the path, such as /v1")
    if port and connection.port and port != connection.port:
        refuse(connection, f"host has port {port}, and port is {connection.port}", "leave one of them out")
    return parts


def credentials(connection: HttpConnection) -> dict[str, str]:
    """Return the header that password, or login and password, amount to."""
    if connection.login:
        basic = b64encode(f"{connection.login}:{connection.password}".encode()).decode()
        return {"authorization": f"Basic {basic}"}
    if not connection.password:
        return {}
    check_header(connection, "password (API key)", connection.password)
    return {"x-api-key": connection.password}


def read_extra(connection: HttpConnection) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the options of the extra, and its headers by lower-case name."""
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError as error:
        refuse(connection, f"extra is not JSON: {error}", "correct it")
    if not isinstance(extra, dict):
        refuse(connection, f"extra is a JSON {type(extra).__name__}, not an object", "correct it")
    options = {name: from_text(extra.pop(name)) for name in [*OPTIONS, "headers"] if extra.get(name) is not None}
    headers = options.pop("headers", {})
    if not isinstance(headers, dict):
        refuse(connection, "headers of the extra is not an object", 'write {"headers": {"<name>": "<value>"}}')
    for name, value in options.items():
        kinds, expected = OPTIONS[name]
        if not isinstance(value, kinds) or (name == "cert" and isinstance(value, list) and len(value) != len("ck")):
            refuse(connection, f"{name} of the extra is {value!r}", f"expected {expected}")
    headers |= {name: value for name, value in extra.items() if name not in UNUSED_OPTIONS and value is not None}
    for name, value in headers.items():
        check_header(connection, f"header {name!r} of the extra", value, name)
    return options, {name.lower(): value for name, value in headers.items()}


def from_text(value: Any) -> Any:
    """Return what a URI's query means: it has only texts, ``verify=false`` for one."""
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def check_header(connection: HttpConnection, what: str, value: Any, name: str = "x-api-key") -> None:
    """Refuse what no HTTP header can carry, without printing it."""
    if not HEADER_NAME.fullmatch(name):
        refuse(connection, f"{what} has a name that is no header's", "correct it")
    if not isinstance(value, str):
        refuse(connection, f"{what} is a JSON {type(value).__name__}", "write a text")
    if value != value.strip() or re.search(r"[\r\n\0]", value):
        refuse(connection, f"{what} begins or ends with white space, or has a line break", "enter it again without")
    if not is_latin_1(value):
        refuse(connection, f"{what} has a character outside Latin-1", "enter it again, copied from its source")


def is_latin_1(text: str) -> bool:
    return all(ord(character) <= MAX_LATIN_1 for character in text)


def read_proxies(proxies: Mapping[str, str] | str | None) -> Mapping[str, str]:
    return dict.fromkeys(sorted(SCHEMES), proxies) if isinstance(proxies, str) else proxies or {}


def read_signing(connection: HttpConnection, signing: bool | Mapping[str, Any] | None) -> Signing | None:
    if not signing:
        return None
    if connection.login:
        refuse(connection, "login and sigv4 both write the header Authorization", "leave one of them out")
    given = {} if signing is True else dict(signing)
    if unknown := given.keys() - {each.name for each in fields(Signing)}:
        refuse(connection, f"sigv4 of the extra has {', '.join(sorted(unknown))}", f"expected {OPTIONS['sigv4'][1]}")
    return Signing(**given)


def refuse(connection: HttpConnection, found: str, remedy: str) -> NoReturn:
    raise PermanentError(f"Connection {connection.conn_id}: {found}: {remedy}, see docs/connections/kafka_rest.md.")
