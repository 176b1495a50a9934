"""A company's HTTP proxy: it tunnels to one name, which nothing but it knows, and asks for a user and a password."""

import base64
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK_BYTES = 65_536


class ConnectProxy:
    """Tunnels ``CONNECT <name>:443`` to a port of this machine.

    :param login: ``user:password`` that it asks for.
    :ivar tunnels: How many it opened.
    """

    def __init__(self, name: str, port: int, login: str) -> None:
        self.tunnels = 0
        self._target, self._port = f"{name}:443", port
        self._expected = f"Basic {base64.b64encode(login.encode()).decode()}"
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self) -> None:
                if self.headers.get("Proxy-Authorization") != proxy._expected:
                    self.send_response(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)
                    self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if self.path != proxy._target:
                    self.send_error(HTTPStatus.FORBIDDEN)
                    return
                with socket.create_connection(("127.0.0.1", proxy._port)) as upstream:
                    proxy.tunnels += 1
                    self.send_response(HTTPStatus.OK)
                    self.end_headers()
                    back = threading.Thread(target=copy, args=(upstream, self.connection), daemon=True)
                    back.start()
                    copy(self.connection, upstream)
                    back.join()
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(CHUNK_BYTES):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
