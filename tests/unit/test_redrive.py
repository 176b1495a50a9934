"""Dead letters sent again: each is resolved once, as its row is now, and counted for the try whose it was."""

import json

import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.kafka_rest.redrive import KafkaRestRedriveOperator
from tests.unit.scripted_kafka_rest import Answer, confluent, failed
from tests.unit.sending import context

TOPIC = "pinterest.pin"
FOLDER = f"dead-letters/{TOPIC}/dt=2026-11-20"
FIRST, SECOND = f"{FOLDER}/daily.run_1.send.0.try1-0.json", f"{FOLDER}/daily.run_2.send.0.try2-0.json"
OWN = f"dead-letters/{TOPIC}/dt=2026-11-23/daily.manual__2026-11-24T02_00_00_00_00.send.try"


def moved(name):
    return name.replace("dead-letters/", "dead-letters-redriven/daily.manual__2026-11-24T02_00_00_00_00.send/")


def uri(name):
    return "s3://lake/" + name.removesuffix("0.json")


def outcome(name, redriven, refused, of=None):
    return {"name": name, "dead_letter_uri": uri(of or name), "redriven": redriven, "refused": refused}


def line(key, value=None, **more):
    value = json.dumps({"index": key, "title": f"old {key}"}) if value is None else value
    return {"topic": TOPIC, "key": None if key is None else str(key), "value": value, "reason": "firewall", **more}


def redrive(*objects, **arguments):
    defaults = {"task_id": "redrive", "topic": TOPIC, "key_column": "index", "dead_letter_bucket": "lake"}
    return KafkaRestRedriveOperator(
        **{**defaults, "objects": objects, "first_wait_seconds": 0.01, "max_attempts": 2, "concurrency": 1, **arguments}
    )


class Topic:
    """What arrived in the topic, and what the proxy refuses, by key."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.titles = []
        self.refused = set()
        self.without_leader = set()
        proxy.always = self.answer

    def answer(self, asked):
        if asked.method == "GET":
            return self.proxy.deliver(asked)
        return Answer(confluent([self.outcome(record) for record in asked.records]))

    def outcome(self, record):
        if record["key"] in self.refused:
            return failed(50002, "invalid record")
        if record["key"] in self.without_leader:
            return failed(50003, "no leader")
        self.titles.append(record["value"]["title"])
        return self.proxy.delivered()


@pytest.fixture
def topic(proxy):
    return Topic(proxy)


def test_what_is_delivered_is_moved_away_and_counted(topic, store):
    store.objects |= {FIRST: [line(1), line(2)], SECOND: [line(3)]}

    summary = redrive(FIRST, SECOND).execute(context())

    assert topic.titles == ["old 1", "old 2", "old 3"]
    assert set(store.names("dead-letters")) == {moved(FIRST), moved(SECOND)}
    assert (summary["rows"], summary["acknowledged"], summary["dead_letters"]) == (3, 3, 0)
    assert summary["dead_letter_uri"] is None
    assert summary["redriven"] == [outcome(FIRST, 2, 0), outcome(SECOND, 1, 0)]


def test_the_row_of_the_source_goes_before_the_stored_value(topic, store, source):
    cursor = source([(2, "new 2")])
    store.objects[FIRST] = [line(1), line(2), line(None, '{"index": null, "title": "no id"}'), line("01")]

    redrive(FIRST, sql="SELECT … %(ids)s").execute(context())

    assert topic.titles == ["old 1", "new 2", "no id", "old 01"]
    assert cursor.asked == ("SELECT … %(ids)s", {"ids": [1, 2]})


def test_a_value_that_is_no_json_needs_its_row(topic, store, source):
    store.objects[FIRST] = [line(1, "{'index': 1, 'title': nan}"), line(2, "{'index': 2}")]
    source([(1, "right now")])

    summary = redrive(FIRST, sql="SELECT").execute(context())

    assert topic.titles == ["right now"]
    (left,) = store.objects[f"{OWN}1-0.json"]
    assert (left["key"], left["value"], left["reason"].partition(":")[0]) == ("2", "{'index': 2}", "not JSON")
    assert summary["redriven"] == [outcome(FIRST, 1, 1)]


def test_what_is_refused_again_is_a_dead_letter_of_this_task_that_knows_its_first(topic, store):
    store.objects[FIRST] = [line(1), line(2)]
    topic.refused = {2}

    summary = redrive(FIRST).execute(context())

    (left,) = store.objects[f"{OWN}1-0.json"]
    assert (left["key"], left["reason"], tuple(left["redrives"])) == ("2", "invalid record", (uri(FIRST),))
    assert summary["dead_letter_uri"] == uri(f"{OWN}1-0.json")
    assert summary["redriven"] == [outcome(FIRST, 1, 1)]


def test_a_dead_letter_that_was_refused_again_counts_for_its_first_task_once_it_is_delivered(topic, store):
    again = SECOND
    store.objects[again] = [line(2, redrives=[uri(FIRST)])]

    summary = redrive(again).execute(context())

    assert summary["redriven"] == [outcome(again, 1, 0, of=FIRST), outcome(again, 1, 0)]


def test_nothing_is_moved_or_written_while_an_outage_lasts_and_the_next_try_sends_the_rest(topic, store):
    store.objects |= {FIRST: [line(1), line(2)], SECOND: [line(3), line(4)]}
    topic.refused, topic.without_leader = {2}, {3}

    with pytest.raises(TransientError):
        redrive(FIRST, SECOND, max_batch_records=1).execute(context())

    assert set(store.names("dead-letters")) == {FIRST, SECOND}
    topic.without_leader = set()
    summary = redrive(FIRST, SECOND, max_batch_records=1).execute(context(try_number=2))

    assert sorted(topic.titles) == ["old 1", "old 3", "old 4"]
    assert (summary["rows"], summary["acknowledged"], summary["dead_letters"]) == (4, 3, 1)
    assert summary["redriven"] == [outcome(FIRST, 1, 1), outcome(SECOND, 2, 0)]
    assert set(store.names("dead-letters")) == {moved(FIRST), moved(SECOND), f"{OWN}2-0.json"}


def test_a_task_that_was_killed_between_two_moves_ends_with_the_same_result(topic, store, monkeypatch):
    store.objects |= {FIRST: [line(1), line(2)], SECOND: [line(3)]}
    topic.refused = {2}
    move = type(store).move

    def dies(self, key, new_key):
        if key == SECOND:
            raise SystemExit
        move(self, key, new_key)

    with monkeypatch.context() as patched:
        patched.setattr(type(store), "move", dies)
        with pytest.raises(SystemExit):
            redrive(FIRST, SECOND).execute(context())
    assert set(store.names("dead-letters")) == {moved(FIRST), SECOND, f"{OWN}1-0.json"}

    summary = redrive(FIRST, SECOND).execute(context(try_number=2))

    assert summary["redriven"] == [outcome(FIRST, 1, 1), outcome(SECOND, 1, 0)]
    assert {moved(FIRST), moved(SECOND), f"{OWN}2-0.json"} <= set(store.objects)
    assert store.names("dead-letters/") == [f"{OWN}2-0.json"]


def test_a_task_that_is_cleared_after_a_success_sends_the_same_and_counts_the_same(topic, store):
    store.objects[FIRST] = [line(1), line(2)]
    first = redrive(FIRST).execute(context())

    again = redrive(FIRST).execute(context(try_number=2))

    assert again["redriven"] == first["redriven"]
    assert set(store.names("dead-letters")) == {moved(FIRST)}


def test_what_another_task_resolved_is_not_sent_again(topic, store):
    store.objects[moved(FIRST).replace("2026-11-24", "2026-11-25")] = [line(1)]

    summary = redrive(FIRST).execute(context())

    assert (summary["rows"], summary["redriven"], topic.titles) == (0, [], [])


def test_where_every_record_is_refused_again_the_task_fails_and_all_stays_where_it_was(topic, store):
    store.objects[FIRST] = [line(1), line(2)]
    topic.refused = {1, 2}

    with pytest.raises(
        PermanentError, match=r"none of 2 records.*invalid record.*s3://lake/dead-letters/pinterest.pin/\*"
    ):
        redrive(FIRST).execute(context())

    assert set(store.objects) == {FIRST}
