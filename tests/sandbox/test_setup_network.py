"""What set-up takes over of pip's and Maven's settings, and which failures it does not try again."""

import struct

import pytest

from sandbox.run.setup import maven, network
from sandbox.run.setup.commands import final_advice

PRINTED = """\
:env:.timeout='60'
global.cert='{cert}'
global.index-url='https://user:p%40ss@mirror.example/simple'
global.timeout='15'
install.extra-index-url='\\nhttps://a.example/simple\\nhttps://b.example/simple'
install.find-links='/opt/wheels /srv/wheels'
list.format='columns'
"""


@pytest.fixture
def authority(tmp_path):
    file = tmp_path / "company.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\n")
    return str(file)


def test_pips_settings_reach_uv_and_npm(authority):
    pip = network.pip_settings(PRINTED.format(cert=authority))

    variables = network.for_every_client({**pip, "proxy": "proxy.example:3128", "trusted-host": "mirror.example"}, {})

    assert variables == {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "HTTP_PROXY": "http://proxy.example:3128",
        "NODE_EXTRA_CA_CERTS": authority,
        "NODE_USE_SYSTEM_CA": "1",
        "PIP_CERT": authority,
        "SSL_CERT_FILE": authority,
        "UV_DEFAULT_INDEX": "https://user:p%40ss@mirror.example/simple",
        "UV_FIND_LINKS": "/opt/wheels,/srv/wheels",
        "UV_HTTP_TIMEOUT": "60",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INSECURE_HOST": "mirror.example",
        "UV_SYSTEM_CERTS": "1",
    }


def test_what_uv_npm_and_the_environment_have_of_their_own_stays(authority):
    pip = {"index-url": "https://pip.example/simple", "cert": authority, "proxy": "http://pip.example:1"}
    own = {
        "UV_DEFAULT_INDEX": "https://uv.example",
        "https_proxy": "http://mine.example:1",
        "SSL_CERT_FILE": authority,
        "NODE_EXTRA_CA_CERTS": "/mine.pem",
    }

    added = network.for_every_client(pip, own)

    assert not added.keys() & {*own, "HTTPS_PROXY", "HTTP_PROXY"}


def test_a_folder_that_cannot_be_written_to_is_replaced_by_one_of_the_projects(tmp_path):
    no_folder = tmp_path / "file"
    no_folder.touch()

    assert network.caches({"HOME": str(no_folder)}, tmp_path / "own") == {
        "UV_CACHE_DIR": f"{tmp_path}/own/uv_cache_dir",
        "npm_config_cache": f"{tmp_path}/own/npm_config_cache",
        "XDG_CACHE_HOME": f"{tmp_path}/own/xdg_cache_home",
    }
    assert network.caches({"HOME": str(tmp_path)}, tmp_path / "own") == {}


def settings(tmp_path, text, environment=None):
    file = tmp_path / "settings.xml"
    file.write_text(f'<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0">{text}</settings>')
    return maven.Settings([file], environment or {})


@pytest.mark.parametrize(
    ("pattern", "is_used"),
    [
        ("*", True), ("central", True), ("external:*", True), ("internal,central", True), ("*,!internal", True),
        ("*,!central", False), ("internal", False), ("", False),
    ],
)  # fmt: skip
def test_a_mirror_stands_for_central_as_maven_says(tmp_path, pattern, is_used):
    text = f"<mirrors><mirror><id>m</id><mirrorOf>{pattern}</mirrorOf><url>https://m.example</url></mirror></mirrors>"

    assert settings(tmp_path, text).repository() == maven.Repository("https://m.example" if is_used else "")


def test_a_mirror_of_central_itself_goes_before_one_of_everything_and_has_its_servers_password(tmp_path):
    text = """
    <mirrors>
      <mirror><id>all</id><mirrorOf>*</mirrorOf><url>https://all.example</url></mirror>
      <mirror><id>mine</id><mirrorOf>central</mirrorOf><url>https://mine.example/m2</url></mirror>
    </mirrors>
    <servers><server><id>mine</id><username>me</username><password>${env.TOKEN}</password></server></servers>"""

    found = settings(tmp_path, text, {"TOKEN": "s3cret"}).repository()

    assert found == maven.Repository("https://mine.example/m2", "me", "s3cret")


def test_an_active_profile_may_say_where_central_is(tmp_path):
    text = """
    <servers><server><id>central</id><username>me</username><password>p</password></server></servers>
    <profiles><profile><id>{}</id><repositories><repository><id>central</id><url>https://art.example</url>
    </repository></repositories></profile></profiles><activeProfiles><activeProfile>artifactory</activeProfile>
    </activeProfiles>"""

    active = settings(tmp_path, text.format("artifactory")).repository()
    assert active == maven.Repository("https://art.example", "me", "p")
    assert settings(tmp_path, text.format("other")).repository() == maven.Repository()


def test_a_password_that_only_maven_can_read_is_named(tmp_path):
    text = """<mirrors><mirror><id>m</id><mirrorOf>*</mirrorOf><url>https://m.example</url></mirror></mirrors>
    <servers><server><id>m</id><username>me</username><password>{COQLCE6DU6GtcS5P=}</password></server></servers>"""

    with pytest.raises(
        ValueError, match=r"server m in Maven's settings\.xml is encrypted, .* write it as \$\{env\.NAME"
    ):
        settings(tmp_path, text).repository()


def test_mavens_proxy_reaches_the_jvm_with_its_password(tmp_path):
    text = """<proxies><proxy><active>false</active><host>off.example</host></proxy><proxy><host>p.example</host>
    <port>3128</port><username>me</username><password>s"3\\cret</password><nonProxyHosts>*.in|localhost</nonProxyHosts>
    </proxy></proxies>"""

    options = maven.java_options(settings(tmp_path, text).proxy(), tmp_path / "authorities.jks")

    assert options[2:] == [
        '"-Dhttp.proxyHost=p.example"', '"-Dhttp.proxyPort=3128"', '"-Dhttps.proxyHost=p.example"',
        '"-Dhttps.proxyPort=3128"', '"-Dhttp.nonProxyHosts=*.in|localhost"', '"-Dhttp.proxyUser=me"',
        '"-Dhttp.proxyPassword=s\\"3\\\\cret"', '"-Djdk.http.auth.tunneling.disabledSchemes="',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://u:p%40@p.example:8"}, maven.Proxy("p.example", 8, "u", "p@")),
        ({"https_proxy": "p.example:8", "no_proxy": ".in, host"}, maven.Proxy("p.example", 8, not_for="*.in|host")),
        ({"ALL_PROXY": "http://p.example"}, maven.Proxy("p.example", 8080)),
    ],
)
def test_the_environments_proxy_reaches_the_jvm(environment, proxy):
    assert maven.proxy_of(environment) == proxy


def test_a_trust_store_has_each_certificate_once(tmp_path):
    (tmp_path / "a.pem").write_text("-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n" * 2)

    store = maven.trust_store([tmp_path / "a.pem", tmp_path / "a.pem"])

    assert struct.unpack(">III", store[:12]) == (0xFEEDFEED, 2, 1)
    assert store.count(b"\x01\x02\x03") == 1


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("error: invalid peer certificate: UnknownIssuer", "certificate is not trusted"),
        ("ssl.SSLCertVerificationError: certificate verify failed: unable to get local issuer", "is not trusted"),
        ("npm error code SELF_SIGNED_CERT_IN_CHAIN", "is not trusted"),
        ("Server access error ... PKIX path building failed", "is not trusted"),
        ('Server access error: Unable to tunnel through proxy. Proxy returns "HTTP/1.1 407 Proxy', "asks for a user"),
        ("HTTP status client error (401 Unauthorized) for url", "asks for a user and a password"),
        ("npm error code E403", "refuses access"),
        ("error: the package was not found in the package registry", "does not have it"),
        (":: UNRESOLVED DEPENDENCIES :: a.b#c;1: not found", "does not have it"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("npm error code ETIMEDOUT", ""),
        ("error sending request for url: connection refused", ""),
        ("HTTP status server error (503 Service Unavailable)", ""),
        ("Server access error at url: ConnectException ... UNRESOLVED DEPENDENCIES", ""),
    ],
)
def test_only_what_may_pass_is_tried_again(said, advice):
    found = final_advice(said)

    assert (advice in found) if advice else not found
