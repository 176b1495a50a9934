"""A Kafka REST proxy that answers what a test tells it to, on a real socket, and remembers what it was asked."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook


@dataclass
class Asked:
    """One request as the proxy saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def records(self) -> list[dict[str, Any]]:
        return json.loads(self.body)["records"] if self.body else []

    @property
    def keys(self) -> list[str]:
        return [str(record["key"]) for record in self.records]


@dataclass
class Answer:
    """One answer; ``delay_seconds`` before it, and no answer at all with ``hang_up``."""

    body: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    hang_up: bool = False


class ScriptedKafkaRest:
    """Answers the first requests by ``script``, and then delivers every record to partition 0; https with ``tls``."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.script: list[Answer | Callable[[Asked], Answer]] = []
        self.always: Callable[[Asked], Answer] = self.deliver
        self.lock = threading.Lock()
        self.offset = 0
        self.in_flight = 0
        self.most_in_flight = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.answer(self)

            def do_POST(self) -> None:
                proxy.answer(self)

            def do_DELETE(self) -> None:
                proxy.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.scheme = "https" if tls else "http"
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def produced(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == "POST"]

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}/gate/v1"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        asked = Asked(handler.command, handler.path, headers, body)
        with self.lock:
            self.asked.append(asked)
            scripted = self.script.pop(0) if self.script else self.always
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        answer = scripted(asked) if callable(scripted) else scripted
        time.sleep(answer.delay_seconds)
        with self.lock:
            self.in_flight -= 1
        if answer.hang_up:
            handler.close_connection = True
            return
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def deliver(self, asked: Asked) -> Answer:
        if asked.method == "GET":
            return Answer([] if asked.path.endswith("/partitions") else {"name": asked.path.rpartition("/")[2]})
        return Answer(confluent([self.delivered() for _ in asked.keys]))

    def delivered(self) -> dict[str, object]:
        with self.lock:
            self.offset += 1
            return {"partition": 0, "offset": self.offset - 1, "error_code": None, "error": None}


def confluent(entries: list[dict[str, object]]) -> dict[str, object]:
    return {"offsets": entries, "key_schema_id": None, "value_schema_id": None}


def failed(code: int, error: str = "why") -> dict[str, object]:
    return {"partition": None, "offset": None, "error_code": code, "error": error}


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedKafkaRest]:
    """Yield a proxy that knows one topic, ``t``."""
    scripted = ScriptedKafkaRest(tls)
    scripted.always = lambda asked: Answer(["t"])
    try:
        yield scripted
    finally:
        scripted.close()


def permanent(hook: KafkaRestHook, message: str) -> None:
    """Assert that listing the topics fails for good, in one line that has no secret."""
    with pytest.raises(PermanentError, match=message) as caught:
        hook.topics()
    said = str(caught.value)
    assert "the-key" not in said
    assert "\n" not in said
    assert len(said) < 400
