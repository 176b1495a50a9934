"""Answers of the Databricks API that are no success: what they say, and when the same request may succeed."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import requests
import tenacity

from pinterest_pipeline.common.backoff import LONGEST_RETRY_AFTER_SECONDS, pause_seconds, retry_after_seconds
from pinterest_pipeline.common.compat import AirflowException
from pinterest_pipeline.common.errors import PermanentError, PipelineError, TransientError, is_retryable_status
from pinterest_pipeline.databricks.errors import NotThereError, RefusedError

ATTEMPTS = 3
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 8.0
STATUS_CODE = re.compile(r"Status Code: (\d{3})")
ANSWER = re.compile(r"Response: (.*), Status Code", re.DOTALL)
GONE = re.compile(r"does not exist|was deleted|has been deleted")  # in answers 400, for a run and for its token
SHOWN_CHARACTERS = 200  # of an answer that is no JSON


def attempts() -> dict[str, object]:
    """Return tenacity's arguments: bounded attempts, as far apart as ``Retry-After`` asks for, up to a minute."""
    return {"stop": tenacity.stop_after_attempt(ATTEMPTS), "wait": _wait_seconds}


def _wait_seconds(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    answer = getattr(error, "response", None)
    requested = 0.0 if answer is None else retry_after_seconds(answer.headers.get("Retry-After"), datetime.now(UTC))
    pause = pause_seconds(state.attempt_number, first=FIRST_WAIT_SECONDS, longest=LONGEST_WAIT_SECONDS)
    return max(pause, min(requested, LONGEST_RETRY_AFTER_SECONDS))


@contextmanager
def calling(doing: str, connection_id: str) -> Iterator[None]:
    """Translate the provider's errors, which name a status only in their text, into ours."""
    try:
        yield
    except PipelineError:
        raise
    except AirflowException as error:
        raise api_error(doing, connection_id, _answer_in(error)) from error
    except requests.exceptions.JSONDecodeError as error:
        raise no_json(doing, connection_id, error.doc) from error
    except requests.RequestException as error:
        raise TransientError(f"Databricks, {doing}: no answer: {error!r}") from error


def _answer_in(error: AirflowException) -> str:
    """Return the provider's text; where it gave up, its text leaves out what Databricks said."""
    cause = error.__cause__ or error.__context__
    last = cause.last_attempt.exception() if isinstance(cause, tenacity.RetryError) else None
    answer = last.response if isinstance(last, requests.HTTPError) else None
    return str(error) if answer is None else f"Response: {answer.text}, Status Code: {answer.status_code}"


def no_json(doing: str, connection_id: str, text: str) -> TransientError:
    """Return the error of a 200 that the API did not send: a login page, or a proxy's."""
    begin = " ".join(text.split())[:SHOWN_CHARACTERS]
    return TransientError(
        f"Databricks, {doing}: 200, but no JSON object ({begin!r}): is the host of connection {connection_id} a "
        "workspace, and no proxy or login page in between?"
    )


def api_error(doing: str, connection_id: str, text: str) -> PipelineError:
    """Classify an answer that is no success."""
    found = STATUS_CODE.search(text)
    if found is None:
        return TransientError(f"Databricks, {doing}: {text}")
    status, code, message = int(found.group(1)), "", text
    if answer := ANSWER.search(text):
        code, message = _code_and_message(answer.group(1))
    said = f"Databricks, {doing}: {status} {code} {message}".rstrip()
    if is_retryable_status(status):
        return TransientError(said)
    if status in {401, 403}:
        advice = f"check the token of connection {connection_id} and what it may do."
        return RefusedError(f"{said}: {advice}", is_expired=status == 401)
    is_gone = status == 404 or (status == 400 and GONE.search(message))
    return NotThereError(said, code) if is_gone else PermanentError(said)


def _code_and_message(answer: str) -> tuple[str, str]:
    try:
        parsed = json.loads(answer)
        return parsed.get("error_code", ""), parsed.get("message", "")
    except (ValueError, AttributeError):
        return "", " ".join(answer.split())[:SHOWN_CHARACTERS]
