"""An unknown topic, of which Confluent's proxy says nothing in a produce request's time, is found out and named."""

import json

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.records import Record
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from tests.unit.scripted_kafka_rest import Answer, confluent, failed


def records(*numbers):
    return [Record(json.dumps(n).encode(), b"{}") for n in numbers]


@pytest.fixture
def hook():
    return KafkaRestHook(first_wait_seconds=0.01, max_wait_seconds=0.02, max_attempts=4, read_timeout_seconds=0.5)


def unknown_topic(asked):
    return Answer({"error_code": 40401, "message": "Topic not found."}, 404)


def waited_in_vain(asked):
    message = "Topic t not present in metadata after 60000 ms."
    return unknown_topic(asked) if asked.method == "GET" else Answer(confluent([failed(50003, message)]))


def given_up(asked):
    return unknown_topic(asked) if asked.method == "GET" else Answer({"message": "Endpoint request timed out"}, 504)


def silent(asked):
    return unknown_topic(asked) if asked.method == "GET" else Answer(delay_seconds=0.8)


@pytest.mark.parametrize("behaviour", [waited_in_vain, given_up, silent])
def test_unknown_topic_is_found_out_at_the_first_request_that_waits_for_it_in_vain(proxy, hook, behaviour):
    proxy.always = behaviour

    with pytest.raises(PermanentError, match=r"topic t is unknown: create it .*--topic t"):
        hook.produce("t", records(1))

    assert [asked.method for asked in proxy.asked] == ["POST", "GET"]


@pytest.mark.parametrize(
    ("answer", "questions"),
    [
        pytest.param(Answer({"name": "t"}), 1, id="it exists"),
        pytest.param(Answer({"message": "Missing Authentication Token"}, 403), 3, id="the gateway lets only POST pass"),
        pytest.param(Answer({}, 503), 3, id="an outage"),
    ],
)
def test_a_time_out_of_a_topic_that_may_exist_is_tried_again(proxy, hook, answer, questions):
    timed_out = Answer({"message": "Endpoint request timed out"}, 504)
    posts = iter([timed_out] * 3)
    proxy.always = lambda asked: answer if asked.method == "GET" else next(posts, None) or proxy.deliver(asked)

    result = hook.produce("t", records(1))

    assert (result.acknowledged, result.retries, len(proxy.produced)) == (1, 3, 4)
    assert len(proxy.asked) == 4 + questions


def test_a_topic_that_records_reached_is_not_asked_for(proxy, hook):
    hook.produce("t", records(1))
    proxy.script = [Answer({"message": "Endpoint request timed out"}, 504)]

    hook.produce("t", records(2))

    assert [asked.method for asked in proxy.asked] == ["POST"] * 3
