"""Batches: never beyond their bounds, nothing lost, nothing held back."""

import json

import pytest

from pinterest_pipeline.common.records import DeadLetter, Record
from pinterest_pipeline.kafka_rest.batches import Batch, in_batches, request_body

ROOMY = 1_000_000


def record(number: int, size: int = 10) -> Record:
    return Record(json.dumps(str(number)).encode(), json.dumps("x" * size).encode())


def batches_of(records, max_records=500, max_bytes=ROOMY):
    return list(in_batches(records, max_records=max_records, max_bytes=max_bytes))


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        pytest.param(0, [], id="no record, no batch"),
        pytest.param(499, [499], id="one below the bound"),
        pytest.param(500, [500], id="at the bound"),
        pytest.param(501, [500, 1], id="one above: the last batch has the rest"),
        pytest.param(1000, [500, 500], id="whole batches leave no empty one"),
    ],
)
def test_batches_hold_at_most_max_records(count, sizes):
    batches = batches_of(record(n) for n in range(count))

    assert [len(batch.records) for batch in batches] == sizes


def test_batches_keep_every_record_in_order():
    records = [record(n) for n in range(1234)]

    batches = batches_of(records, max_records=100)

    assert [r for batch in batches for r in batch.records] == records


@pytest.mark.parametrize(("slack", "count"), [(-1, 2), (0, 1), (1, 1)])
def test_bodies_hold_at_most_max_bytes(slack, count):
    pair = [record(1), record(2)]
    whole = batches_of(pair)[0].size_bytes

    batches = batches_of(pair, max_bytes=whole + slack)

    assert len(batches) == count
    assert all(len(request_body(batch.records)) <= whole + slack for batch in batches)


def test_size_is_that_of_the_body_or_one_more():
    batch = batches_of([record(n) for n in range(7)])[0]

    assert 0 <= batch.size_bytes - len(request_body(batch.records)) <= 1


@pytest.mark.parametrize(("slack", "fits"), [(-1, False), (0, True), (1, True)])
def test_record_that_alone_is_too_large_is_a_dead_letter(slack, fits):
    alone = batches_of([record(1, size=300)])[0].size_bytes

    (item,) = batches_of([record(1, size=300)], max_bytes=alone + slack)

    assert isinstance(item, Batch) is fits
    if not fits:
        assert item.key == "1"
        assert json.loads(item.payload) == "x" * 300
        assert f"max_batch_bytes={alone + slack}" in item.reason


def test_neighbours_of_a_dead_letter_stay_in_one_batch():
    refused = DeadLetter("2", "{}", "because")

    items = batches_of([record(1), refused, record(3)])

    assert items == [refused, Batch((record(1), record(3)), items[1].size_bytes)]


def test_records_are_read_only_as_needed():
    read = []

    def source():
        for number in range(10):
            read.append(number)
            yield record(number)

    next(in_batches(source(), max_records=2, max_bytes=ROOMY))

    assert read == [0, 1, 2]


def test_body_is_the_envelope_of_kafka_rest_v2():
    body = json.loads(request_body([Record(b'"7"', b'{"a":1}'), Record(b"null", b'{"a":2}')]))

    assert body == {"records": [{"key": "7", "value": {"a": 1}}, {"key": None, "value": {"a": 2}}]}
