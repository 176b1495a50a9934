"""Three proxies, one reading of what they say of each record."""

import pytest

from pinterest_pipeline.kafka_rest.responses import Dialect, RecordStatus, read_outcomes

SCHEMAS = {"key_schema_id": None, "value_schema_id": None}


def confluent(*entries):
    return {"offsets": list(entries), **SCHEMAS}


@pytest.mark.parametrize(
    ("answer", "dialect"),
    [
        (confluent({"partition": 0, "offset": 1, "error_code": None, "error": None}), Dialect.CONFLUENT),
        (confluent({"partition": None, "offset": None, "error_code": 50003, "error": "x"}), Dialect.CONFLUENT),
        (confluent({"partition": 0, "offset": 1}), Dialect.KARAPACE),
        (confluent({"partition": 0, "offset": 1}, {"error_code": 1, "error": "x"}), Dialect.KARAPACE),
        ({"offsets": [{"partition": 0, "offset": 1}]}, Dialect.STRIMZI),
        ({"offsets": [{"error_code": 404, "message": "x"}]}, Dialect.STRIMZI),
    ],
)
def test_dialect_is_told_by_the_answer(answer, dialect):
    assert read_outcomes(answer, len(answer["offsets"]))[0] is dialect


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (50002, RecordStatus.REJECTED),
        (50003, RecordStatus.RETRY),
        (40101, RecordStatus.DENIED),
        (40301, RecordStatus.DENIED),
        (40403, RecordStatus.REJECTED),
        (59999, RecordStatus.UNCERTAIN),
    ],
)
def test_confluent_codes(code, status):
    _, (outcome,) = read_outcomes(confluent({"error_code": code, "error": "why"}), 1)

    assert (outcome.status, outcome.error_code, outcome.reason) == (status, code, "why")


@pytest.mark.parametrize(
    ("code", "error", "status"),
    [
        (1, "invalid data", RecordStatus.REJECTED),
        (1, "timed out waiting to publish message, producer buffer full", RecordStatus.RETRY),
        (1, "Publish message cancelled", RecordStatus.RETRY),
        (2, "not leader", RecordStatus.RETRY),
        (3, "whatever", RecordStatus.UNCERTAIN),
    ],
)
def test_karapace_codes(code, error, status):
    _, (outcome,) = read_outcomes(confluent({"error_code": code, "error": error}), 1)

    assert outcome.status is status


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (404, RecordStatus.REJECTED),
        (413, RecordStatus.REJECTED),
        (403, RecordStatus.DENIED),
        (429, RecordStatus.RETRY),
        (503, RecordStatus.RETRY),
        (500, RecordStatus.UNCERTAIN),
    ],
)
def test_strimzi_codes_are_statuses_with_a_message(code, status):
    _, (outcome,) = read_outcomes({"offsets": [{"error_code": code, "message": "why"}]}, 1)

    assert (outcome.status, outcome.reason) == (status, "why")


def test_each_record_has_its_own_outcome():
    answer = confluent(
        {"partition": 2, "offset": 7, "error_code": None, "error": None},
        {"partition": None, "offset": None, "error_code": 50002, "error": "too large"},
    )

    _, outcomes = read_outcomes(answer, 2)

    assert [outcome.status for outcome in outcomes] == [RecordStatus.DELIVERED, RecordStatus.REJECTED]
    assert (outcomes[0].partition, outcomes[0].offset) == (2, 7)


def test_offset_that_the_proxy_was_not_told_is_unknown():
    _, (outcome,) = read_outcomes(confluent({"partition": 0, "offset": -1}), 1)

    assert (outcome.status, outcome.partition, outcome.offset) == (RecordStatus.DELIVERED, None, None)


def test_entry_that_says_nothing_is_not_taken_for_success():
    _, (outcome,) = read_outcomes(confluent({}), 1)

    assert outcome.status is RecordStatus.UNCERTAIN


@pytest.mark.parametrize(
    "answer",
    [None, [], "ok", {}, {"offsets": None}, confluent(), confluent({}, {}), confluent("x"), confluent(None)],
    ids=repr,
)
def test_answer_without_an_outcome_per_record_tells_nothing(answer):
    with pytest.raises(ValueError, match="expected an object with `offsets` of 1 entries"):
        read_outcomes(answer, 1)
