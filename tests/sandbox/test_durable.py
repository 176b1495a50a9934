"""What ministack's door does before it lets an answer through: without ministack."""

import asyncio
import logging

import pytest
from starlette.responses import PlainTextResponse

from sandbox.run.disk import MEBIBYTE, shortage
from sandbox.servers.ministack.durable import Durable

PLENTY = 2**62


class EndedError(Exception):
    """The process would end here."""


def request(method, path, service, query="", **headers):
    authorization = f"AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host"
    given = {"host": "127.0.0.1", "authorization": authorization, **headers}
    return {
        "type": "http", "method": method, "path": path, "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip


def ended(code):
    raise EndedError(code)


def call(folder, scope, *, answered=200, logged=(), min_free=0, save=None):
    """Return what was answered, and the order of what happened: a save, the answer."""
    happened = []

    async def server(scope, receive, send):
        for logger, text in logged:
            logging.getLogger(logger).warning(text)
        await PlainTextResponse("done", answered)(scope, receive, send)

    async def send(message):
        happened.append(message.get("status", message.get("body")))

    def saved():
        happened.append("saved")
        if save:
            save()

    door = Durable(server, folder, saved, min_free, ended)
    asyncio.run(door(scope, None, send))
    return happened


@pytest.mark.parametrize(
    ("scope", "happened"),
    [
        pytest.param(request("POST", "/restapis", "apigateway"), ["saved", 200, b"done"], id="an API"),
        pytest.param(request("PUT", "/bucket", "s3", "versioning="), ["saved", 200, b"done"], id="a bucket's setting"),
        pytest.param(request("DELETE", "/bucket", "s3"), ["saved", 200, b"done"], id="a bucket"),
        pytest.param(
            request("POST", "/", "secretsmanager", x_amz_target="secretsmanager.PutSecretValue"),
            ["saved", 200, b"done"], id="a secret",
        ),
        pytest.param(
            request("POST", "/", "secretsmanager", x_amz_target="secretsmanager.GetSecretValue"),
            [200, b"done"], id="a secret that is read",
        ),
        pytest.param(request("PUT", "/bucket/key", "s3"), [200, b"done"], id="an object, which ministack writes"),
        pytest.param(request("POST", "/bucket", "s3", "delete="), [200, b"done"], id="objects deleted"),
        pytest.param(request("GET", "/restapis", "apigateway"), [200, b"done"], id="a read"),
        pytest.param(request("POST", "/", "monitoring"), [200, b"done"], id="metrics"),
    ],
)  # fmt: skip
def test_what_only_memory_holds_is_written_before_the_answer(tmp_path, scope, happened):
    assert call(tmp_path, scope) == happened


def test_a_refused_change_is_not_written(tmp_path):
    assert call(tmp_path, request("POST", "/restapis", "apigateway"), answered=400) == [400, b"done"]


@pytest.mark.parametrize(
    ("logger", "text"),
    [
        ("s3", "Failed to persist S3 object b/k: [Errno 28] No space left on device"),
        ("s3", "Failed to delete persisted S3 object b/k: [Errno 5] Input/output error"),
        ("persistence", "Persistence: failed to save s3: [Errno 28] No space left on device"),
    ],
)
def test_what_could_not_be_written_ends_the_process_without_an_answer(tmp_path, logger, text):
    with pytest.raises(EndedError):
        call(tmp_path, request("PUT", "/bucket/key", "s3"), logged=[(logger, text)])


def test_settings_that_could_not_be_written_end_it_too(tmp_path):
    def save():
        logging.getLogger("persistence").error("Persistence: failed to save s3: [Errno 28] No space left on device")

    with pytest.raises(EndedError):
        call(tmp_path, request("PUT", "/bucket", "s3"), save=save)


def test_other_warnings_are_no_loss(tmp_path):
    happened = call(tmp_path, request("PUT", "/b/k", "s3"), logged=[("s3", "S3 notification: SQS queue x not found")])

    assert happened == [200, b"done"]


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        pytest.param(request("PUT", "/bucket/key", "s3"), 503, id="an object"),
        pytest.param(request("POST", "/bucket/key", "s3", "uploads="), 503, id="an upload in parts"),
        pytest.param(request("POST", "/restapis", "apigateway"), 503, id="an API"),
        pytest.param(request("GET", "/bucket/key", "s3"), 200, id="a read"),
        pytest.param(request("DELETE", "/bucket/key", "s3"), 200, id="an object deleted"),
        pytest.param(request("POST", "/bucket", "s3", "delete="), 200, id="objects deleted"),
    ],
)
def test_a_nearly_full_disk_takes_no_more_but_gives_and_deletes(tmp_path, scope, status):
    answered, *_ = [part for part in call(tmp_path, scope, min_free=PLENTY) if part != "saved"]

    assert answered == status


def test_the_refusal_says_what_to_do_in_the_services_own_form(tmp_path):
    in_xml = call(tmp_path, request("PUT", "/bucket/key", "s3"), min_free=PLENTY)[1]
    in_json = call(tmp_path, request("POST", "/restapis", "apigateway"), min_free=PLENTY)[1]

    assert b"<Code>ServiceUnavailable</Code><Message>The disk of " in in_xml
    assert b'"message":"The disk of ' in in_json


def test_what_a_request_brings_needs_room_too(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10 * MEBIBYTE}))

    assert shortage(tmp_path, 9 * MEBIBYTE, MEBIBYTE) is None
    assert shortage(tmp_path, 9 * MEBIBYTE + 1, MEBIBYTE) == (
        f"The disk of {tmp_path} is nearly full: 10 MiB are free, 10 MiB are needed. Delete something there."
    )
    large = request("PUT", "/bucket/key", "s3", content_length=str(10 * MEBIBYTE))
    assert call(tmp_path, large, min_free=MEBIBYTE)[0] == 503
