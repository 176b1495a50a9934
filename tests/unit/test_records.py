"""Rows to records: the wire form of the data contract, byte for byte."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from pinterest_pipeline.common.records import DeadLetter, Record, UnsupportedColumnError, row_encoder

IST = timezone(timedelta(hours=5, minutes=30))


def value_of(value):
    return json.loads(row_encoder(["ind", "v"], "ind")((1, value)).value)["v"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(datetime(2018, 3, 1, 4, 5, 6), "2018-03-01T04:05:06", id="timestamp"),  # noqa: DTZ001 - as stored
        pytest.param(datetime(2018, 3, 1, 4, 5, 6, 789000), "2018-03-01T04:05:06", id="fractions are cut"),  # noqa: DTZ001
        pytest.param(datetime(2018, 3, 1, tzinfo=UTC), "2018-03-01T00:00:00", id="UTC loses its offset"),
        pytest.param(datetime(2018, 3, 1, tzinfo=IST), "2018-02-28T18:30:00", id="other zones become UTC"),
        pytest.param(date(2018, 3, 1), "2018-03-01", id="date"),
        pytest.param(UUID(int=1), "00000000-0000-0000-0000-000000000001", id="uuid"),
    ],
)
def test_what_json_lacks_becomes_agreed_text(value, text):
    assert value_of(value) == text


@pytest.mark.parametrize(
    "value", [None, True, 7, 1.5, "a\n|\"', 😀 …\u00a0", ["a", 1], {"b": None}], ids=lambda v: type(v).__name__
)
def test_what_json_has_is_sent_as_it_is(value):
    assert value_of(value) == value


def test_record_is_an_object_with_the_columns_in_order():
    record = row_encoder(["index", "title"], "index")((42, "Grüße"))

    assert record == Record(b"42", '{"index":42,"title":"Grüße"}'.encode())


@pytest.mark.parametrize(
    ("value", "key"),
    [
        pytest.param(0, b"0", id="in Kafka a number is its digits, as a native producer writes a post id"),
        pytest.param('a"b', b'"a\\"b"', id="text is JSON text"),
        pytest.param(UUID(int=1), b'"00000000-0000-0000-0000-000000000001"', id="uuid is text"),
    ],
)
def test_key_is_json_that_stands_in_kafka_as_it_is(value, key):
    assert row_encoder(["ind"], "ind")((value,)).key == key


def test_row_without_an_id_is_sent_without_a_key():
    assert row_encoder(["ind"], "ind")((None,)) == Record(b"null", b'{"ind":null}')


@pytest.mark.parametrize(
    "value", [Decimal(1), b"x", memoryview(b"x"), timedelta(1), {1, 2}], ids=lambda v: type(v).__name__
)
def test_type_without_an_agreed_form_is_refused_with_its_column(value):
    encode = row_encoder(["ind", "price"], "ind")

    with pytest.raises(UnsupportedColumnError, match=f"column 'price' has a {type(value).__name__}.*cast it"):
        encode((1, value))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_number_that_json_lacks_makes_a_dead_letter_of_its_row_only(value):
    encode = row_encoder(["ind", "latitude"], "ind")

    letter = encode((7, value))

    assert isinstance(letter, DeadLetter)
    assert letter.key == "7"
    assert str(value) in letter.payload
    assert isinstance(encode((8, 1.0)), Record)


def test_missing_key_column_is_named_with_what_is_there():
    with pytest.raises(ValueError, match="'id' is not in the result, which has index, title"):
        row_encoder(["index", "title"], "id")


def test_doubled_column_is_refused_for_json_would_drop_one():
    with pytest.raises(ValueError, match="more than one column of the result is named ind"):
        row_encoder(["ind", "a", "ind"], "ind")


def test_dead_letter_keeps_the_whole_payload():
    letter = DeadLetter.of(Record(b'"1"', '{"t":"😀"}'.encode()), "too large", 50002)

    assert letter == DeadLetter("1", '{"t":"😀"}', "too large", 50002)
