"""The Kafka REST proxy's wire format, without a broker."""

import base64
import json

import pytest
from confluent_kafka import KafkaError

from sandbox.servers.kafka_rest.broker import refusal
from sandbox.servers.kafka_rest.wire import (
    V2,
    ApiError,
    Embedded,
    Outcome,
    Record,
    answer_type,
    embedded_format,
    parse_request,
    produce_answer,
    produce_status,
)


def parse(body, embedded=Embedded.JSON, partition=None):
    return parse_request(body if isinstance(body, bytes) else json.dumps(body).encode(), embedded, partition)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        pytest.param('{ "b": 1,\n "a": [2, {"c": null}] }', '{"b":1,"a":[2,{"c":null}]}', id="compact, keys in order"),
        pytest.param('"\\u00fc\\u2026 \\ud83c\\udf84"', '"ü… 🎄"', id="escapes become utf-8"),
        pytest.param('{"latitude": 12.345678901234567890123}', '{"latitude":12.345678901234567890123}', id="decimals"),
        pytest.param("[1.10, 1e2, -0.0]", "[1.10,1e2,-0.0]", id="the number's own spelling"),
        pytest.param("123456789012345678901234567890", "123456789012345678901234567890", id="beyond 64 bits"),
        pytest.param("[18446744073709551615, -9223372036854775808]", "[18446744073709551615,-9223372036854775808]",
                     id="64 bits"),
        pytest.param('[1.5, 9223372036854775808]', "[1.5,9223372036854775808]", id="long integer beside a float"),
        pytest.param('{"a" :\n -1.10}', '{"a":-1.10}', id="decimal behind white space"),
        pytest.param('["x", 1E5]', '["x",1E5]', id="exponent in an array"),
        pytest.param('{"a": ": 1.5", "b": 7}', '{"a":": 1.5","b":7}', id="a number's look within a text"),
    ],
)  # fmt: skip
def test_a_json_value_is_sent_compactly_and_exactly(text, sent):
    [record] = parse(b'{"records": [{"value": %s}]}' % text.encode())

    assert record.value == sent.encode()


def test_a_json_key_is_json_and_a_null_value_is_a_tombstone():
    records = parse({"records": [{"key": "7", "value": None}, {"key": 7}, {"value": ""}]})

    assert records == [Record(b'"7"', None, None), Record(b"7", None, None), Record(None, b'""', None)]


def test_binary_carries_any_bytes():
    broken = b'{"index": 1, "title": "\xff'

    [record] = parse({"records": [{"value": base64.b64encode(broken).decode()}]}, Embedded.BINARY)

    assert record.value == broken


def test_a_record_of_its_own_partition_keeps_it():
    records = parse({"records": [{"value": 1, "partition": 0}, {"value": 2}]}, partition=2)

    assert [record.partition for record in records] == [0, 2]


@pytest.mark.parametrize(
    ("body", "embedded", "code"),
    [
        pytest.param(b'{"records": [', Embedded.JSON, 400, id="broken json"),
        pytest.param(b'{"records": [{"value": NaN}]}', Embedded.JSON, 400, id="nan"),
        pytest.param({"records": [{"value": "***"}]}, Embedded.BINARY, 400, id="not base64"),
        pytest.param({"records": [{"value": 1}]}, Embedded.BINARY, 400, id="not text"),
        pytest.param([], Embedded.JSON, 422, id="not an object"),
        pytest.param({}, Embedded.JSON, 422, id="no records"),
        pytest.param({"records": []}, Embedded.JSON, 422, id="empty records"),
        pytest.param({"records": [1]}, Embedded.JSON, 422, id="record is no object"),
        pytest.param({"records": [{"valeu": 1}]}, Embedded.JSON, 422, id="unknown field of a record"),
        pytest.param({"records": [{"value": 1}], "topic": "x"}, Embedded.JSON, 422, id="unknown field"),
        pytest.param({"records": [{"value": 1, "partition": -1}]}, Embedded.JSON, 422, id="partition below 0"),
        pytest.param({"records": [{"value": 1, "partition": True}]}, Embedded.JSON, 422, id="partition is no number"),
        pytest.param({"records": [{"key": 1, "value": 1}]}, Embedded.AVRO, 42201, id="no key schema"),
        pytest.param({"records": [{"value": 1}]}, Embedded.AVRO, 42202, id="no value schema"),
        pytest.param({"records": [{"value": 1}], "value_schema": "?"}, Embedded.AVRO, 42205, id="no registry"),
    ],
)
def test_a_bad_request_is_refused_with_its_code(body, embedded, code):
    with pytest.raises(ApiError) as refused:
        parse(body, embedded)

    assert (refused.value.code, refused.value.status) == (code, int(str(code)[:3]))


@pytest.mark.parametrize(
    ("content_type", "embedded"),
    [
        ("application/vnd.kafka.json.v2+json", Embedded.JSON),
        ("Application/vnd.kafka.json.v2+JSON; charset=utf-8", Embedded.JSON),
        ("application/vnd.kafka.binary.v2+json", Embedded.BINARY),
        ("application/vnd.kafka.v2+json", Embedded.BINARY),
    ],
)
def test_content_type_names_the_embedded_format(content_type, embedded):
    assert embedded_format(content_type) is embedded


@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain", "application/vnd.kafka.json.v1+json"])
def test_another_content_type_is_unsupported(content_type):
    with pytest.raises(ApiError, match="415"):
        embedded_format(content_type)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", V2),
        ("*/*", V2),
        ("application/vnd.kafka.v2+json, application/json", V2),
        ("application/json", "application/json"),
        ("application/vnd.kafka.v2+json;q=0.5, application/json", "application/json"),
        ("application/json;q=0, */*;q=0.1", V2),
    ],
)
def test_accept_chooses_the_answers_type(accept, media_type):
    assert answer_type(accept) == media_type


def test_an_accept_that_excludes_every_type_is_not_acceptable():
    with pytest.raises(ApiError, match="406"):
        answer_type("text/html")


def test_the_answer_has_a_place_for_every_record():
    answer = json.loads(produce_answer([Outcome(1, 5, None, None), Outcome(None, None, 50002, "why")]))

    assert answer == {
        "key_schema_id": None,
        "value_schema_id": None,
        "offsets": [
            {"partition": 1, "offset": 5, "error_code": None, "error": None},
            {"partition": None, "offset": None, "error_code": 50002, "error": "why"},
        ],
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KafkaError._MSG_TIMED_OUT, 50003),
        (KafkaError._QUEUE_FULL, 50003),
        (KafkaError.NOT_ENOUGH_REPLICAS, 50003),
        (KafkaError.MSG_SIZE_TOO_LARGE, 50002),
        (KafkaError._UNKNOWN_PARTITION, 40403),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, 40301),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, 40301),
        (KafkaError.SASL_AUTHENTICATION_FAILED, 40101),
        (KafkaError._AUTHENTICATION, 40101),
    ],
)
def test_a_kafka_error_is_retriable_or_not(error, code):
    assert refusal(KafkaError(error)).error_code == code


@pytest.mark.parametrize(
    ("codes", "status"),
    [([None, None], 200), ([None, 50002, 50003], 200), ([None, 40301], 403), ([40101, 40301], 401), ([], 200)],
)
def test_the_status_of_an_answer_tells_whether_kafka_refuses_the_proxy_s_user(codes, status):
    assert produce_status([Outcome(None, None, code, None) for code in codes]) == status
