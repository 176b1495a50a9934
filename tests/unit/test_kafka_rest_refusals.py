"""Each way to be refused, as the service words it: what the error says, and whether Airflow tries again."""

import json
import re

import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.records import Record
from pinterest_pipeline.kafka_rest.endpoint import RefusedRecordsError, RefusedRequestError, UnknownTopicError
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from pinterest_pipeline.kafka_rest.refusals import REFUSALS, find_refusal
from pinterest_pipeline.kafka_rest.refusals import Answer as Refused
from tests.conftest import PROJECT
from tests.unit.scripted_kafka_rest import Answer, confluent, failed

NAME = "pinterest_kafka_rest"
ANONYMOUS = (
    "User: anonymous is not authorized to perform: execute-api:Invoke on resource: "
    "arn:aws:execute-api:us-east-1:********0000:abc/v1/POST/topics/t"
)
FIREWALL = b"<!DOCTYPE HTML>\n<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD></HTML>"


def gateway(status, message, error_type, field="message"):
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": error_type, "x-amzn-RequestId": "7"}
    return Answer({field: message}, status, headers)


# One for each row of the table, in its order.
ANSWERS = [
    pytest.param(
        Answer(b"", 301, {"Location": "https://elsewhere.example/v2"}),
        PermanentError,
        f"301: no reason given: it redirects to https://elsewhere.example/v2: correct the host of connection {NAME}",
        id="redirect",
    ),
    pytest.param(
        Answer(confluent([failed(40301, "Not authorized to access topics: [t]")] * 2), 403),
        PermanentError,
        r"403: Not authorized to access topics: \[t\]: let the proxy's Kafka user write topic t",
        id="topic ACL",
    ),
    pytest.param(
        Answer(confluent([failed(40101, "SASL authentication failed")]), 401),
        PermanentError,
        r"401: SASL authentication failed: the proxy cannot sign in to Kafka: correct its client\.\* settings",
        id="the proxy's own login",
    ),
    pytest.param(
        Answer({"error_code": 40401, "message": "Topic not found."}, 404),
        UnknownTopicError,
        r"topic t is unknown: create it \(kafka-topics.sh --create --topic t\)",
        id="unknown topic",
    ),
    pytest.param(
        Answer({"error_code": 404, "message": "HTTP 404 Not Found"}, 404),
        PermanentError,
        f"404: HTTP 404 Not Found: no Kafka REST proxy there: correct the host of connection {NAME}",
        id="another server",
    ),
    pytest.param(
        gateway(403, "Missing Authentication Token", "MissingAuthenticationTokenException"),
        PermanentError,
        "403: Missing Authentication Token: API Gateway has no such path or method: "
        f"correct the path in host of connection {NAME}",
        id="wrong path",
    ),
    pytest.param(
        gateway(403, "The security token included in the request is invalid.", "AccessDeniedException"),
        PermanentError,
        f"security token.*: correct the credentials of the AWS connection that `sigv4` .* connection {NAME} names",
        id="wrong access key",
    ),
    pytest.param(
        gateway(403, "Signature expired: 20261127T000000Z is now earlier than", "InvalidSignatureException"),
        PermanentError,
        "Signature expired.*: correct the credentials of .*, its region, and this machine's clock",
        id="signature",
    ),
    pytest.param(
        gateway(403, ANONYMOUS, "AccessDeniedException", field="Message"),
        PermanentError,
        "execute-api:Invoke on resource.*the API's resource policy, or with IAM .* must allow execute-api:Invoke",
        id="resource policy",
    ),
    pytest.param(
        gateway(403, "Forbidden", "ForbiddenException"),
        PermanentError,
        rf"403: Forbidden: the API key \(password of connection {NAME}\) is missing, wrong, .*stage.*AWS WAF",
        id="API key",
    ),
    pytest.param(
        Answer(FIREWALL, 403, {"Content-Type": "text/html"}),
        RefusedRequestError,
        f"403: <!DOCTYPE HTML> .*that is a web page, so a firewall's .*connection {NAME}",
        id="firewall",
    ),
    pytest.param(
        Answer({"error_code": 401, "message": "Unauthorized"}, 401),
        PermanentError,
        rf"401: Unauthorized: check the password \(API key\) of connection {NAME}, and its login",
        id="basic authentication",
    ),
    pytest.param(
        Answer(b"", 407), PermanentError, f"407.*`proxies` in the extra of connection {NAME}", id="forward proxy"
    ),
    pytest.param(
        gateway(429, "Limit Exceeded", "LimitExceededException"),
        PermanentError,
        "429: Limit Exceeded: the usage plan's quota is used up: raise it, or wait until its period ends",
        id="quota",
    ),
    pytest.param(
        gateway(429, "Too Many Requests", "TooManyRequestsException"),
        TransientError,
        "429: Too Many Requests: more requests than the usage plan's rate allows",
        id="throttle",
    ),
    pytest.param(
        Answer(b"HTTP content length exceeded 10485760 bytes.", 413, {"Content-Type": "text/plain"}),
        RefusedRecordsError,
        "413: HTTP content length exceeded 10485760 bytes.: a record, or the request, is too large",
        id="too large",
    ),
    pytest.param(
        Answer({"error_code": 400, "message": "Bad Request"}, 400),
        RefusedRequestError,
        f"400: Bad Request: is the host of connection {NAME} a Kafka REST v2 proxy",
        id="bad request",
    ),
    pytest.param(
        gateway(504, "Endpoint request timed out", "InternalServerErrorException"),
        TransientError,
        "504: Endpoint request timed out: the proxy did not answer API Gateway in time: does the proxy reach Kafka",
        id="the proxy is slow",
    ),
    pytest.param(
        gateway(504, "Network error communicating with endpoint", "InternalServerErrorException"),
        TransientError,
        "504: Network error communicating with endpoint: API Gateway does not reach the proxy",
        id="the proxy is down",
    ),
    pytest.param(
        Answer({"error_code": 50302, "message": "No broker"}, 503), TransientError, "503: No broker", id="outage"
    ),
    pytest.param(
        Answer({"error_code": 415, "message": "HTTP 415 Unsupported Media Type"}, 415),
        PermanentError,
        f"415: .*: is the host of connection {NAME} a Kafka REST v2 proxy",
        id="anything else",
    ),
]


@pytest.fixture
def hook(proxy):
    return KafkaRestHook(max_attempts=2, first_wait_seconds=0.01)


def send(hook):
    """Make the one request of a produce call, so that the error is seen before its records are sent apart."""
    return hook._produce("t", "1 record", body=b'{"records":[{"value":1}]}')


@pytest.mark.parametrize(("answer", "kind", "message"), ANSWERS)
def test_a_refusal_says_what_to_do_and_whether_to_try_again(proxy, hook, answer, kind, message):
    proxy.always = lambda asked: answer

    with pytest.raises(kind, match=message) as caught:
        send(hook)

    assert f"POST {proxy.url}/topics/t" in str(caught.value)
    assert "the-key" not in str(caught.value)
    assert isinstance(caught.value, PermanentError) is (kind not in {TransientError, RefusedRecordsError})


@pytest.mark.parametrize(("answer", "kind", "message"), ANSWERS)
def test_the_test_of_a_connection_says_it_too(proxy, hook, answer, kind, message):
    proxy.always = lambda asked: answer

    worked, said = hook.test_connection()

    assert not worked
    assert f"refused with {answer.status}" in said
    assert len(proxy.asked) == (2 if kind is TransientError else 1)


def test_every_row_has_its_example_and_no_row_hides_another():
    found = []
    for parameters in ANSWERS:
        answer = parameters.values[0]
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        found.append(find_refusal(Refused(answer.status, answer.headers, body)))

    assert found == list(REFUSALS)


def test_the_connection_s_page_has_every_answer_of_the_gateway():
    page = (PROJECT / "docs" / "connections" / "kafka_rest.md").read_text()
    own = [each.values[0] for each in ANSWERS if "x-amzn-ErrorType" in each.values[0].headers]

    for answer in own:
        (message,) = answer.body.values()
        words = "execute-api:Invoke" if "Invoke" in message else " ".join(message.split()[:2]).rstrip(":")
        assert re.search(rf"\| {answer.status} [^|]*{re.escape(words)}", page), message


def test_forbidden_of_a_gateway_that_names_no_kind_is_a_matter_of_credentials(proxy, hook):
    proxy.script = [Answer({"message": "Forbidden"}, 403)]

    with pytest.raises(PermanentError, match=r"check the password \(API key\)"):
        hook.produce("t", [Record(b'"1"', b"1")])


def test_a_firewall_s_web_page_is_permanent_for_a_request_without_records(proxy, hook):
    proxy.always = lambda asked: Answer(FIREWALL, 403)

    with pytest.raises(PermanentError, match="that is a web page") as caught:
        hook.topics()

    assert not isinstance(caught.value, RefusedRequestError)
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", b'"text"', b'{"offsets": 5}', b'{"offsets": [1]}', b"null"])
def test_any_body_is_survived(proxy, hook, body):
    proxy.always = lambda asked: Answer(body, 403)

    with pytest.raises(PermanentError, match="was refused with 403"):
        hook.topics()
