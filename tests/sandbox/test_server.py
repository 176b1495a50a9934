"""How the sandbox asks a server that starts whether it is ready."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from sandbox.run.server import http_get
from sandbox.run.settings import free_port


class Starting(BaseHTTPRequestHandler):
    """Answers 503 with a body, and something that is no HTTP below ``/broken``."""

    def do_GET(self) -> None:
        if self.path == "/broken":
            self.wfile.write(b"SSH-2.0\r\n")
            return
        self.send_response(503)
        self.end_headers()
        self.wfile.write(b"starting")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Starting) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_error_is_an_answer_too(url: str) -> None:
    assert http_get(url) == (503, b"starting")


def test_where_nothing_speaks_http_it_is_an_os_error(url: str) -> None:
    for silent in (f"http://127.0.0.1:{free_port()}", f"{url}/broken"):
        with pytest.raises(OSError, match=r"127\.0\.0\.1|refused"):
            http_get(silent)
