"""What an answer other than 200 means, and what to do about it: one table for the proxy and all that stands before it.

API Gateway's own answers are JSON of one field, ``message`` (``Message`` where access is denied), and name their kind
in the header ``x-amzn-ErrorType``. Sources: AWS re:Post, "HTTP 403 errors from API Gateway" and "429 errors"; gateway
response types of the API Gateway developer guide. Confluent's proxy answers ``{"error_code", "message"}``, or, to a
produce request that Kafka's ACL refuses, 403 with the ``offsets`` of its records (``ProduceResponse`` in its source).
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, NamedTuple

from pinterest_pipeline.common.backoff import retry_after_seconds
from pinterest_pipeline.common.errors import PermanentError, PipelineError
from pinterest_pipeline.kafka_rest.endpoint import (
    CREATE_TOPIC,
    RefusedRecordsError,
    RefusedRequestError,
    UnansweredError,
    UnknownTopicError,
)

LONGEST_QUOTED_BODY = 200


class Kind(StrEnum):
    """What can help after a refusal."""

    TRANSIENT = "transient"  # the same request may succeed later
    PERMANENT = "permanent"  # a person must change something
    RECORDS = "records"  # one of the request's records is at fault: the others may pass without it
    TOPIC = "topic"  # permanent: there is no such topic
    REQUEST = "request"  # permanent, unless a record is at fault: what stands before the proxy reads bodies, too


class Refusal(NamedTuple):
    """One row: which answers it is for, and what to say.

    :param status: Pattern of the whole status.
    :param error_type: Pattern within ``x-amzn-ErrorType``, "" for any, and none.
    :param says: Pattern within the answer's words.
    :param remedy: May name ``{conn_id}``, ``{topic}``, ``{create}`` and ``{location}`` (of a redirect).
    :param code: Pattern of the proxy's ``error_code``; "" also where there is none.
    """

    status: str
    error_type: str
    says: str
    kind: Kind
    remedy: str
    code: str = ""


API_KEY = (
    "the API key (password of connection {conn_id}) is missing, wrong, disabled or in no usage plan of this stage; or "
    "host has no such stage (it ends with /<stage>); or AWS WAF blocked the request (its log names the rule)"
)
ACCESS_DENIED = (
    "the API's resource policy, or with IAM authorization the caller's own, must allow execute-api:Invoke; a change of "
    "the policy needs a deployment of the stage"
)
SIGNATURE = (
    "correct the credentials of the AWS connection that `sigv4` in the extra of connection {conn_id} names, its "
    "region, and this machine's clock"
)
TOPIC_ACL = (
    "let the proxy's Kafka user write topic {topic} (ACL Write and Describe; on MSK with IAM kafka-cluster:WriteData "
    "and kafka-cluster:DescribeTopic)"
)

# The first row that fits counts.
REFUSALS = (
    Refusal("3..", "", "", Kind.PERMANENT, "it redirects to {location}: correct the host of connection {conn_id}"),
    Refusal(".*", "", "", Kind.PERMANENT, TOPIC_ACL, code="40301"),
    Refusal(".*", "", "", Kind.PERMANENT, "the proxy cannot sign in to Kafka: correct its client.* settings", "40101"),
    Refusal("404", "", "(?i)topic", Kind.TOPIC, "topic {topic} is unknown: {create}", code="404(..)?"),
    Refusal("404", "", "", Kind.PERMANENT, "no Kafka REST proxy there: correct the host of connection {conn_id}"),
    Refusal(
        "403",
        "MissingAuthenticationToken",
        "",
        Kind.PERMANENT,
        "API Gateway has no such path or method: correct the path in host of connection {conn_id} (it ends with "
        "/<stage>) and deploy the stage; an API with IAM authorization needs `sigv4` in the extra",
    ),
    Refusal("403", "AccessDenied", "security token", Kind.PERMANENT, SIGNATURE),
    Refusal(
        "40[03]", "InvalidSignature|UnrecognizedClient|ExpiredToken|IncompleteSignature", "", Kind.PERMANENT, SIGNATURE
    ),
    Refusal("403", "AccessDenied", "", Kind.PERMANENT, ACCESS_DENIED),
    Refusal("403", "Forbidden", "", Kind.PERMANENT, API_KEY),
    Refusal(
        "40[36]",
        "",
        r"(?i)<(!doctype|html)",
        Kind.REQUEST,
        "that is a web page, so a firewall's (AWS WAF, CloudFront, a proxy of the network): let this machine, and what "
        "the records hold, pass to the host of connection {conn_id}",
    ),
    Refusal(
        "401|403",
        "",
        "",
        Kind.PERMANENT,
        "check the password (API key) of connection {conn_id}, and its login where it has one",
    ),
    Refusal(
        "407", "", "", Kind.PERMANENT, "the forward proxy wants a login: `proxies` in the extra of connection {conn_id}"
    ),
    Refusal(
        "429",
        "LimitExceeded",
        "",
        Kind.PERMANENT,
        "the usage plan's quota is used up: raise it, or wait until its period ends",
    ),
    Refusal("429", "", "", Kind.TRANSIENT, "more requests than the usage plan's rate allows"),
    Refusal("413|422", "", "", Kind.RECORDS, "a record, or the request, is too large or not as the proxy expects it"),
    Refusal("400", "", "", Kind.REQUEST, "is the host of connection {conn_id} a Kafka REST v2 proxy?"),
    Refusal(
        "504",
        "",
        "(?i)timed out",
        Kind.TRANSIENT,
        "the proxy did not answer API Gateway in time: does the proxy reach Kafka?",
    ),
    Refusal(
        "504",
        "",
        "(?i)network error",
        Kind.TRANSIENT,
        "API Gateway does not reach the proxy: does it run, and is the integration's address right?",
    ),
    Refusal("408|5..", "", "", Kind.TRANSIENT, "the proxy, or what stands before it, may recover"),
    Refusal("...", "", "", Kind.PERMANENT, "is the host of connection {conn_id} a Kafka REST v2 proxy?"),
)


class Answer(NamedTuple):
    """An answer other than 200. ``headers`` ignores case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def find_refusal(answer: Answer) -> Refusal:
    """Return the row that an answer falls under."""
    code, words = read_error(answer.body)
    error_type = answer.headers.get("x-amzn-ErrorType", "")
    return next(
        row
        for row in REFUSALS
        if re.fullmatch(row.status, str(answer.status))
        and re.search(row.error_type, error_type)
        and re.search(row.says, words)
        and (not row.code or re.fullmatch(row.code, str(code)))
    )


def refusal(what: str, answer: Answer, *, conn_id: str, topic: str | None = None, has_records: bool) -> PipelineError:
    """Return the error that an answer other than 200 amounts to.

    :param what: The request, for the message.
    :param has_records: Whether records were sent, one of which may be at fault.
    """
    row = find_refusal(answer)
    code, words = read_error(answer.body)
    location = answer.headers.get("Location", "an unnamed place")
    remedy = row.remedy.format(
        conn_id=conn_id, topic=topic or "(any)", create=CREATE_TOPIC.format(topic=topic), location=location
    )
    said = f"{what} was refused with {answer.status}: {words or 'no reason given'}: {remedy}"
    if row.kind is Kind.TRANSIENT:
        wait_seconds = retry_after_seconds(answer.headers.get("Retry-After"), datetime.now(UTC))
        timed_out = answer.status == HTTPStatus.GATEWAY_TIMEOUT
        return UnansweredError(said, wait_seconds, timed_out=timed_out, status=answer.status)
    if row.kind is Kind.RECORDS and has_records:
        return RefusedRecordsError(said, code or answer.status)
    if row.kind is Kind.REQUEST and has_records:
        return RefusedRequestError(said, code or answer.status)
    return UnknownTopicError(said) if row.kind is Kind.TOPIC else PermanentError(said)


def read_error(body: bytes) -> tuple[int | None, str]:
    """Return the proxy's code and words; no code where the body is not the proxy's but a gateway's."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None, " ".join(body[:LONGEST_QUOTED_BODY].decode(errors="replace").split())
    if not isinstance(answer, dict):
        return None, str(answer)[:LONGEST_QUOTED_BODY]
    entry = first_failure(answer.get("offsets")) or answer
    code = entry.get("error_code")
    words = entry.get("message") or entry.get("Message") or entry.get("error") or ""
    return code if isinstance(code, int) else None, str(words)


def first_failure(entries: Any) -> Mapping[str, Any] | None:
    """Return the first of the ``offsets`` that is a failure."""
    if not isinstance(entries, list):
        return None
    return next((entry for entry in entries if isinstance(entry, dict) and entry.get("error_code")), None)
