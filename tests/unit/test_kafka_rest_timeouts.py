"""A request ends in time, however the server behaves, and not before its time is over."""

import json
import socket
import time
from contextlib import suppress

import pytest

from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.common.records import Record
from tests.unit.raw_http import answering
from tests.unit.scripted_kafka_rest import Answer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
LATE = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"


def dripping(content, seconds=0.05):
    def send(connection):
        for byte in content:
            connection.sendall(bytes([byte]))
            time.sleep(seconds)

    return send


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(OK[:-2] + b"X-Padding: " + b"y" * 500, id="headers"),
        pytest.param(LATE + b"[" + b" " * 1998 + b"]", id="body"),
    ],
)
def test_a_server_that_drips_is_given_up_after_the_whole_time_out(authority, connect, scheme, content):
    head, padding = content.split(b"\r\n\r\n", 1) if content.startswith(LATE) else (b"", content)

    def answer(connection):
        connection.sendall(head + b"\r\n\r\n" if head else b"")
        dripping(padding)(connection)

    tls = authority.server() if scheme == "https" else None
    with answering(answer, tls) as port:
        hook = connect(f"{scheme}://127.0.0.1:{port}/v1", seconds=0.6, extra={"verify": False})
        started = time.monotonic()

        with pytest.raises(TransientError, match=r"the answer was not complete within 0\.6 s"):
            hook.topics()

        assert 0.5 < time.monotonic() - started < 2


def test_the_connection_s_own_time_out_goes_before_the_hook_s(connect):
    with answering(dripping(OK, seconds=0.1)) as port:
        assert connect(f"http://127.0.0.1:{port}/v1", seconds=0.3, extra={"timeout": 30}).topics() == []


def test_an_answer_that_is_slow_but_in_time_is_read_whole_and_the_connection_used_again(http, connect):
    hook = connect(http.url, seconds=2)
    http.always = lambda asked: Answer([f"t{number}" for number in range(20_000)], delay_seconds=0.3)

    assert len(hook.topics()) == len(hook.topics()) == 20_000


def test_sending_has_a_time_out_of_its_own(connect):
    """A body that takes longer to send than the time-out for connecting: urllib3 by itself gives up."""
    body = b'{"v":"' + b"w" * 6_000_000 + b'"}'

    def read_slowly(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        time.sleep(1)
        connection.settimeout(0.3)
        with suppress(TimeoutError):
            while connection.recv(1 << 20):
                pass
        entry = {"partition": 0, "offset": 0, "error_code": None, "error": None}
        content = json.dumps({"offsets": [entry], "key_schema_id": None, "value_schema_id": None}).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)

    with answering(read_slowly) as port:
        hook = connect(f"http://127.0.0.1:{port}/v1")
        hook._connect_seconds = 0.3

        assert hook.produce("t", [Record(b"1", body)]).acknowledged == 1
