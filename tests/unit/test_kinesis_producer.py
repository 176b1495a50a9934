"""The put call on a scripted service: what it counts, what it sends again, and when it gives up."""

import threading
import time
from collections import Counter

import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.kinesis import producer as kinesis_producer
from pinterest_pipeline.kinesis.batches import Bounds
from pinterest_pipeline.kinesis.model import SequenceRange, StreamRecord
from pinterest_pipeline.kinesis.producer import Putting, RequestTooLargeError, widen

INTERNAL = {"ErrorCode": "InternalFailure", "ErrorMessage": "Internal service failure."}
THROTTLED = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}


class Service:
    """Takes every record, but for those that ``fail(request number, index, record)`` returns an outcome for."""

    def __init__(self, fail=lambda number, index, record: None):
        self.fail = fail
        self.requests = []
        self.taken = Counter()
        self.running = self.most_running = 0
        self.lock = threading.Lock()

    def __call__(self, records):
        with self.lock:
            number = len(self.requests)
            self.requests.append([record.partition_key for record in records])
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        time.sleep(0.005)
        with self.lock:
            self.running -= 1
            outcomes = [self.outcome(number, index, record) for index, record in enumerate(records)]
        return {"Records": outcomes}

    def outcome(self, number, index, record):
        if outcome := self.fail(number, index, record):
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        self.taken[record.partition_key] += 1
        return {"ShardId": "shard-0", "SequenceNumber": str(sum(self.taken.values()))}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(kinesis_producer, "wait_seconds", lambda attempts: 0.01)


def put(service, records, **arguments):
    bounds = arguments.pop("bounds", Bounds(records=10))
    settings = {"max_in_flight": 2, "max_attempts": 4, "on_failed": None, "stopped": threading.Event()}
    return Putting(service, "s", bounds=bounds, **{**settings, **arguments}).run(records)


def numbered(count):
    return [StreamRecord(str(n), b"x") for n in range(count)]


def once_each(count):
    return Counter(str(n) for n in range(count))


def test_every_record_once_to_the_last_with_bounded_requests_in_flight():
    service = Service()

    result = put(service, numbered(95), max_in_flight=3)

    assert service.taken == once_each(95)
    assert service.most_running == 3
    assert (result.records, result.requests, result.sent_records, result.retried) == (95, 10, 95, 0)
    assert result.sent_bytes == sum(len(str(n)) + 1 for n in range(95))
    assert result.shards == (SequenceRange("shard-0", "1", "95"),)


def test_nothing_to_put_is_no_request():
    assert put(Service(), []).requests == 0


def test_requests_stay_full_while_a_tenth_of_the_records_fails():
    service = Service(lambda number, index, record: THROTTLED if index == 3 else None)

    result = put(service, numbered(900), max_in_flight=4, max_attempts=1000)

    assert service.taken == once_each(900)
    assert result.retried == result.sent_records - 900 >= 90
    assert result.sent_records / (result.requests * 10) >= 0.95


def test_a_throttled_stream_is_offered_nothing_new_until_the_old_is_through():
    service = Service(lambda number, index, record: THROTTLED if number < 8 and index > 0 else None)

    put(service, numbered(500), max_in_flight=2, max_attempts=50)

    assert service.taken == once_each(500)
    first_eight = {key for request in service.requests[:8] for key in request}
    assert len(first_eight) <= 40


def test_unanswered_requests_are_sent_again_smaller_and_counted_once():
    service = Service(lambda number, index, record: TransientError("gone") if number in {0, 2} else None)

    result = put(service, numbered(30), bounds=Bounds(records=10, request_bytes=1000, record_bytes=10))

    assert service.taken == once_each(30)
    assert result.records == 30


def test_a_request_too_large_is_cut_up_without_costing_an_attempt():
    def fail(number, index, record):
        return RequestTooLargeError("too large") if len(service.requests[number]) > 2 else None

    service = Service(fail)

    result = put(
        service, numbered(8), max_attempts=1, max_in_flight=1,
        bounds=Bounds(records=10, request_bytes=16, record_bytes=4),
    )  # fmt: skip

    assert service.taken == once_each(8)
    assert result.records == 8


def test_a_record_that_is_too_large_alone_is_given_up_and_the_others_go():
    def fail(number, index, record):
        return RequestTooLargeError("too large") if "large" in service.requests[number] else None

    service = Service(fail)
    records = [StreamRecord("a", b"x"), StreamRecord("large", b"x" * (3 << 20)), StreamRecord("c", b"x")]

    result = put(service, records, max_attempts=1, max_in_flight=1, bounds=Bounds(10, 10 << 20, 10 << 20))

    assert [(one.record.partition_key, one.reason) for one in result.failed] == [("large", "too large")]
    assert (result.records, result.failed_count) == (2, 1)


def test_another_number_of_outcomes_than_records_is_no_answer():
    class Short(Service):
        def __call__(self, records):
            answer = super().__call__(records)
            return {"Records": answer["Records"][1:]} if len(self.requests) == 1 else answer

    service = Short()

    result = put(service, numbered(10))

    assert result.records == 10
    assert set(service.taken.values()) == {2}


def test_one_poisoned_record_at_the_end_does_not_fail_the_19_others():
    service = Service(lambda number, index, record: INTERNAL if record.partition_key == "19" else None)
    told = []

    result = put(service, numbered(20), bounds=Bounds(records=20), on_failed=told.append)

    assert service.taken == once_each(19)
    assert (result.records, result.failed_count, result.failed) == (19, 1, ())
    assert told[0].record.partition_key == "19"
    assert told[0].reason == "Internal service failure. (after 4 attempts), while others were delivered"
    assert told[0].error_code == "InternalFailure"


def test_a_shard_that_is_throttled_for_a_while_costs_no_record():
    """As one of three shards is for 20 s, in ten attempts and more."""
    seen = Counter()

    def fail(number, index, record):
        seen[record.partition_key] += 1
        return THROTTLED if int(record.partition_key) % 3 == 0 and seen[record.partition_key] < 12 else None

    service = Service(fail)

    result = put(service, numbered(300), max_attempts=40)

    assert service.taken == once_each(300)
    assert (result.records, result.failed_count) == (300, 0)


def test_a_shard_that_stays_throttled_is_for_the_tasks_next_try():
    service = Service(lambda number, index, record: THROTTLED if record.partition_key == "3" else None)
    told = []

    expected = "stream s: the record with partition key 3: Rate exceeded .after 4 attempts.: wait, or give the stream"
    with pytest.raises(TransientError, match=expected):
        put(service, numbered(500), max_in_flight=1, on_failed=told.append)

    assert told == []


def test_a_shard_that_fails_without_a_known_reason_is_no_fault_of_its_many_records():
    service = Service(lambda number, index, record: INTERNAL if int(record.partition_key) % 3 == 0 else None)

    with pytest.raises(TransientError, match=r"partition key \d+ and maybe others: Internal service failure"):
        put(service, numbered(300))


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("KMSAccessDeniedException", "let the role of the AWS connection use the stream's key"),
        ("KMSDisabledException", "enable the stream's KMS key"),
        ("AccessDeniedException", "give the role of the AWS connection this right"),
    ],
)
def test_a_refusal_of_the_key_is_permanent_and_does_not_ask_for_shards(code, remedy):
    service = Service(lambda number, index, record: {"ErrorCode": code, "ErrorMessage": "not for you"})

    with pytest.raises(PermanentError, match=f"stream s: .*{code}: not for you: {remedy}") as caught:
        put(service, numbered(1000))

    assert "shards" not in str(caught.value)
    assert len(service.requests) <= 2


def test_no_code_and_no_sequence_number_is_a_failure_too():
    service = Service(lambda number, index, record: {"ShardId": "shard-0"} if number < 3 else None)

    assert put(service, numbered(5)).records == 5
    assert len(service.requests) == 4


def test_where_nothing_gets_through_the_task_may_try_again():
    service = Service(lambda number, index, record: THROTTLED)

    with pytest.raises(
        TransientError, match=r"partition key \d+: Rate exceeded \(after 4 attempts\): wait, or give the stream more"
    ):
        put(service, numbered(1000))

    assert len({key for request in service.requests for key in request}) <= 40


def test_an_outage_ends_in_the_services_own_words():
    service = Service(lambda number, index, record: TransientError("no answer: refused"))

    with pytest.raises(TransientError, match="stream s: 10 records got no answer in 4 attempts: no answer: refused"):
        put(service, numbered(1000))


def test_a_permanent_refusal_ends_it_at_once():
    service = Service(lambda number, index, record: PermanentError("no such stream"))

    with pytest.raises(PermanentError, match="no such stream"):
        put(service, numbered(1000))

    assert len(service.requests) <= 2


def test_stopped_it_ends_with_an_error_that_says_how_far_it_came():
    stopped = threading.Event()
    service = Service(lambda number, index, record: stopped.set() if number == 3 else None)

    with pytest.raises(TransientError, match=r"stream s: stopped after \d+ records"):
        put(service, numbered(1000), stopped=stopped)

    assert len(service.requests) < 10


def test_an_error_of_the_source_is_the_callers():
    def source():
        yield from numbered(15)
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError, match="the database is gone"):
        put(Service(), source())


def test_sequence_numbers_are_compared_as_numbers():
    shards = {}

    for number in ("99", "100", "9"):
        widen(shards, "s", number)

    assert shards["s"] == SequenceRange("s", "9", "100")
