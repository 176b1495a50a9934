"""``make open``: who gets the session, and what is said where no browser is."""

import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from sandbox.demo import open_page
from sandbox.run.settings import Settings

PAGE = "http://127.0.0.1:18080/plugin/pinterest"


def get(url, path=None):
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request("GET", path or urlsplit(url).path)
    return connection.getresponse()


def test_the_browser_gets_the_session_and_is_sent_to_the_page():
    visits = []

    def browser(url):
        visits.append(visitors.submit(lambda: (get(url, "/guessed"), get(url))))
        return True

    with ThreadPoolExecutor(1) as visitors:
        assert open_page.hand_over("the.jwt", PAGE, browser)
    stranger, own = visits[0].result()
    assert (stranger.status, stranger.headers["Set-Cookie"]) == (404, None)
    assert (own.status, own.headers["Location"]) == (303, PAGE)
    assert own.headers["Set-Cookie"] == "_token=the.jwt; Path=/; HttpOnly; SameSite=Lax"


def test_the_address_works_once_and_no_longer_than_the_command():
    addresses = []

    def browser(url):
        addresses.append(url)
        visitors.submit(get, url)
        return True

    with ThreadPoolExecutor(1) as visitors:
        open_page.hand_over("the.jwt", PAGE, browser)

    with pytest.raises(OSError, match="refused"):
        get(addresses[0])


def test_a_browser_that_did_not_start_gets_nothing():
    assert not open_page.hand_over("the.jwt", PAGE, lambda _: False)


class SignedIn:
    """An Airflow that lets the user in."""

    token = "the.jwt"

    def __init__(self, settings):
        self.settings = settings

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_where_there_is_no_browser_the_address_is_said_with_user_and_password(tmp_path, monkeypatch, capsys):
    settings = Settings.load_or_create(tmp_path)
    monkeypatch.setattr(open_page, "AirflowApi", SignedIn)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")

    assert open_page.run(settings) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"open: no browser here; open {settings.url('airflow')}/plugin/pinterest",
        f"  user admin, password {settings.secrets['airflow_password']}",
    ]


def test_the_users_browser_is_opened(tmp_path, monkeypatch, capsys):
    settings = Settings.load_or_create(tmp_path)
    monkeypatch.setattr(open_page, "AirflowApi", SignedIn)
    program = tmp_path / "browser.py"
    program.write_text(
        f"import sys, urllib.request\nopen({str(tmp_path / 'opened')!r}, 'w').write(sys.argv[1])\n"
        "try: urllib.request.urlopen(sys.argv[1])\nexcept OSError: pass\n"
    )
    monkeypatch.setenv("BROWSER", f"{sys.executable} {program} %s &")

    assert open_page.run(settings) == 0
    assert capsys.readouterr().out == f"open: {settings.url('airflow')}/plugin/pinterest is in your browser\n"
    assert (tmp_path / "opened").read_text().startswith("http://127.0.0.1:")
