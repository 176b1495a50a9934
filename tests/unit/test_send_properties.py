"""Whatever is sent: requests stay within their bounds, are as full as these allow, and nothing is lost or doubled."""

import json
import math
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pinterest_pipeline.common.records import DeadLetter, Record, row_encoder
from pinterest_pipeline.kafka_rest.batches import RECORD_BYTES, REQUEST_BYTES, Batch, in_batches, request_body
from pinterest_pipeline.kinesis.batches import Bounds, Entry, RequestQueue
from pinterest_pipeline.kinesis.model import StreamRecord
from tests.support.properties import repeatable

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
RECORDS = st.builds(
    lambda key, text: Record(json.dumps(key).encode(), json.dumps({"t": text}, ensure_ascii=False).encode()),
    st.none() | st.integers(0, 10**6),
    TEXTS,
)
DEAD = st.builds(DeadLetter, st.none(), TEXTS, st.just("not JSON"))
BATCHINGS = {
    "records": st.lists(RECORDS | DEAD, max_size=20),
    "max_records": st.integers(1, 5),
    "max_bytes": st.integers(REQUEST_BYTES, 200),
}


def batched(records, max_records, max_bytes):
    found = list(in_batches(records, max_records=max_records, max_bytes=max_bytes))
    return [one for one in found if isinstance(one, Batch)], [one for one in found if isinstance(one, DeadLetter)]


@repeatable
@given(**BATCHINGS)
def test_every_record_is_in_one_batch_in_order_or_is_a_dead_letter(records, max_records, max_bytes):
    batches, dead = batched(records, max_records, max_bytes)

    def fits(record):
        return isinstance(record, Record) and REQUEST_BYTES + RECORD_BYTES + len(record.key + record.value) <= max_bytes

    assert [record for batch in batches for record in batch.records] == [one for one in records if fits(one)]
    left = [one if isinstance(one, DeadLetter) else DeadLetter.of(one, "") for one in records if not fits(one)]
    assert [one.payload for one in dead] == [one.payload for one in left]


@repeatable
@given(**BATCHINGS)
def test_a_batch_has_a_valid_body_within_both_bounds(records, max_records, max_bytes):
    for batch in batched(records, max_records, max_bytes)[0]:
        body = request_body(batch.records)

        assert 1 <= len(batch.records) <= max_records
        assert len(body) <= batch.size_bytes <= min(len(body) + 1, max_bytes)
        assert len(json.loads(body)["records"]) == len(batch.records)


@repeatable
@given(**BATCHINGS)
def test_a_batch_ends_only_where_the_next_record_does_not_fit(records, max_records, max_bytes):
    batches, _ = batched(records, max_records, max_bytes)

    for batch, following in pairwise(batches):
        first = following.records[0]
        with_it = batch.size_bytes + RECORD_BYTES + len(first.key) + len(first.value)
        assert len(batch.records) == max_records or with_it > max_bytes


@repeatable
@given(st.lists(RECORDS, min_size=1, max_size=10))
def test_records_that_fill_a_request_to_the_byte_are_one_batch(records):
    size = REQUEST_BYTES + sum(RECORD_BYTES + len(record.key) + len(record.value) for record in records)

    assert len(batched(records, len(records), size)[0]) == 1
    assert len(batched(records, len(records), size - 1)[0]) != 1


@repeatable
@given(
    st.lists(TEXTS, min_size=3, max_size=3, unique=True),
    st.integers(-(2**63), 2**63 - 1) | TEXTS | st.none(),
    st.floats() | st.booleans() | TEXTS,
    st.datetimes(timezones=st.just(UTC) | st.none()) | st.none(),
)
def test_a_row_is_read_back_as_it_was_or_has_a_number_that_json_has_not(columns, key, value, time):
    encoded = row_encoder(columns, columns[0])((key, value, time))

    if isinstance(value, float) and not math.isfinite(value):
        assert isinstance(encoded, DeadLetter)
        return
    read = json.loads(encoded.value)
    read[columns[2]] = read[columns[2]] and datetime.fromisoformat(read[columns[2]])
    assert json.loads(encoded.key) == key
    assert read == dict(zip(columns, (key, value, time and time.replace(microsecond=0, tzinfo=None)), strict=True))


@repeatable
@given(
    sizes=st.lists(st.integers(4, 60), max_size=25),
    most=st.integers(1, 6),
    request_bytes=st.integers(50, 200),
    failing=st.lists(st.integers(0, 63), max_size=30),
)
def test_every_record_is_delivered_once_or_refused_whatever_fails_on_the_way(sizes, most, request_bytes, failing):
    records = [StreamRecord(f"{n:04}", b"x" * (size - 4)) for n, size in enumerate(sizes)]
    refused, delivered, first_tries, now = [], [], [], 0.0
    requests = RequestQueue(records, Bounds(most, request_bytes, record_bytes=50), refused.append)

    while not requests.is_done:
        now = max(now, requests.due(in_flight=False))
        taken = requests.take(now)

        assert 1 <= len(taken) <= most
        assert sum(entry.size_bytes for entry in taken) <= request_bytes
        assert all(entry.due <= now for entry in taken)
        first_tries += [entry.record for entry in taken if entry.attempts == 0]
        fails = failing.pop() if failing else 0  # a bit for each record of the request
        delivered += [entry.record for n, entry in enumerate(taken) if not fails >> n & 1]
        again = [entry for n, entry in enumerate(taken) if fails >> n & 1]
        requests.put_back(
            Entry(one.record, one.size_bytes, one.attempts + 1, now + 1 + n) for n, one in enumerate(again)
        )

    assert first_tries == [one for one in records if one.size_bytes <= 50]
    assert sorted(delivered) == first_tries
    assert [one.record for one in refused] == [one for one in records if one.size_bytes > 50]
