"""Whatever records are at fault, and however that shows: these become dead letters, the others go out once."""

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.records import Record
from pinterest_pipeline.kafka_rest.endpoint import RefusedRecordsError, RefusedRequestError, UnansweredError
from pinterest_pipeline.kafka_rest.producer import MOST_UNCLEAR, Producer
from pinterest_pipeline.kafka_rest.retries import Retries
from pinterest_pipeline.kafka_rest.traffic import Traffic
from tests.support.properties import repeatable

MOST_RECORDS = 16
KEYS = st.lists(
    st.none() | st.integers(0, 99), min_size=1, max_size=MOST_RECORDS, unique_by=lambda key: key or object()
)
FEW_KEYS = st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=MOST_RECORDS)
PLACES = st.sets(st.integers(0, MOST_RECORDS - 1))


class Kafka:
    """A topic behind a proxy: a list of what was delivered, and a rule of what is refused."""

    def __init__(self, rule):
        self.rule = rule
        self.delivered = []
        self.requests = 0

    def __call__(self, _what, *, body):
        self.requests += 1
        places = [record["value"]["n"] for record in json.loads(body)["records"]]
        codes = self.rule(places)
        self.delivered += [place for place in places if not codes.get(place)]
        offsets = [
            {"offset": None, "error_code": code, "error": "why"} if (code := codes.get(place))
            else {"partition": 0, "offset": len(self.delivered), "error_code": None}
            for place in places
        ]  # fmt: skip
        return json.dumps({"offsets": offsets, "key_schema_id": None, "value_schema_id": None}).encode()


class Instantly(threading.Event):
    def wait(self, _timeout=None):
        return self.is_set()


def produce(keys, rule, max_attempts=6):
    """Return the topic, and the outcome or the error of one produce call."""
    records = [Record(json.dumps(key).encode(), json.dumps({"n": n}).encode()) for n, key in enumerate(keys)]
    kafka = Kafka(rule)
    retries = Retries(max_attempts, 1, 1, stopped=Instantly())
    producer = Producer("t", records, kafka, is_answering=lambda: True, retries=retries, traffic=Traffic("t"))
    try:
        return kafka, producer.produce()
    except (PermanentError, TransientError) as error:
        return kafka, error


def refuse_alone(guilty):
    return lambda places: {place: 50002 for place in places if place in guilty}


def refuse_batch(guilty):
    """As Kafka does: the producer's batch of a partition is refused for one of its records; here three partitions."""

    def rule(places):
        refused = {place % 3 for place in places if place in guilty}
        return {place: 50002 for place in places if place % 3 in refused}

    return rule


def refuse_request(error):
    def refuse(guilty):
        def rule(places):
            if guilty.intersection(places):
                raise error
            return {}

        return rule

    return refuse


WAYS = [
    pytest.param(refuse_alone, id="50002 of the record"),
    pytest.param(refuse_batch, id="50002 of Kafka's batch"),
    pytest.param(refuse_request(RefusedRecordsError("bad", 42205)), id="422"),
    pytest.param(refuse_request(RefusedRequestError("bad", 400)), id="400"),
    pytest.param(refuse_request(RefusedRequestError("<html>", 403)), id="403 of a firewall"),
]
UNCLEAR = [
    pytest.param(refuse_request(UnansweredError("bad", status=500)), id="500"),
    pytest.param(refuse_request(UnansweredError("time-out", status=504)), id="504"),
    pytest.param(refuse_request(UnansweredError("connection cut")), id="cut"),
    pytest.param(lambda guilty: lambda places: {p: 51234 for p in places if p in guilty}, id="unknown code"),
]


def check_outcome(keys, guilty, kafka, result):
    good = [n for n in range(len(keys)) if n not in guilty]
    assert sorted(kafka.delivered) == good
    assert [json.loads(dead_letter.payload)["n"] for dead_letter in result.dead_letters] == sorted(guilty)
    assert result.acknowledged == len(good)


@pytest.mark.parametrize("way", WAYS)
@repeatable
@given(keys=KEYS, places=PLACES)
def test_exactly_the_records_at_fault_become_dead_letters(way, keys, places):
    guilty = {place for place in places if place < len(keys)}
    if len(guilty) == len(keys):
        guilty.pop()

    kafka, result = produce(keys, way(guilty))

    check_outcome(keys, guilty, kafka, result)
    assert kafka.requests <= 3 * len(keys)


@pytest.mark.parametrize("way", WAYS)
@repeatable
@given(keys=FEW_KEYS, places=PLACES)
def test_the_newest_record_of_a_key_stays_the_last_one(way, keys, places):
    guilty = {place for place in places if 0 < place < len(keys)}

    kafka, result = produce(keys, way(guilty))

    good = [n for n in range(len(keys)) if n not in guilty]
    assert (set(kafka.delivered), result.acknowledged) == (set(good), len(good))
    for key in set(keys) - {None}:
        delivered = [n for n in kafka.delivered if keys[n] == key]
        assert delivered[-1:] == [n for n in good if keys[n] == key][-1:]
        assert all(delivered.count(n) == 1 for n in set(delivered) - set(delivered[-1:]))


@pytest.mark.parametrize("way", UNCLEAR)
@repeatable
@given(count=st.integers(1, MOST_RECORDS), places=PLACES)
def test_a_few_records_that_leave_requests_without_an_answer_are_found(way, count, places):
    guilty = {place for place in places if place < count}

    kafka, result = produce(range(count), way(guilty), max_attempts=MOST_RECORDS)

    if len(guilty) == count or len(guilty) > MOST_UNCLEAR:
        assert isinstance(result, TransientError)
        assert not guilty.intersection(kafka.delivered)
    else:
        check_outcome(range(count), guilty, kafka, result)
    assert len(set(kafka.delivered)) == len(kafka.delivered)


@repeatable
@given(keys=KEYS, places=PLACES, passes_at=st.integers(1, 12))
def test_what_may_pass_is_never_a_dead_letter_and_is_delivered_once_where_it_passes(keys, places, passes_at):
    """Some partitions have no leader for a while."""
    failures = 0

    def rule(now):
        nonlocal failures
        failures += bool(places.intersection(now))
        return {place: 50003 for place in now if place in places and failures < passes_at}

    kafka, result = produce(keys, rule)

    if isinstance(result, TransientError):
        assert passes_at > 6
        assert not places.intersection(kafka.delivered)
    else:
        check_outcome(keys, set(), kafka, result)


@repeatable
@given(keys=KEYS, limit=st.integers(60, 200))
def test_a_size_that_is_refused_is_remembered(keys, limit):
    sizes = []

    def rule(places):
        if (size := 14 + 35 * len(places)) > limit and len(places) > 1:
            sizes.append(size)
            raise RefusedRecordsError("too large", 413)
        return {}

    kafka, result = produce(keys, rule)

    check_outcome(keys, set(), kafka, result)


@pytest.mark.parametrize("status", [500, None, 503, 429])
def test_an_outage_costs_two_requests_an_attempt_at_most(status):
    kafka, result = produce(range(500), refuse_request(UnansweredError("down", status=status))(set(range(500))), 20)

    assert isinstance(result, TransientError)
    assert "500 records not delivered" in str(result)
    assert kafka.requests <= 40


def test_an_outage_of_one_partition_that_shows_as_time_outs_is_not_looked_for_in_every_record():
    """504 of API Gateway for each request with a record of a partition without a leader."""
    kafka, result = produce(range(500), refuse_request(UnansweredError("504", status=504))(set(range(0, 500, 3))), 5)

    assert isinstance(result, TransientError)
    assert kafka.requests < 200
