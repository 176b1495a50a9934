"""The sandbox's own calls of Airflow: what is asked again, and what is not, against a server that answers as told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sandbox.run.settings import SandboxError, Settings
from sandbox.servers.airflow import api as airflow_api
from sandbox.servers.airflow.api import AirflowApi


@pytest.fixture
def airflow(tmp_path, monkeypatch):
    """Return settings that lead to a server, the list of what it answers next, and the list of what it was asked."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    answers, asked = [], []

    class Scripted(BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            asked.append(self.path)
            signing_in = self.path == "/auth/token"
            status = 201 if signing_in else answers.pop(0)
            if status is None:  # killed under the request
                self.connection.close()
                return
            body = json.dumps({"access_token": "a.jwt"} if signing_in else {"state": "success"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.answer()

        def do_POST(self):
            self.answer()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Scripted)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    settings = Settings.load_or_create(tmp_path)
    yield Settings(settings.home, {**settings.ports, "airflow": server.server_port}, settings.secrets), answers, asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "first", [[503] * 20, [None, None], [500], [401]], ids=["busy", "killed", "broken", "old token"]
)
def test_a_server_that_is_away_for_a_while_is_asked_again(airflow, first):
    settings, answers, _ = airflow
    answers[:] = [*first, 200]

    with AirflowApi(settings) as api:
        assert api.run_state("any", "run") == "success"
    assert answers == []


def test_a_refusal_is_not_asked_again(airflow):
    settings, answers, asked = airflow
    answers[:] = [404, 200]

    with AirflowApi(settings) as api, pytest.raises(SandboxError, match="refused GET dags/any/dagRuns/run: 404"):
        api.run_state("any", "run")
    assert len(asked) == 2


def test_a_server_that_stays_away_is_given_up(airflow, monkeypatch):
    settings, answers, _ = airflow
    monkeypatch.setattr(airflow_api, "BACK_WITHIN_SECONDS", -1)
    answers[:] = [503, 200]

    with AirflowApi(settings) as api, pytest.raises(SandboxError, match="503"):
        api.run_state("any", "run")


def test_where_nothing_listens_it_is_said_at_once(tmp_path):
    settings = Settings.load_or_create(tmp_path)

    with pytest.raises(SandboxError, match="is the sandbox up"), AirflowApi(settings):
        pass
