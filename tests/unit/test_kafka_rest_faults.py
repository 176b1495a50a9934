"""The produce operator and rows at fault: each is a dead letter of its own, and never takes others along."""

import threading
from collections import Counter

import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.records import UnreadableValue
from tests.unit.scripted_kafka_rest import Answer, confluent, failed
from tests.unit.sending import context, operator, rows

QUICK = {"first_wait_seconds": 0.01, "max_wait_seconds": 0.02, "max_attempts": 6}
NO_KEY = "None"


@pytest.fixture
def delivered(proxy):
    """The keys that Kafka took, by number of times; ``refuse(keys)`` decides about each request or record."""
    taken = Counter()
    lock = threading.Lock()

    def use(refuse):
        def answer(asked):
            if asked.method == "GET":
                return Answer([{"partition": 0}])
            refusal = refuse(asked.keys)
            if isinstance(refusal, Answer):
                return refusal
            with lock:
                taken.update(key for key in asked.keys if key not in refusal)
            return Answer(confluent([refusal.get(key) or proxy.delivered() for key in asked.keys]))

        proxy.always = answer
        return taken

    return use


def posted(proxy):
    return [asked for asked in proxy.asked if asked.method == "POST"]


def dead_letters(store):
    return [
        dead_letter for key, rows in store.objects.items() if key.startswith("dead-letters/") for dead_letter in rows
    ]


def partition(key):
    return 0 if key == NO_KEY else int(key) % 3


def test_a_null_key_on_a_compacted_topic_is_the_only_dead_letter_of_3000_rows(proxy, source, store, delivered):
    """The broker refuses the producer's batch of a partition, and the proxy says 50002 for each of its records."""
    source([(None if n == 1700 else n, f"title {n}") for n in range(3000)])

    def refuse(keys):
        if NO_KEY not in keys:
            return {}
        refused = [key for key in keys if partition(key) == partition(NO_KEY)]
        return dict.fromkeys(refused, failed(50002, "Broker: Broker failed to validate record"))

    taken = delivered(refuse)
    result = operator().execute(context())

    assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (3000, 2999, 1)
    assert taken == Counter(str(n) for n in range(3000) if n != 1700)
    (dead_letter,) = dead_letters(store)
    assert (dead_letter["topic"], dead_letter["key"]) == ("pinterest.pin", None)
    assert (dead_letter["error_code"], dead_letter["reason"]) == (50002, "Broker: Broker failed to validate record")
    assert '"title":"title 1700"' in dead_letter["value"]
    assert len(posted(proxy)) <= 6 + 2 * 9 + 1


@pytest.mark.parametrize("count", [500, 1500])
def test_a_partition_without_a_leader_for_a_while_costs_no_row(proxy, source, store, delivered, count):
    source(rows(count))
    seen = Counter()

    def refuse(keys):
        seen.update(keys)
        return {key: failed(50003, "no leader") for key in keys if partition(key) == 1 and seen[key] < 5}

    taken = delivered(refuse)
    result = operator(**QUICK).execute(context())

    assert (result["acknowledged"], result["dead_letters"]) == (count, 0)
    assert taken == Counter(map(str, range(count)))


def test_a_partition_that_stays_without_a_leader_is_for_the_tasks_next_try(proxy, source, store, delivered):
    source(rows(500))
    delivered(lambda keys: {key: failed(50003, "no leader") for key in keys if partition(key) == 1})

    expected = r"topic pinterest\.pin: 167 records not delivered, the first with key 1: 50003: no leader \(after 6"
    with pytest.raises(TransientError, match=expected):
        operator(**QUICK).execute(context())

    assert dead_letters(store) == []


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(Answer({"error_code": 400, "message": "Bad Request"}, 400), id="400"),
        pytest.param(Answer(b"<html>Request blocked</html>", 403), id="403 with a firewall's page"),
        pytest.param(Answer({"error_code": 42205, "message": "Invalid schema"}, 422), id="422"),
        pytest.param(Answer({"error_code": 500, "message": "Internal Server Error"}, 500), id="500"),
        pytest.param(Answer({"message": "Endpoint request timed out"}, 504), id="504"),
        pytest.param(Answer(hang_up=True), id="connection cut"),
    ],
)
@pytest.mark.parametrize("guilty", [{"0"}, {"1234"}, {"2999"}, {"7", "499", "2500"}], ids="+".join)
def test_a_row_that_spoils_every_request_is_a_dead_letter(proxy, source, store, delivered, refusal, guilty):
    source(rows(3000))
    taken = delivered(lambda keys: refusal if guilty.intersection(keys) else {})

    result = operator(**QUICK).execute(context())

    assert (result["rows"], result["dead_letters"]) == (3000, len(guilty))
    assert taken == Counter(str(n) for n in range(3000) if str(n) not in guilty)
    assert {dead_letter["key"] for dead_letter in dead_letters(store)} == guilty
    for dead_letter in dead_letters(store):
        assert dead_letter["topic"] == "pinterest.pin"
        assert f"key {dead_letter['key']}" in dead_letter["reason"]


@pytest.mark.parametrize(
    ("refusal", "error", "message"),
    [
        pytest.param(Answer({"message": "Bad Request"}, 400), PermanentError, "Kafka REST v2 proxy", id="400"),
        pytest.param(Answer(b"<html>", 403), PermanentError, "403.*<html>", id="403"),
        pytest.param(Answer({"message": "down"}, 500), TransientError, "500 records.*500: down", id="500"),
        pytest.param(Answer({"message": "slow"}, 504), TransientError, "500 records.*504: slow", id="504"),
    ],
)
def test_a_proxy_that_refuses_everything_is_an_error_and_makes_no_dead_letters(
    proxy, source, store, delivered, refusal, error, message
):
    source(rows(3000))
    delivered(lambda _: refusal)

    with pytest.raises(error, match=message):
        operator(**QUICK).execute(context())

    assert dead_letters(store) == []
    assert len(posted(proxy)) <= 4 * 40


def test_a_firewall_that_blocks_everything_after_some_time_makes_no_dead_letters(proxy, source, store, delivered):
    source(rows(3000))
    answered = Counter()

    def refuse(_keys):
        answered["requests"] += 1
        return {} if answered["requests"] < 4 else Answer(b"<html>rate limit</html>", 403)

    delivered(refuse)
    deliver = proxy.always
    proxy.always = lambda asked: deliver(asked) if asked.method == "POST" else Answer(b"<html>rate limit</html>", 403)

    with pytest.raises(PermanentError, match="rate limit"):
        operator(**QUICK).execute(context())

    assert dead_letters(store) == []


def test_a_row_with_what_json_has_not_is_a_dead_letter(proxy, source, store, delivered):
    deep = []
    for _ in range(200_000):
        deep = [deep]
    source([
        (1, UnreadableValue("20000-01-01 00:00:00", "date too large (after year 10K)")),
        (2, UnreadableValue("infinity", "no moment in time")),
        (3, {"half": "\ud800"}),
        (4, deep),
        (5, "fine"),
    ])  # fmt: skip
    taken = delivered(lambda _: {})

    result = operator().execute(context())

    assert (result["rows"], result["acknowledged"], taken) == (5, 1, Counter(["5"]))
    reasons = {dead_letter["key"]: dead_letter["reason"] for dead_letter in dead_letters(store)}
    assert reasons["1"] == "not JSON: column 'title' has 20000-01-01 00:00:00: date too large (after year 10K)"
    assert reasons["2"] == "not JSON: column 'title' has infinity: no moment in time"
    assert "surrogates not allowed" in reasons["3"]
    assert "RecursionError" in reasons["4"]
    for dead_letter in dead_letters(store):
        dead_letter["value"].encode()


def test_a_size_that_the_proxy_refuses_is_remembered_and_logged_once(proxy, source, store, delivered, caplog):
    source([(n, "x" * 900) for n in range(2000)])
    sizes = []

    def refuse(keys):
        sizes.append(len(keys))
        return Answer({"message": "Request Too Long"}, 413) if len(keys) > 100 else {}

    taken = delivered(refuse)
    result = operator(concurrency=1).execute(context())

    assert result["dead_letters"] == 0
    assert taken == Counter(map(str, range(2000)))
    assert sum(size > 100 for size in sizes) == 3
    assert len([line for line in caplog.messages if "too large (413)" in line]) == 1
