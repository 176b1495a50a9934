"""Which records share a request: full ones first and last, and while some must be sent again."""

import pytest

from pinterest_pipeline.kinesis.batches import Bounds, Entry, RequestQueue, wait_seconds
from pinterest_pipeline.kinesis.model import StreamRecord

INFINITY = float("inf")


def numbered(count, size=1):
    return [StreamRecord(f"{n:04}", b"x" * (size - 4)) for n in range(count)]


def keys(entries):
    return [int(entry.record.partition_key) for entry in entries]


@pytest.fixture
def refused():
    return []


@pytest.fixture
def requests(refused):
    """Return a function that builds requests of three records."""

    def build(records, **bounds):
        return RequestQueue(records, Bounds(**{"records": 3, **bounds}), refused.append)

    return build


def failed(numbers, due=0.0, attempts=1):
    return [Entry(StreamRecord(f"{n:04}", b""), 4, attempts, due) for n in numbers]


def test_full_requests_and_the_rest(requests):
    filled = requests(numbered(7))

    taken = [keys(filled.take(0)) for _ in range(3)]

    assert taken == [[0, 1, 2], [3, 4, 5], [6]]
    assert filled.is_done


def test_no_record_is_read_before_there_is_room_for_it(requests):
    source = iter(numbered(7))
    filled = requests(source)

    filled.take(0)

    assert len(list(source)) == 4


def test_what_failed_rides_first_in_the_next_full_request(requests):
    filled = requests(numbered(5))
    filled.take(0)
    filled.put_back(failed([1]))

    assert filled.due(in_flight=False) == 0
    assert keys(filled.take(0)) == [1, 3, 4]
    assert filled.is_done


def test_what_is_not_due_yet_lets_new_records_go_first(requests):
    filled = requests(numbered(6))
    filled.take(0)
    filled.put_back(failed([1], due=9))

    assert keys(filled.take(5)) == [3, 4, 5]
    assert keys(filled.take(9)) == [1]


def test_a_whole_request_of_failures_holds_the_source_back(requests):
    filled = requests(numbered(9))
    filled.put_back(failed([20], due=1))
    filled.put_back(failed([21, 22], due=2))

    assert filled.due(in_flight=True) == 2
    assert keys(filled.take(2)) == [20, 21, 22]
    assert keys(filled.take(2)) == [0, 1, 2]


def test_at_the_end_what_is_left_waits_for_what_is_in_flight_and_goes_together(requests):
    filled = requests([])
    filled.put_back(failed([1], due=1))

    assert filled.due(in_flight=True) == INFINITY
    filled.put_back(failed([2], due=4))
    assert filled.due(in_flight=False) == 4
    assert keys(filled.take(4)) == [1, 2]


@pytest.mark.parametrize(("request_bytes", "counts"), [(29, [2, 2]), (30, [3, 1]), (31, [3, 1])])
def test_requests_are_bounded_in_bytes_of_keys_and_data_too(requests, request_bytes, counts):
    filled = requests(numbered(4, size=10), request_bytes=request_bytes, record_bytes=29)

    assert [len(filled.take(0)) for _ in counts] == counts
    assert filled.is_done


@pytest.mark.parametrize(("size", "is_refused"), [(19, False), (20, False), (21, True)])
def test_a_record_beyond_the_bound_is_refused_with_its_size_and_the_others_go(requests, refused, size, is_refused):
    filled = requests([StreamRecord("0001", b"x" * (size - 4)), StreamRecord("0002", b"")], record_bytes=20)

    assert keys(filled.take(0)) == ([2] if is_refused else [1, 2])
    assert [one.reason for one in refused] == ["record of 21 bytes, this stream takes at most 20"] * is_refused


@pytest.mark.parametrize(("characters", "is_refused"), [(0, True), (1, False), (256, False), (257, True)])
def test_a_partition_key_has_1_to_256_characters(requests, refused, characters, is_refused):
    requests([StreamRecord("ä" * characters, b"")]).take(0)

    assert len(refused) == is_refused


def test_lowered_by_halves_but_never_below_one_record(requests):
    filled = requests([], request_bytes=10, record_bytes=4)

    lowered = [filled.lower_request_bytes() or filled.bounds.request_bytes for _ in range(3)]

    assert lowered == [5, 4, 4]


@pytest.mark.parametrize(("attempts", "ceiling"), [(1, 0.1), (2, 0.2), (6, 3.2), (7, 5), (60, 5)])
def test_waits_double_up_to_five_seconds_with_jitter(attempts, ceiling):
    waits = [wait_seconds(attempts) for _ in range(50)]

    assert ceiling / 2 <= min(waits) < max(waits) <= ceiling
