"""A proxy before PostgreSQL that behaves as PgBouncer does where a client notices; PyPI has no PgBouncer.

- A start-up parameter that it does not know, ``options`` for one, is refused in PgBouncer's words.
- It names no process of PostgreSQL's: the process id and the key of a session are its own.
- ``session``: a client has a session of PostgreSQL until it leaves. ``transaction``: only until the transaction ends;
  the next one gets the session that was used last.

With a TLS context it is also the server with a certificate that the sandbox's PostgreSQL, built without TLS, is not. It
lets every client in; PostgreSQL lets in the proxy, as the role of its URL.
"""

import os
import select
import socket
import ssl
import struct
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
KNOWN_PARAMETERS = {"user", "database", "application_name", "client_encoding", "datestyle", "timezone"}
STATUS = {"server_version": "18.6", "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
          "TimeZone": "UTC", "integer_datetimes": "on", "standard_conforming_strings": "on"}  # fmt: skip


class Pooler:
    """Use as a context; ``url`` is then the server's with this proxy's port."""

    def __init__(self, server_url: str, mode: str = "session", tls: ssl.SSLContext | None = None) -> None:
        self.server_url = server_url
        self.mode = mode
        self.tls = tls
        self.idle: list[Session] = []
        self.lock = threading.Lock()
        self.refused: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        parts = urlsplit(server_url)
        login = parts.netloc.rpartition("@")[0]
        place = f"{login}@127.0.0.1:{self.listener.getsockname()[1]}"
        self.url = urlunsplit((parts.scheme, place, parts.path, parts.query, ""))

    def __enter__(self) -> "Pooler":
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for session in self.idle:
            session.close()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: Any) -> None:
        with suppress(OSError):
            client = self.greet(client)
            if client is not None:
                self.relay(client)
        if client is not None:
            client.close()

    def greet(self, client: Any) -> Any:
        """Do what comes before the first statement; return the socket to go on with, None for a refused client."""
        while True:
            size, code = struct.unpack("!ii", exactly(client, 8))
            body = exactly(client, size - 8)
            if code == SSL_REQUEST and self.tls:
                client.sendall(b"S")
                client = self.tls.wrap_socket(client, server_side=True)
            elif code in (SSL_REQUEST, GSS_REQUEST):
                client.sendall(b"N")
            elif code == CANCEL_REQUEST:
                client.close()
                return None
            else:
                break
        words = body.rstrip(b"\0").decode().split("\0")
        parameters = dict(zip(words[::2], words[1::2], strict=True))
        if unknown := sorted(parameters.keys() - KNOWN_PARAMETERS):
            self.refused += unknown
            said = f"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: {unknown[0]}\0\0".encode()
            client.sendall(message(b"E", said))
            client.close()
            return None
        status = b"".join(message(b"S", f"{name}\0{value}\0".encode()) for name, value in STATUS.items())
        key = message(b"K", struct.pack("!ii", 1, 1))
        client.sendall(message(b"R", struct.pack("!i", 0)) + status + key + message(b"Z", b"I"))
        return client

    def relay(self, client: Any) -> None:
        session: Session | None = None
        try:
            while True:
                waiting = [client] if session is None else [client, session.socket]
                readable = waiting if pending(client) else select.select(waiting, [], [])[0]
                if client in readable:
                    data = client.recv(65536)
                    if not data or data[:1] == b"X":
                        return
                    session = session or self.take()
                    session.socket.sendall(data)
                    if pending(client) or session.socket not in readable:
                        continue
                if session is not None and session.socket in readable:
                    answer = session.socket.recv(65536)
                    if not answer:
                        return
                    is_over = session.ends_transaction(answer)
                    client.sendall(answer)
                    if is_over and self.mode == "transaction":
                        self.give_back(session)
                        session = None
        finally:
            if session is not None:
                session.close()

    def take(self) -> "Session":
        with self.lock:
            return self.idle.pop() if self.idle else Session(self.server_url)

    def give_back(self, session: "Session") -> None:
        with self.lock:
            self.idle.append(session)


class Session:
    """A session of PostgreSQL that libpq opened, as its bare socket."""

    def __init__(self, url: str) -> None:
        from psycopg import pq  # not in every environment that imports the helpers

        self.opened = pq.PGconn.connect(url.encode())
        assert self.opened.status == pq.ConnStatus.OK, self.opened.error_message
        self.socket = socket.socket(fileno=os.dup(self.opened.socket))
        self.socket.setblocking(True)
        self.unread = b""

    def ends_transaction(self, answer: bytes) -> bool:
        """Say whether an answer ends with the server ready, and in no transaction."""
        self.unread += answer
        kind, status = b"", b""
        while len(self.unread) >= 5:
            size = struct.unpack("!i", self.unread[1:5])[0] + 1
            if len(self.unread) < size:
                return False
            kind, status, self.unread = self.unread[:1], self.unread[5:6], self.unread[size:]
        return not self.unread and (kind, status) == (b"Z", b"I")

    def close(self) -> None:
        self.socket.close()
        self.opened.finish()


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def exactly(client: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        if not more:
            raise OSError("the client left")
        data += more
    return data


def pending(client: Any) -> bool:
    return isinstance(client, ssl.SSLSocket) and client.pending() > 0
