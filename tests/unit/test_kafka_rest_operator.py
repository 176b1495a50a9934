"""The produce operator: its checks, its account, its dead letters; the proxy is scripted, the source a fake."""

import json
import threading

import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from tests.unit.scripted_kafka_rest import Answer, confluent, failed
from tests.unit.sending import context, operator, rows


@pytest.mark.parametrize(
    ("name", "most"), [("max_batch_records", 10_000), ("max_batch_bytes", 10_000_000), ("concurrency", 16)]
)
def test_bounds_are_checked_when_the_dag_is_parsed(name, most):
    for good in (1, 2, most - 1, most):
        assert getattr(operator(**{name: good}), name) == good
    for bad in (-1, 0, most + 1):
        with pytest.raises(ValueError, match=f"{name} is {bad}, expected 1 to {most:,}"):
            operator(**{name: bad})


def test_result_accounts_for_every_row(proxy, source, store):
    source(rows(1001))

    result = operator().execute(context())

    assert {name: result[name] for name in ("topic", "rows", "acknowledged", "dead_letters", "batches")} == {
        "topic": "pinterest.pin",
        "rows": 1001,
        "acknowledged": 1001,
        "dead_letters": 0,
        "batches": 3,
    }
    assert (result["dead_letter_uri"], result["retries"], result["dialect"]) == (None, 0, "confluent")
    assert result["partitions"] == [{"partition": 0, "first_offset": 0, "last_offset": 1000}]
    assert result["bytes"] == sum(len(asked.body) for asked in proxy.asked)
    assert result["started_at"].endswith("+00:00")
    assert json.loads(json.dumps(result)) == result
    assert sorted(int(key) for asked in proxy.asked for key in asked.keys) == list(range(1001))


def test_result_says_which_offsets_between_the_first_and_the_last_are_not_its_own(proxy, source, store):
    source(rows(6))

    def deliver_and_let_another_write(asked):
        answer = proxy.deliver(asked)
        proxy.offset += 1
        return answer

    proxy.always = deliver_and_let_another_write

    result = operator(max_batch_records=2, concurrency=1).execute(context())

    assert result["partitions"] == [{"partition": 0, "first_offset": 0, "last_offset": 7, "gaps": [[2, 2], [5, 5]]}]
    assert json.loads(json.dumps(result)) == result


def test_no_rows_is_a_result_without_offsets_and_without_a_request(proxy, source, store):
    source([])

    result = operator().execute(context())

    assert (result["rows"], result["partitions"], result["dialect"], proxy.asked) == (0, [], None, [])


def test_several_requests_are_in_flight_and_no_more_than_concurrency(proxy, source, store):
    source(rows(100))
    proxy.always = lambda asked: Answer(proxy.deliver(asked).body, delay_seconds=0.02)

    operator(max_batch_records=5, concurrency=3).execute(context())

    assert proxy.most_in_flight == 3


def test_query_and_parameters_go_to_the_driver_apart(proxy, source, store):
    cursor = source(rows(1))

    operator(sql="SELECT %(a)s", parameters={"a": "'; DROP TABLE x"}).execute(context())

    assert cursor.asked == ("SELECT %(a)s", {"a": "'; DROP TABLE x"})


def test_dead_letters_are_kept_whole_under_a_name_that_the_same_try_repeats(proxy, source, store):
    found = [(1, "fine"), (2, "x" * 3000), (3, float("nan")), (4, "refused"), (5, "fine")]
    source(found)
    proxy.always = lambda asked: Answer(
        confluent([failed(50002, "too large") if key == "4" else proxy.delivered() for key in asked.keys])
    )

    task = operator(max_batch_bytes=1000)
    result = task.execute(context())
    source(found)
    task.execute(context())

    name = "dead-letters/pinterest.pin/dt=2026-11-23/daily.manual__2026-11-24T02_00_00_00_00.send.try1-0.json"
    (letters,) = store.objects.values()
    assert list(store.objects) == [name]
    assert (result["rows"], result["acknowledged"], result["dead_letters"]) == (5, 2, 3)
    assert f"s3://lake/{name}".startswith(result["dead_letter_uri"])
    by_key = {letter["key"]: letter for letter in letters}
    assert json.loads(by_key["2"]["value"]) == {"index": 2, "title": "x" * 3000}
    assert "max_batch_bytes=1000" in by_key["2"]["reason"]
    assert "nan" in by_key["3"]["value"]
    assert (by_key["4"]["error_code"], by_key["4"]["reason"]) == (50002, "too large")
    assert by_key["4"]["topic"] == "pinterest.pin"


def test_mapped_tasks_do_not_overwrite_each_other(proxy, source, store):
    for map_index in (0, 1):
        source([(1, "fine"), (2, "x" * 3000)])
        operator(max_batch_bytes=1000).execute(context(map_index=map_index))

    assert len(store.objects) == 2


def test_when_every_record_is_rejected_the_task_fails_and_says_where_they_are(proxy, source, store):
    source(rows(3))
    proxy.always = lambda asked: Answer(confluent([failed(50002, "too large") for _ in asked.keys]))

    with pytest.raises(PermanentError, match=r"none of 3 records.*too large.*s3://lake/dead-letters/pinterest.pin/"):
        operator().execute(context())

    assert sum(map(len, store.objects.values())) == 3


@pytest.mark.parametrize(
    ("arguments", "result", "message"),
    [
        ({"sql": "  \n"}, {"index": 1}, "the query for topic pinterest.pin is empty"),
        ({"key_column": "id"}, {"index": 1}, "key column 'id' is not in the result, which has index"),
        ({}, {"index": 1, "photo": b"x"}, "column 'photo' has a bytes"),
    ],
)
@pytest.mark.usefixtures("store")
def test_mistake_in_the_query_fails_at_once(proxy, source, arguments, result, message):
    source([tuple(result.values())], tuple(result))

    with pytest.raises(PermanentError, match=message):
        operator(**arguments).execute(context())

    assert proxy.asked == []


def test_unknown_topic_fails_at_once_without_reading_on(proxy, source, store):
    cursor = source(rows(1_000_000))
    proxy.always = lambda asked: Answer({"error_code": 40401, "message": "Topic not found."}, 404)

    with pytest.raises(PermanentError, match=r"topic pinterest\.pin is unknown: create it"):
        operator().execute(context())

    assert cursor.fetched < 10_000


def test_killed_task_sends_nothing_further(proxy, source, store):
    source(rows(1_000_000))
    task = operator(max_batch_records=1, concurrency=2)
    proxy.always = lambda asked: Answer(proxy.deliver(asked).body, delay_seconds=0.01)
    threading.Timer(0.3, task.on_kill).start()

    with pytest.raises(TransientError, match="stopped"):
        task.execute(context())

    sent = len(proxy.asked)
    assert 0 < sent < 1000
