"""A retried task sends what has no acknowledgement, and leaves one set of dead letters; the proxy is scripted."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.lake import send_progress
from pinterest_pipeline.lake.send_progress import SendProgress
from tests.unit.scripted_kafka_rest import Answer, confluent, failed
from tests.unit.sending import context, operator, rows

QUICK = {"first_wait_seconds": 0.01, "max_wait_seconds": 0.01, "max_attempts": 2}


def sent(proxy):
    return Counter(int(key) for asked in proxy.asked for key in asked.keys)


def outage_after(proxy, requests):
    """Return the behaviour of a proxy that delivers so many requests and then answers 503."""

    def answer(asked):
        return proxy.deliver(asked) if len(proxy.asked) <= requests else Answer({"message": "down"}, 503)

    return answer


def fail_first_try(proxy, **arguments):
    """Send rows, a request at a time, until the proxy goes away; forget the requests and let it deliver again."""
    with pytest.raises(TransientError):
        operator(**QUICK, concurrency=1, **arguments).execute(context(try_number=1))
    proxy.asked.clear()
    proxy.always = proxy.deliver


def test_a_retry_sends_only_what_has_no_acknowledgement(proxy, source, store):
    source(rows(10_000))
    proxy.always = outage_after(proxy, 12)
    fail_first_try(proxy)
    source(rows(10_000))

    result = operator().execute(context(try_number=2))

    assert sent(proxy) == Counter(range(6000, 10_000))
    assert (result["rows"], result["acknowledged"], result["earlier_rows"]) == (10_000, 10_000, 6000)
    assert result["partitions"] == [{"partition": 0, "first_offset": 0, "last_offset": 9999}]


def test_records_of_a_half_delivered_batch_are_known_one_by_one(proxy, source, store):
    source(rows(100))
    proxy.always = lambda asked: Answer(
        confluent([failed(50003) if int(key) % 3 == 1 else proxy.delivered() for key in asked.keys])
    )
    fail_first_try(proxy)
    source(rows(100))

    result = operator().execute(context(try_number=2))

    assert sent(proxy) == Counter(range(1, 100, 3))
    assert (result["rows"], result["earlier_rows"]) == (100, 67)


def test_a_third_try_goes_on_where_the_second_ended(proxy, source, store):
    source(rows(3000))
    proxy.always = outage_after(proxy, 2)
    fail_first_try(proxy)
    source(rows(3000))
    proxy.always = outage_after(proxy, 2)
    with pytest.raises(TransientError):
        operator(**QUICK, concurrency=1).execute(context(try_number=2))
    proxy.asked.clear()
    proxy.always = proxy.deliver
    source(rows(3000))

    result = operator().execute(context(try_number=3))

    assert sent(proxy) == Counter(range(2000, 3000))
    assert result["partitions"] == [{"partition": 0, "first_offset": 0, "last_offset": 2999}]


@pytest.mark.parametrize(
    ("change", "again"),
    [
        pytest.param(lambda found: [*found[:700], (700, "new"), *found[701:]], range(500, 1000), id="changed row"),
        pytest.param(lambda found: [(-1, "new"), *found], [-1], id="row added in front"),
        pytest.param(lambda found: found[1:], range(1, 500), id="row removed"),
        pytest.param(lambda found: found[::-1], range(2000), id="other order"),
    ],
)
def test_rows_that_have_changed_in_between_are_sent_again(proxy, source, store, change, again):
    found = list(rows(2000))
    source(found)
    proxy.always = outage_after(proxy, 3)
    fail_first_try(proxy)
    changed = change(found)
    source(changed)

    result = operator().execute(context(try_number=2))

    assert sent(proxy) == Counter({*again, *range(1500, 2000)})
    assert result["rows"] == result["acknowledged"] == len(changed)


def test_a_task_that_is_cleared_after_a_success_sends_all_rows(proxy, source, store):
    source(rows(2000))
    proxy.always = outage_after(proxy, 2)
    fail_first_try(proxy)
    for try_number in (2, 3):
        proxy.asked.clear()
        source(rows(2000))
        operator().execute(context(try_number=try_number))

    assert sent(proxy) == Counter(range(2000))


def test_without_a_place_for_its_progress_a_retry_sends_all_rows(proxy, source, store):
    source(rows(1000))
    proxy.always = outage_after(proxy, 1)
    fail_first_try(proxy, progress_prefix="")
    source(rows(1000))

    operator(progress_prefix="").execute(context(try_number=2))

    assert sent(proxy) == Counter(range(1000))
    assert store.objects == {}


def test_a_topic_that_was_created_again_in_between_is_noticed_and_gets_all_rows(proxy, source, store):
    source(rows(2000))
    proxy.always = outage_after(proxy, 3)
    fail_first_try(proxy)
    proxy.offset = 0
    source(rows(2000))

    with pytest.raises(TransientError, match=r"topic pinterest\.pin was created again.* gave offset 0 after 1499"):
        operator().execute(context(try_number=2))

    source(rows(2000))
    operator().execute(context(try_number=3))
    assert sent(proxy) == Counter([*range(2000), *range(1500, 2000)])


def test_another_cluster_gets_all_rows(proxy, source, store, monkeypatch):
    source(rows(1000))
    proxy.always = outage_after(proxy, 1)
    fail_first_try(proxy)
    source(rows(1000))
    connection = {"conn_type": "http", "host": proxy.url.replace("127.0.0.1", "localhost"), "password": "k"}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_KAFKA_REST", json.dumps(connection))
    monkeypatch.setenv("NO_PROXY", "localhost")

    assert operator().execute(context(try_number=2))["earlier_rows"] == 0


def test_dead_letters_of_an_earlier_try_that_the_last_one_delivered_are_moved_away(proxy, source, store):
    """Two rows that are refused at first, of which one is fine later; one that is refused by us, each time."""
    found = [(1, "fine"), (2, "later fine"), (3, "never"), (4, float("inf"))]
    refused = {"2", "3"}

    def answer(asked):
        return Answer(confluent([failed(50002) if key in refused else proxy.delivered() for key in asked.keys]))

    source(found)
    proxy.always = answer
    operator().execute(context(try_number=1))
    refused.remove("2")
    source(found)
    result = operator().execute(context(try_number=2))

    current = {key: lines for key, lines in store.objects.items() if key.startswith("dead-letters/")}
    assert sorted(line["key"] for lines in current.values() for line in lines) == ["3", "4"]
    assert all(f"s3://lake/{key}".startswith(result["dead_letter_uri"]) for key in current)
    (moved,) = (lines for key, lines in store.objects.items() if key.startswith("dead-letters-superseded/"))
    assert sorted(line["key"] for line in moved) == ["2", "3", "4"]
    assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (4, 2, 2)


def test_a_try_that_fails_leaves_the_dead_letters_of_the_one_before(proxy, source, store):
    proxy.always = lambda asked: Answer(
        confluent([failed(50002) if key == "1" else proxy.delivered() for key in asked.keys])
    )
    source(rows(3))
    operator().execute(context(try_number=1))
    proxy.always = lambda _: Answer({"message": "Not Found"}, 404)
    source(rows(3))

    with pytest.raises(PermanentError):
        operator().execute(context(try_number=2))

    assert [key for key in store.objects if key.startswith("dead-letters/")] != []
    assert [key for key in store.objects if key.startswith("dead-letters-superseded/")] == []


def test_progress_is_stored_every_few_seconds_and_only_what_is_new(store, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(send_progress.time, "monotonic", lambda: now[0])
    progress = SendProgress(store, prefix="p", target="t", name="n", started_at=datetime(2026, 11, 27, tzinfo=UTC))
    for batch in range(100):
        progress.add([send_progress.Record(b"%d" % batch, b"{}")], {0}, [])
        now[0] += 1

    assert [len(lines) - 1 for lines in store.objects.values()] == [11, *[10] * 8]
    progress.save()
    assert sum(len(lines) - 1 for lines in store.objects.values()) == 100
