"""``sandbox open``: the pipeline's page in Airflow, in this machine's browser, without typing a password.

The browser is sent to an address of ours that works once, has a random path, and answers with Airflow's session cookie
and the way to the page: a cookie is of a host, not of a port.
"""

import os
import secrets
import sys
import time
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

from sandbox.run.settings import CALL_SECONDS, Settings
from sandbox.servers.airflow.api import USERNAME, AirflowApi

PAGE = "/plugin/pinterest"
COOKIE = "_token"  # Airflow's, COOKIE_NAME_JWT_TOKEN


def run(settings: Settings) -> int:
    page = f"{settings.url('airflow')}{PAGE}"
    with AirflowApi(settings) as api:
        token = api.token
    if has_browser() and hand_over(token, page, webbrowser.open):
        print(f"open: {page} is in your browser")
    else:
        print(f"open: no browser here; open {page}")
        print(f"  user {USERNAME}, password {settings.secrets['airflow_password']}")
    return 0


def has_browser() -> bool:
    """Whether there is a browser with windows: a text browser shows nothing of the page."""
    has_windows = sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & os.environ.keys()
    try:
        return bool(has_windows and webbrowser.get())
    except webbrowser.Error:
        return False


def hand_over(token: str, page: str, open_browser: Callable[[str], object]) -> bool:
    """Open ``page`` with the session of ``token``; False where no browser came for it."""
    path = f"/{secrets.token_urlsafe(32)}"
    came: list[str] = []

    class Once(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if came or not secrets.compare_digest(self.path, path):
                self.send_error(404)
                return
            came.append(self.path)
            self.send_response(303)
            self.send_header("Set-Cookie", f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Location", page)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing: the path is a credential."""

    with HTTPServer(("127.0.0.1", 0), Once) as server:
        server.timeout = 1
        if not open_browser(f"http://127.0.0.1:{server.server_port}{path}"):
            return False
        deadline = time.monotonic() + CALL_SECONDS
        while not came and time.monotonic() < deadline:
            server.handle_request()
    return bool(came)
