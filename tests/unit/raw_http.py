"""An HTTP server of one connection at a time that says what a test tells it to, byte by byte."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def answering(answer: Callable[[socket.socket], object], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Accept one connection after the other, read a request's head, and let ``answer`` do the rest; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with suppress(OSError), tls.wrap_socket(connection, server_side=True) if tls else connection as spoken:
                while b"\r\n\r\n" not in spoken.recv(65536):
                    pass
                answer(spoken)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
