"""The Kafka REST hook against a proxy that misbehaves on a script."""

import json
import threading
import time

import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.records import DeadLetter, Record
from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
from tests.unit.scripted_kafka_rest import Answer, confluent, failed


def records(*numbers):
    return [Record(json.dumps(str(n)).encode(), json.dumps({"ind": n}).encode()) for n in numbers]


def by_key(proxy, failure):
    """Return the proxy's behaviour: the outcome that ``failure`` gives for a record's key, None to deliver it."""
    return lambda asked: Answer(
        confluent([failure(key) or proxy.delivered() for key in asked.keys]) if asked.body else []
    )


@pytest.fixture
def hook():
    return KafkaRestHook(first_wait_seconds=0.01, max_wait_seconds=0.02, max_attempts=4, read_timeout_seconds=0.5)


def test_records_go_to_the_topic_with_the_api_key(proxy, hook):
    result = hook.produce("pinterest.pin", records(1, 2))

    asked = proxy.asked[0]
    assert (asked.method, asked.path) == ("POST", "/gate/v1/topics/pinterest.pin")
    assert asked.headers["x-api-key"] == "the-key"
    assert asked.headers["content-type"] == "application/vnd.kafka.json.v2+json"
    assert json.loads(asked.body)["records"] == [{"key": "1", "value": {"ind": 1}}, {"key": "2", "value": {"ind": 2}}]
    assert (result.acknowledged, result.requests, result.retries, result.dialect) == (2, 1, 0, "confluent")
    assert result.sent_bytes == len(asked.body)
    assert result.partitions == ((0, 0, 1),)


def test_login_makes_it_basic_authentication(proxy, hook, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_PINTEREST_KAFKA_REST",
        json.dumps({"conn_type": "http", "host": proxy.url, "login": "me", "password": "pw"}),
    )

    hook.produce("t", records(1))

    assert proxy.asked[0].headers["authorization"] == "Basic bWU6cHc="
    assert "x-api-key" not in proxy.asked[0].headers


def test_only_the_records_that_failed_in_passing_are_sent_again(proxy, hook):
    proxy.script = [lambda asked: Answer(confluent([proxy.delivered(), failed(50003), proxy.delivered()]))]

    result = hook.produce("t", records(1, 2, 3))

    assert [asked.keys for asked in proxy.asked] == [["1", "2", "3"], ["2"]]
    assert (result.acknowledged, result.retries, result.dead_letters) == (3, 1, ())
    assert result.partitions == ((0, 0, 2),)


def test_rejected_record_is_a_dead_letter_and_the_others_are_delivered(proxy, hook):
    proxy.always = by_key(proxy, lambda key: failed(50002, "too large") if key == "2" else None)

    result = hook.produce("t", records(1, 2))

    assert result.acknowledged == 1
    assert result.dead_letters == (DeadLetter("2", '{"ind": 2}', "too large", 50002),)
    assert [asked.keys for asked in proxy.asked] == [["1", "2"], ["2"], ["2"]]


def test_unknown_code_is_retried_within_bounds_and_then_given_up_where_others_pass(proxy, hook):
    proxy.always = by_key(proxy, lambda key: failed(51234) if key == "1" else None)

    result = hook.produce("t", records(1, 2))

    assert [asked.keys for asked in proxy.asked if asked.method == "POST"] == [["1", "2"], ["1"], ["1"], ["1"]]
    (dead_letter,) = result.dead_letters
    assert (dead_letter.key, dead_letter.error_code) == ("1", 51234)
    assert dead_letter.reason == "why (after 4 attempts, while others were delivered)"


@pytest.mark.parametrize("code", [50003, 51234])
def test_where_no_record_passes_none_is_at_fault(proxy, hook, code):
    proxy.always = by_key(proxy, lambda key: failed(code))

    with pytest.raises(TransientError, match=f'topic t: 1 records not delivered, the first with key "1": {code}: why'):
        hook.produce("t", records(1))

    assert len(proxy.asked) == 4


def test_record_that_is_still_retriable_after_the_attempts_is_for_airflow_to_retry(proxy, hook):
    proxy.always = by_key(proxy, lambda key: failed(50003, "no leader") if key == "2" else None)

    with pytest.raises(TransientError, match=r'1 records not delivered, the first with key "2": 50003: no leader'):
        hook.produce("t", records(1, 2))

    assert [asked.keys for asked in proxy.asked] == [["1", "2"], ["2"], ["2"], ["2"]]


def test_attempts_count_from_the_last_record_that_got_through(proxy, hook):
    proxy.always = lambda asked: Answer(confluent([proxy.delivered(), *[failed(50003) for _ in asked.keys[1:]]]))

    assert hook.produce("t", records(*range(9))).acknowledged == 9


def test_outage_that_spares_no_record_is_for_airflow_to_retry(proxy, hook):
    proxy.always = lambda asked: Answer(confluent([failed(50003, "no leader") for _ in asked.keys]))

    with pytest.raises(TransientError, match=r"topic t: 2 records not delivered.*50003: no leader"):
        hook.produce("t", records(1, 2))

    assert len(proxy.asked) == 4


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Answer(hang_up=True), id="connection closed"),
        pytest.param(Answer(delay_seconds=0.8), id="time-out, ambiguous"),
        pytest.param(Answer({"error_code": 50302, "message": "no broker"}, 503), id="no broker"),
        pytest.param(Answer({"message": "Endpoint request timed out"}, 504), id="gateway gave up"),
        pytest.param(Answer({"message": "Too Many Requests"}, 429), id="usage plan"),
        pytest.param(Answer({"message": "slow"}, 408), id="request time-out"),
        pytest.param(Answer(b"<html>", 200), id="200 that is not the proxy's"),
        pytest.param(Answer(confluent([]), 200), id="200 without outcomes"),
    ],
)
def test_request_without_a_clear_answer_is_sent_again_whole(proxy, hook, trouble):
    proxy.script = [trouble]

    result = hook.produce("t", records(1, 2))

    assert [asked.keys for asked in proxy.produced] == [["1", "2"], ["1", "2"]]
    assert (result.acknowledged, result.requests, result.retries) == (2, 2, 1)


def test_retry_after_is_honoured(proxy, hook):
    proxy.script = [Answer({}, 429, {"Retry-After": "1"})]
    started = time.monotonic()

    hook.produce("t", records(1))

    assert time.monotonic() - started >= 1


def test_no_answer_in_all_attempts_is_for_airflow_to_retry(proxy, hook):
    proxy.always = lambda asked: Answer({"message": "down"}, 503)

    with pytest.raises(TransientError, match=r"2 records for topic t.*refused with 503: down"):
        hook.produce("t", records(1, 2))

    assert len(proxy.asked) == 4


@pytest.mark.parametrize("status", [413, 422])
def test_record_at_fault_is_found_by_halving_the_request(proxy, hook, status):
    refused = Answer({"error_code": 42205, "message": "bad"}, status)
    proxy.always = lambda asked: refused if "5" in asked.keys else proxy.deliver(asked)

    result = hook.produce("t", records(*range(8)))

    assert result.acknowledged == 7
    assert [(letter.key, letter.error_code) for letter in result.dead_letters] == [("5", 42205)]
    assert [asked.keys for asked in proxy.asked] == [
        [*"01234567"], [*"0123"], [*"4567"], [*"45"], ["4"], ["5"], [*"67"],
    ]  # fmt: skip


def test_halves_of_a_refused_request_are_sent_in_order(proxy, hook):
    refused = Answer({"error_code": 413, "message": "too large"}, 413)
    proxy.always = lambda asked: refused if len(asked.keys) > 2 else proxy.deliver(asked)

    result = hook.produce("t", records(*range(7)))

    delivered = [key for asked in proxy.asked if len(asked.keys) <= 2 for key in asked.keys]
    assert delivered == [*"0123456"]
    assert (result.acknowledged, result.dead_letters) == (7, ())


def test_resend_that_is_refused_repeats_no_delivered_record(proxy, hook):
    refused = Answer({"error_code": 42205, "message": "bad"}, 422)
    proxy.script = [
        lambda asked: Answer(confluent([proxy.delivered(), failed(50003), proxy.delivered(), failed(50003)])),
        refused,
        refused,
    ]

    result = hook.produce("t", records(1, 2, 3, 4))

    assert [asked.keys for asked in proxy.asked] == [["1", "2", "3", "4"], ["2", "4"], ["2"], ["4"]]
    assert (result.acknowledged, [letter.key for letter in result.dead_letters]) == (3, ["2"])


def test_record_that_the_topic_s_acl_refuses_inside_a_200_fails_the_task_without_retry(proxy, hook):
    proxy.script = [Answer(confluent([failed(40301, "not authorized")]))]

    with pytest.raises(
        PermanentError, match=r"topic t: 1 records not delivered, the first with key \"1\": 40301.*topic ACL"
    ):
        hook.produce("t", records(1))

    assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("connection", "missing"),
    [
        ({}, ["host", "password"]),
        ({"password": "k"}, ["host"]),
        ({"host": "http://h"}, ["password"]),
        ({"host": "http://h", "login": "me"}, ["password"]),
    ],
)
def test_missing_connection_fields_are_named_all_at_once(monkeypatch, connection, missing):
    monkeypatch.setenv("AIRFLOW_CONN_LACKING", json.dumps({"conn_type": "http", **connection}))

    with pytest.raises(PermanentError, match=f"Connection lacking lacks {'.* and '.join(missing)}") as caught:
        KafkaRestHook("lacking").topics()

    assert ("host" in str(caught.value)) is ("host" in missing)


def test_stop_ends_a_wait_at_once(proxy):
    hook = KafkaRestHook(first_wait_seconds=30, max_wait_seconds=30)
    proxy.always = lambda asked: Answer({}, 503)
    threading.Timer(0.2, hook.stop).start()
    started = time.monotonic()

    with pytest.raises(TransientError):
        hook.produce("t", records(1))

    assert time.monotonic() - started < 5
    assert len(proxy.asked) == 1


def test_the_first_and_the_next_offset_of_each_partition(proxy, hook):
    proxy.script = [
        Answer([{"partition": 0}, {"partition": 1}]),
        Answer({"beginning_offset": 3, "end_offset": 9}),
        Answer({"beginning_offset": 0, "end_offset": 0}),
    ]

    assert hook.bounds("a/b") == {0: (3, 9), 1: (0, 0)}
    assert [asked.path for asked in proxy.asked[1:]] == [
        f"/gate/v1/topics/a%2Fb/partitions/{partition}/offsets" for partition in (0, 1)
    ]


@pytest.mark.parametrize(
    "answer", [Answer({"error_code": 404, "message": "HTTP 404 Not Found"}, 404), Answer({}), Answer([])], ids=str
)
def test_a_proxy_that_does_not_tell_offsets_is_a_permanent_error(proxy, hook, answer):
    proxy.script = [Answer([{"partition": 0}]), answer]

    with pytest.raises(PermanentError, match="the offsets of topic t, partition 0"):
        hook.bounds("t")


def test_topics_and_partitions(proxy, hook):
    proxy.script = [Answer(["b", "a"]), Answer([{"partition": 1}, {"partition": 0}])]

    assert hook.topics() == ["a", "b"]
    assert hook.partitions("a/b") == [0, 1]
    assert [asked.path for asked in proxy.asked] == ["/gate/v1/topics", "/gate/v1/topics/a%2Fb/partitions"]


@pytest.mark.parametrize(
    ("answer", "works", "message"),
    [
        (Answer(["pinterest.pin"]), True, "answers: 1 topics (pinterest.pin)"),
        (Answer({"message": "Forbidden"}, 403), False, "check the password"),
        (Answer(b"<html>"), False, "no Kafka REST proxy"),
    ],
)
def test_test_connection_tells_what_is_wrong(proxy, hook, answer, works, message):
    proxy.script = [answer]

    worked, said = hook.test_connection()

    assert worked is works
    assert message in said
    assert "the-key" not in said
