"""The page's routes, without Airflow's server: who gets in, what is served, and what is said when nothing answers."""

import socket
import subprocess
import sys
import threading
import time

import pytest
from airflow.api_fastapi.core_api.security import get_user
from fastapi.testclient import TestClient

from pinterest_pipeline import ui
from pinterest_pipeline.ui import routes
from pinterest_pipeline.ui.cache import Cached

ROUTES = ("/", "/static/app.js", "/static/style.css", *(f"/api/{name}" for name in routes.PANELS))


class Rights:
    """Stands for Airflow's auth manager: knows one right."""

    def __init__(self, allowed):
        self.allowed = allowed

    def is_authorized_dag(self, *, method, details, user):  # noqa: ARG002
        return self.allowed and (method, details.id) == ("GET", "pinterest_daily_batch")


@pytest.fixture
def client():
    return TestClient(ui.app)


@pytest.fixture
def signed_in(client, monkeypatch):
    def enter(allowed=True):
        monkeypatch.setitem(routes.page.dependency_overrides, get_user, object)
        monkeypatch.setattr(routes, "get_auth_manager", lambda: Rights(allowed))
        return client

    return enter


@pytest.fixture
def closed_port(monkeypatch):
    """A warehouse connection to a port without a listener; no panel keeps an answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_WAREHOUSE", f"postgresql://u:hunter2@127.0.0.1:{port}/warehouse")
    monkeypatch.setattr(routes, "PANELS", {name: Cached(each._compute, 0) for name, each in routes.PANELS.items()})
    return port


@pytest.mark.parametrize("route", ROUTES)
def test_without_a_session_nothing_is_served(client, route):
    assert client.get(route).status_code == 401


def test_a_browser_without_a_session_is_sent_to_the_login_and_back(client, monkeypatch):
    class Manager:
        def get_url_login(self, *, next_url):
            return f"/auth/login?next={next_url}"

    monkeypatch.setattr(routes, "get_auth_manager", Manager)
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

    sent = client.get("/", headers=browser, follow_redirects=False)

    assert (sent.status_code, sent.headers["location"]) == (307, "/auth/login?next=http://testserver/")
    assert client.get("/api/flow", headers=browser, follow_redirects=False).status_code == 401


@pytest.mark.parametrize("route", ROUTES)
def test_who_may_not_see_the_batch_sees_nothing(signed_in, route):
    answered = signed_in(allowed=False).get(route)

    assert answered.status_code == 403
    assert "ask for the right" in answered.json()["detail"]


def test_every_route_asks_who_it_is(client):
    served = {route.path for route in routes.page.routes}

    assert served == {"/", "/static/{name}", "/api/{name}"}


def test_the_page_and_each_file_it_names_are_served(signed_in):
    client = signed_in()
    page = client.get("/")

    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text
    for name, file in routes.FILES.items():
        served = client.get(f"/static/{name}")
        assert (served.status_code, served.content) == (200, file.read_bytes())
        assert b"innerHTML" not in served.content


@pytest.mark.parametrize("name", ["index.html", "..%2Fapp.py", "%2e%2e/app.py", "nothing.js"])
def test_no_other_file_is_served(signed_in, name):
    assert signed_in().get(f"/static/{name}").status_code == 404


def test_a_panel_that_there_is_not_is_named(signed_in):
    assert "answers, flow, health" in signed_in().get("/api/nothing").json()["detail"]


@pytest.mark.parametrize("panel", ["flow", "stream", "quarantine", "answers"])
def test_a_warehouse_that_is_down_is_reported_without_its_secret(signed_in, closed_port, panel):
    answered = signed_in().get(f"/api/{panel}")

    assert answered.status_code == 200
    said = answered.json()
    assert said["state"] == "unavailable"
    assert str(closed_port) in said["why"]
    assert "pinterest_warehouse" in said["remedy"]
    assert "hunter2" not in answered.text


def test_a_connection_that_is_missing_or_incomplete_is_named(signed_in, closed_port, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_WAREHOUSE", '{"conn_type": "postgres", "host": "h"}')

    assert "lacks schema (the database) and login (the role)" in signed_in().get("/api/flow").json()["why"]


def test_an_answer_is_computed_once_for_all_who_ask_at_once():
    calls = []
    cached = Cached(lambda: (time.sleep(0.2), calls.append(1), {"state": "ok"})[-1], 60)
    threads = [threading.Thread(target=cached.get) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert calls == [1]


def test_while_a_slow_answer_is_computed_the_last_one_is_given():
    gate, answers = threading.Event(), iter([{"n": 1}, {"n": 2}])

    def compute():
        answer = next(answers)
        if answer["n"] == 2:
            gate.wait(10)
        return answer

    cached = Cached(compute, 0)
    assert cached.get() == {"n": 1}
    slow = threading.Thread(target=cached.get)
    slow.start()
    while not cached._lock.locked():
        time.sleep(0.01)

    assert cached.get() == {"n": 1}

    gate.set()
    slow.join()
    assert cached._answer == {"n": 2}


def test_registering_the_page_imports_nothing_heavy():
    script = "import sys, pinterest_pipeline.ui; print({'airflow', 'fastapi', 'sqlalchemy'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "set()"
