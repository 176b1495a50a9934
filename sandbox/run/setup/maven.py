"""Maven's mirrors, proxies and passwords, and the machine's certificates, as Ivy and its JVM take them."""

import hashlib
import re
import ssl
import struct
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import BaseHandler, HTTPSHandler, ProxyHandler, Request, build_opener
from xml.etree import ElementTree

PROBE_SECONDS = 30
CENTRAL = "central"  # the id of the repository that everything comes from
IVY_SETTINGS = """<ivysettings>
  <settings defaultResolver="central"/>
  {credentials}
  <resolvers><ibiblio name="central" m2compatible="true" usepoms="{poms}" checksums=""{root}/></resolvers>
</ivysettings>
"""


@dataclass(frozen=True)
class Repository:
    """Where jars come from: Maven Central itself where ``url`` is empty."""

    url: str = ""
    username: str = ""
    password: str = ""


@dataclass(frozen=True)
class Proxy:
    """The proxy to a company's outside."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    not_for: str = ""  # hosts as Java's http.nonProxyHosts has them: a|*.b

    @property
    def url(self) -> str:
        login = f"{quote(self.username, '')}:{quote(self.password, '')}@" if self.username else ""
        return f"http://{login}{self.host}:{self.port}"


def settings_files(environment: Mapping[str, str]) -> list[Path]:
    """Return Maven's own configuration files, the user's first."""
    homes = [environment.get(name) for name in ("MAVEN_HOME", "M2_HOME")]
    files = [Path(environment.get("HOME") or "/") / ".m2" / "settings.xml"]
    files += [Path(home) / "conf" / "settings.xml" for home in homes if home]
    return [file for file in (*files, Path("/etc/maven/settings.xml")) if file.is_file()]


class Settings:
    """What Maven's configuration files say; the first file that has an answer wins."""

    def __init__(self, files: Iterable[Path], environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._roots = [self._read(file) for file in files]

    def _read(self, file: Path) -> ElementTree.Element:
        """Return a file's tree without namespaces, its ``${env.NAME}`` filled in."""
        try:
            root = ElementTree.fromstring(file.read_text())  # noqa: S314 - the user's own file
        except (OSError, ElementTree.ParseError) as error:
            raise ValueError(f"Maven's {file} cannot be read: {error}") from error
        values = {f"env.{name}": value for name, value in self._environment.items()}
        values["user.home"] = self._environment.get("HOME", "")
        for element in root.iter():
            element.tag = re.sub(r"^\{.*\}", "", element.tag)
            text = (element.text or "").strip()
            element.text = re.sub(r"\$\{([^}]+)\}", lambda match: values.get(match[1], match[0]), text)
        return root

    def _elements(self, path: str) -> list[ElementTree.Element]:
        return [element for root in self._roots for element in root.findall(path)]

    def repository(self) -> Repository:
        """Return what stands for Maven Central here: an active profile's ``central``, seen through the mirrors.

        :raises ValueError: where its password is encrypted, which only Maven can read.
        """
        name, url = CENTRAL, self._central_of_profiles()
        for mirror in self._mirrors():
            name, url = mirror.findtext("id", ""), mirror.findtext("url", "")
            break
        for server in self._elements("servers/server") if url else ():
            if server.findtext("id") == name and (user := server.findtext("username", "")):
                password = server.findtext("password", "")
                if re.fullmatch(r".*\{.+\}.*", password):
                    raise ValueError(
                        f"The password of server {name} in Maven's settings.xml is encrypted, and only Maven can "
                        "read it: write it as ${env.NAME} and export NAME."
                    )
                return Repository(url, user, password)
        return Repository(url)

    def _mirrors(self) -> list[ElementTree.Element]:
        """Return the mirrors of Central: those that name it before those of a pattern."""
        mirrors = self._elements("mirrors/mirror")
        exact = [mirror for mirror in mirrors if mirror.findtext("mirrorOf", "") == CENTRAL]
        return exact or [mirror for mirror in mirrors if mirrors_central(mirror.findtext("mirrorOf", ""))]

    def _central_of_profiles(self) -> str:
        active = {element.text for element in self._elements("activeProfiles/activeProfile")}
        for profile in self._elements("profiles/profile"):
            by_default = profile.findtext("activation/activeByDefault", "").lower() == "true"
            if profile.findtext("id") not in active and not by_default:
                continue
            for repository in profile.findall("repositories/repository"):
                if repository.findtext("id") == CENTRAL:
                    return repository.findtext("url", "")
        return ""

    def proxy(self) -> Proxy | None:
        """Return the first active proxy."""
        for proxy in self._elements("proxies/proxy"):
            if (proxy.findtext("active") or "true").lower() == "true" and (host := proxy.findtext("host", "")):
                return Proxy(
                    host,
                    int(proxy.findtext("port") or 8080),
                    proxy.findtext("username", ""),
                    proxy.findtext("password", ""),
                    proxy.findtext("nonProxyHosts", ""),
                )
        return None


def mirrors_central(pattern: str) -> bool:
    """Whether a ``mirrorOf`` takes in Central: ``*``, ``external:*``, ``a,central``; ``!central`` takes it out."""
    parts = {part.strip() for part in pattern.split(",")}
    return f"!{CENTRAL}" not in parts and not parts.isdisjoint({"*", "external:*", CENTRAL})


def proxy_of(environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy of the environment's HTTPS_PROXY or ALL_PROXY."""
    known = {name.lower(): value for name, value in environment.items()}
    url = known.get("https_proxy") or known.get("all_proxy") or ""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if not url or not parts.hostname:
        return None
    hosts = [host.strip() for host in known.get("no_proxy", "").split(",") if host.strip()]
    not_for = [f"*{host}" if host.startswith(".") else host for host in hosts]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Proxy(parts.hostname, parts.port or 8080, user, password, "|".join(not_for))


def realm_of(repository: Repository, first: str, proxy: Proxy | None, certificate: str) -> str:
    """Return the realm in whose name a mirror asks for a password, which Ivy must know; empty where it asks for none.

    :param first: Path of a jar that is wanted of it.
    :raises ValueError: where the mirror refuses: Ivy would say of every refusal that there is no such jar.
    """
    if not repository.url:
        return ""
    context = ssl.create_default_context()
    if certificate:
        context.load_verify_locations(certificate)
    handlers: list[BaseHandler] = [HTTPSHandler(context=context)]
    if proxy is not None and not is_excluded(urlsplit(repository.url).hostname or "", proxy.not_for):
        handlers.append(ProxyHandler(dict.fromkeys(("http", "https"), proxy.url)))
    url, headers, realm = f"{repository.url.rstrip('/')}/{first}", {}, ""
    for _ in range(2):
        try:
            request = Request(url, method="HEAD", headers=headers)  # noqa: S310 - the user's own mirror
            build_opener(*handlers).open(request, timeout=PROBE_SECONDS).close()
        except HTTPError as error:
            asked = re.search(r'Basic .*?realm="([^"]*)"', error.headers.get("WWW-Authenticate", ""), re.IGNORECASE)
            if error.code == HTTPStatus.UNAUTHORIZED and asked and repository.username and not realm:
                realm = asked[1]
                login = b64encode(f"{repository.username}:{repository.password}".encode()).decode()
                headers["Authorization"] = f"Basic {login}"
                continue
            if error.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
                hint = "" if repository.username else ", and Maven's settings.xml has no server of the mirror's id"
                raise ValueError(
                    f"the mirror of Maven's settings.xml answered {error.code} {error.reason} to {url}{hint}"
                ) from error
        except (OSError, HTTPException):
            return realm  # Ivy will say so, and is tried again
        break
    return realm


def is_excluded(host: str, not_for: str) -> bool:
    return any(fnmatchcase(host, pattern) for pattern in not_for.split("|") if pattern)


def ivy_settings(repository: Repository, realm: str, *, uses_poms: bool) -> str:
    """Return Ivy's configuration file; Central's own address is Ivy's to know, and a sha256 is checked afterwards."""
    credentials = ""
    if repository.username:
        host = urlsplit(repository.url).hostname or ""
        given = {"host": host, "realm": realm, "username": repository.username, "passwd": repository.password}
        credentials = ElementTree.tostring(ElementTree.Element("credentials", given), encoding="unicode")
    root = ElementTree.tostring(ElementTree.Element("x", root=repository.url), encoding="unicode")[2:-3].rstrip()
    return IVY_SETTINGS.format(
        credentials=credentials, poms=str(uses_poms).lower(), root=f" {root}" if repository.url else ""
    )


def java_options(proxy: Proxy | None, trust_store: Path) -> list[str]:
    """Return the lines of a JVM's argument file."""
    properties = {
        "javax.net.ssl.trustStore": str(trust_store),
        "javax.net.ssl.trustStoreType": "JKS",
    }
    if proxy is not None:
        for scheme in ("http", "https"):
            properties |= {f"{scheme}.proxyHost": proxy.host, f"{scheme}.proxyPort": str(proxy.port)}
        properties |= {"http.nonProxyHosts": proxy.not_for} if proxy.not_for else {}
    if proxy is not None and proxy.username:
        properties |= {"http.proxyUser": proxy.username, "http.proxyPassword": proxy.password}
        properties["jdk.http.auth.tunneling.disabledSchemes"] = ""  # Java refuses Basic there by default
    return [quoted(f"-D{name}={value}") for name, value in properties.items()]


def quoted(argument: str) -> str:
    """Return an argument as a JVM's argument file takes it."""
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'


def trust_store(bundles: Sequence[Path]) -> bytes:
    """Return the certificates of PEM files as a Java key store, in the JKS format, which has no secret in it.

    A Java that brings its own list of authorities knows none of the company's; ``keytool`` takes one JVM for each.
    """
    certificates: dict[bytes, None] = {}
    for bundle in bundles:
        for block in re.findall(
            r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", bundle.read_text(), re.DOTALL
        ):
            certificates[ssl.PEM_cert_to_DER_cert(block)] = None
    body = struct.pack(">III", 0xFEEDFEED, 2, len(certificates))
    for number, certificate in enumerate(certificates):
        body += struct.pack(">I", 2) + text(f"authority-{number}") + struct.pack(">Q", 0)
        body += text("X.509") + struct.pack(">I", len(certificate)) + certificate
    password = "changeit".encode("utf-16-be")  # the format's checksum is made with one
    return body + hashlib.sha1(password + b"Mighty Aphrodite" + body, usedforsecurity=False).digest()


def text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()
