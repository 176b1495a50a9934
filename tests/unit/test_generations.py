"""A topic that begins again is noticed before it is sent to, and its objects lie apart."""

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.daily_batch import check_offsets
from pinterest_pipeline.lake.generations import topics_dir, went_back
from pinterest_pipeline.lake.hook import LakeHook
from tests.unit.scripted_kafka_rest import Answer
from tests.unit.test_lake_hook import Client, content, key

LANDED = {0: (4, "topics/t/dt=2026-11-24/t+0+0000000000.json.gz")}


@pytest.mark.parametrize(
    ("generation", "folder"),
    [("", "topics"), (None, "topics"), ("2", "topics-2"), (2, "topics-2"), ("b.1_x", "topics-b.1_x")],
)
def test_each_generation_has_its_folder_and_the_first_keeps_todays(generation, folder):
    assert topics_dir(generation) == folder


@pytest.mark.parametrize("generation", ["a/b", "two words", "*", "ü"])
def test_a_generation_that_is_no_folder_is_refused(generation):
    with pytest.raises(PermanentError, match=r"generation is .* write it with letters, digits"):
        topics_dir(generation)


@pytest.mark.parametrize(("end", "is_back"), [(0, True), (4, True), (5, False), (6, False)])
def test_kafkas_next_offset_must_be_above_what_the_lake_has(end, is_back):
    assert bool(went_back("t", {0: end}, LANDED)) is is_back


def test_the_message_names_topic_partition_both_offsets_and_the_runbook():
    (said,) = went_back("t", {0: 2, 1: 0}, LANDED)

    assert said == (
        "topic t, partition 0: Kafka's next offset is 2, but the lake has offset 4 "
        "(topics/t/dt=2026-11-24/t+0+0000000000.json.gz): the topic was created again, is another cluster's, or lost "
        "records. Set a new `generation` in the Variable pinterest_pipeline: docs/runbook.md, section “Move to another "
        "cluster, create a topic again, restore a broker”"
    )


def test_a_topic_that_was_created_again_with_fewer_partitions_is_noticed():
    assert "partition 0: Kafka has no such partition" in went_back("t", {}, LANDED)[0]


def test_a_new_partition_and_an_empty_lake_are_no_trouble():
    assert went_back("t", {0: 5, 1: 0}, LANDED) == went_back("t", {0: 0}, {}) == []


@pytest.fixture
def check(proxy, monkeypatch):
    """Return a function that runs the DAG's check for topic ``pin``, whose lake ends at offset 8 of partition 0."""
    bucket = Client({key(0, 7, "2026-11-25"): content(7, 8)})
    monkeypatch.setattr(LakeHook, "get_conn", lambda _hook: bucket)

    def run(offsets, topics_dir="topics"):
        proxy.script = [Answer([{"partition": 0}]), offsets]
        return check_offsets.function(["pin"], bucket="lake", topics_dir=topics_dir)

    return run


def test_the_run_goes_on_where_offsets_grow(check):
    assert check(Answer({"beginning_offset": 9, "end_offset": 9})) == {"pin": {"0": [9, 9]}}


def test_the_run_fails_before_it_sends_where_they_do_not(check, proxy):
    with pytest.raises(
        PermanentError, match=r"Nothing was sent\. topic pin, partition 0: Kafka's next offset is 8, but"
    ):
        check(Answer({"beginning_offset": 0, "end_offset": 8}))

    assert {asked.method for asked in proxy.asked} == {"GET"}


def test_a_new_generation_begins_with_an_empty_folder(check):
    assert check(Answer({"beginning_offset": 0, "end_offset": 0}), "topics-2") == {"pin": {"0": [0, 0]}}


def test_a_proxy_that_does_not_tell_its_offsets_is_warned_of(check, caplog):
    assert check(Answer({"error_code": 404, "message": "HTTP 404 Not Found"}, 404)) == {}
    assert "Not known whether topic pin goes on where it ended" in caplog.text
