"""What a user of the operator reads when API Gateway, a firewall or Kafka refuses; the answers are the stand-ins'."""

import uuid
from functools import partial
from types import SimpleNamespace

import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from pinterest_pipeline.kafka_rest.operators import KafkaRestProduceOperator

TOPIC = "pinterest.dead-letters"
NAME = "pinterest_kafka_rest"


@pytest.fixture(scope="module")
def environment(stand_ins):
    return stand_ins("postgres", "kafka_rest")


@pytest.fixture(autouse=True)
def connection(connections, environment, gateway_faults, use_kafka_rest):
    """Return a function that changes fields of the connection, which points to the fault proxy."""
    change = partial(use_kafka_rest, environment, host=gateway_faults.url)
    change()
    return change


def send(environment, topic=TOPIC):
    task = KafkaRestProduceOperator(
        task_id="send",
        sql="SELECT n AS index FROM generate_series(1, 3) AS n",
        topic=topic,
        key_column="index",
        dead_letter_bucket=environment["PINTEREST_BUCKET"],
        dead_letter_prefix="test/dead-letters",
    )
    ti = SimpleNamespace(dag_id="d", run_id=uuid.uuid4().hex, task_id="send", try_number=1, map_index=-1)
    return task.execute({"ti": ti, "ds": "2026-11-24"})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"kind": "acl"}, f"Not authorized to access topics: .*let the proxy's Kafka user write topic {TOPIC}"),
        ({"name": "WAF_FILTERED"}, "or AWS WAF blocked the request"),
        ({"name": "ACCESS_DENIED"}, "the API's resource policy, .* must allow execute-api:Invoke"),
        ({"name": "QUOTA_EXCEEDED"}, "the usage plan's quota is used up"),
        ({"name": "MISSING_AUTHENTICATION_TOKEN"}, "no such path or method: correct the path in host of connection"),
        ({"status": 301, "headers": {"Location": "https://new.example/v1"}}, "redirects to https://new.example/v1"),
    ],
    ids=lambda given: given if isinstance(given, str) else "-".join(map(str, given.values())),
)
def test_a_refusal_fails_the_task_at_once_and_says_what_to_do(environment, gateway_faults, rule, message):
    gateway_faults.set({"kind": "answer", "times": None, **rule})

    with pytest.raises(PermanentError, match=message):
        send(environment)

    assert len(gateway_faults.fired()) == 1


def test_a_firewall_that_refuses_everything_fails_the_task_without_a_dead_letter(environment, gateway_faults):
    """It may have refused for one record only, so they are taken apart before the task fails."""
    gateway_faults.set({"kind": "answer", "times": None, "name": "FIREWALL"})

    message = f"that is a web page, so a firewall's .* host of connection {NAME}"
    with pytest.raises(PermanentError, match=message):
        send(environment)

    assert len(gateway_faults.fired()) == 6


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "answer", "name": "THROTTLED"},
        {"kind": "answer", "name": "BAD_GATEWAY"},
        {"kind": "answer", "name": "INTEGRATION_FAILURE"},
        {"kind": "answer", "name": "INTEGRATION_TIMEOUT", "when": "after"},
        {"kind": "cut"},
        {"kind": "cut", "when": "after"},
    ],
    ids=lambda rule: "-".join(rule.values()),
)
def test_what_may_pass_is_tried_again_and_all_rows_arrive(environment, gateway_faults, rule):
    gateway_faults.set({"method": "POST", **rule})

    result = send(environment)

    assert (result["acknowledged"], result["dead_letters"], result["retries"]) == (3, 0, 1)
    assert gateway_faults.fired() == [rule["kind"]]


def test_a_server_that_drips_does_not_hold_the_task(gateway_faults):
    gateway_faults.set({"kind": "drip", "seconds": 0.2, "times": None})

    with pytest.raises(TransientError, match="not complete within 1 s"):
        KafkaRestHook(max_attempts=1, read_timeout_seconds=1).topics()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda url: url.removesuffix("/v1"), r"the API key \(password .* or host has no such stage"),
        (lambda url: url.removesuffix("/v1") + "/v2", r"or host has no such stage"),
        (lambda url: "ftp" + url.removeprefix("http"), "host has the scheme 'ftp': write http:// or https://"),
        (lambda url: "https" + url.removeprefix("http"), "no TLS is spoken there: is its scheme http"),
    ],
    ids=["no stage", "another stage", "bad scheme", "no TLS"],
)
def test_a_wrong_host_is_permanent(environment, gateway_faults, connection, change, message):
    connection(host=change(gateway_faults.url))

    with pytest.raises(PermanentError, match=message):
        send(environment)
