"""The operators of streams on a scripted hook: what they wait for, what they repeat, what they refuse."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psycopg
import psycopg2
import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.dag import approval
from pinterest_pipeline.dag.approval import ApproveOperator
from pinterest_pipeline.dag.kinesis_streams import choose
from pinterest_pipeline.kinesis import operators as kinesis_base
from pinterest_pipeline.kinesis.delete_stream import KinesisDeleteStreamOperator
from pinterest_pipeline.kinesis.model import UnreadShard
from pinterest_pipeline.kinesis.operators import (
    KinesisEnsureStreamOperator,
    KinesisScaleStreamOperator,
)
from pinterest_pipeline.kinesis.put_records import KinesisPutRecordsOperator
from tests.unit.test_kinesis_plan import AS_DECLARED, SPEC

DECLARED = {key: value for key, value in SPEC.arguments().items() if key != "stream_name"}
UNREAD = UnreadShard("shard-7", "42", datetime(2026, 11, 25, 10, tzinfo=UTC))


class Hook:
    """Shows the stream as scripted, poll by poll (the last one repeats), and remembers the changes."""

    def __init__(self, *polls, unread=()):
        self.polls = list(polls)
        self.changed = []
        self.found_unread = unread
        self.asked = None

    def find(self, _name):
        return self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]

    def change(self, operation, _stream, **arguments):
        self.changed.append((operation, arguments))

    def unread(self, _name, positions, *, arrived_after):
        self.asked = (positions, arrived_after)
        return self.found_unread


@pytest.fixture
def operator(monkeypatch):
    monkeypatch.setattr(kinesis_base.time, "sleep", lambda seconds: None)

    def build(kind, hook, **arguments):
        built = kind(task_id="t", stream_name="s", **{"deferrable": False, **arguments})
        built.hook = hook
        return built

    return build


def busy(status="UPDATING"):
    return replace(AS_DECLARED, status=status)


def test_each_change_is_waited_for_before_the_next(operator):
    old = replace(AS_DECLARED, retention_hours=24, tags={})
    hook = Hook(old, busy(), replace(AS_DECLARED, tags={}), AS_DECLARED)

    result = operator(KinesisEnsureStreamOperator, hook, **DECLARED).execute({})

    assert [operation for operation, _ in hook.changed] == ["increase_stream_retention_period", "add_tags_to_stream"]
    assert result["actions"] == ["retention 24 h -> 48 h", "tags a, b"]


def test_a_change_that_does_not_show_at_once_is_not_made_twice(operator):
    old = replace(AS_DECLARED, retention_hours=24)
    hook = Hook(old, old, old, AS_DECLARED)

    operator(KinesisEnsureStreamOperator, hook, **DECLARED).execute({})

    assert len(hook.changed) == 1


def test_a_change_that_never_shows_is_an_error_that_names_it(operator, monkeypatch):
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(kinesis_base.time, "time", lambda: next(clock))

    with pytest.raises(PermanentError, match="Kinesis undid or ignored this: retention 24 h -> 48 h"):
        operator(KinesisEnsureStreamOperator, Hook(replace(AS_DECLARED, retention_hours=24)), **DECLARED).execute({})


def test_what_is_not_done_in_time_lets_another_try_go_on(operator):
    ensure = operator(KinesisEnsureStreamOperator, Hook(busy("CREATING")), timeout=timedelta(0), **DECLARED)

    with pytest.raises(TransientError, match="Stream s: Kinesis did not finish within 0:00:00"):
        ensure.execute({})


def test_deferred_it_keeps_its_deadline_and_what_it_did(operator):
    old = replace(AS_DECLARED, retention_hours=24)
    ensure = operator(KinesisEnsureStreamOperator, Hook(old, busy(), busy(), AS_DECLARED), deferrable=True, **DECLARED)
    with pytest.raises(TaskDeferred) as deferred:
        ensure.execute({})

    kwargs = deferred.value.kwargs
    assert kwargs["actions"] == ["retention 24 h -> 48 h"]
    assert deferred.value.trigger.deadline == kwargs["deadline"]
    assert ensure.resume({}, {"status": "ready", "result": {}}, **kwargs)["actions"] == ["retention 24 h -> 48 h"]


def test_what_is_done_within_a_second_needs_no_deferral(operator):
    old = replace(AS_DECLARED, retention_hours=24, tags={})
    hook = Hook(old, busy(), replace(AS_DECLARED, tags={}), busy(), AS_DECLARED)

    result = operator(KinesisEnsureStreamOperator, hook, deferrable=True, **DECLARED).execute({})

    assert len(result["actions"]) == 2


def test_a_failed_wait_is_an_error_and_one_that_took_too_long_too(operator):
    ensure = operator(KinesisEnsureStreamOperator, Hook(AS_DECLARED), **DECLARED)

    with pytest.raises(PermanentError, match="is being deleted"):
        ensure.resume({}, {"status": "failed", "message": "is being deleted"}, 0.0, [], 0.0)
    with pytest.raises(TransientError, match="another try goes on waiting"):
        ensure.resume({}, {"status": "timed_out", "message": ""}, 0.0, [], 0.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shard_count": 0}, "t: shard_count is 0"),
        ({"retention_hours": 1}, "t: retention_hours is 1"),
        ({"mode": "ON_DEMAND", "shard_count": 1}, "scales itself"),
        ({"poll_seconds": 0}, "poll_seconds is 0, expected more than 0"),
    ],
)
def test_bad_input_is_refused_when_the_dag_is_read(arguments, message):
    with pytest.raises(ValueError, match=message):
        KinesisEnsureStreamOperator(task_id="t", stream_name="s", **arguments)


@pytest.mark.parametrize("target", [0, -1, 10_001, "many", "", None, 2.5, True])
def test_a_bad_shard_count_is_refused_before_any_change(operator, target):
    hook = Hook(AS_DECLARED)

    with pytest.raises(PermanentError, match=r"Stream s: target_shard_count is .*, expected 1 to 10,000"):
        operator(KinesisScaleStreamOperator, hook, target_shard_count=target).execute({})

    assert hook.changed == []


def test_a_bad_name_is_refused_before_any_call():
    with pytest.raises(PermanentError, match="Stream name 'a b': expected"):
        KinesisScaleStreamOperator(task_id="t", stream_name="a b", target_shard_count=1).execute({})


def aged(hours):
    return UnreadShard("shard-7", "42", datetime.now(UTC) - timedelta(hours=hours))


SHORTER = [("decrease_stream_retention_period", {"StreamName": "s", "RetentionPeriodHours": 48})]


@pytest.mark.parametrize(
    ("unread", "consumers", "changed", "left"),
    [
        pytest.param((), 0, SHORTER, None, id="all is read"),
        pytest.param((aged(0.9),), 0, SHORTER, None, id="readers keep up"),
        pytest.param((aged(1.1), aged(0)), 0, [], "2 shards have unread records, the oldest of .* in shard-7", id="no"),
        pytest.param((aged(100),), 0, [], "1 shards have unread records", id="older than the new retention"),
        pytest.param((), 1, [], "1 registered consumers read it", id="a reader of which nothing is known"),
    ],
)  # fmt: skip
def test_a_retention_raised_by_hand_is_lowered_only_once_readers_keep_up(operator, unread, consumers, changed, left):
    raised = replace(AS_DECLARED, retention_hours=168, consumer_count=consumers)
    hook = Hook(raised, AS_DECLARED, unread=unread) if changed else Hook(raised, unread=unread)

    result = operator(KinesisEnsureStreamOperator, hook, **DECLARED).execute({})

    assert hook.changed == changed
    assert len(result["left"]) == (left is not None)
    for said in result["left"]:
        assert re.match("retention 168 h -> 48 h is not made: what arrived more than 48 hours ago is dropped", said)
        assert re.search(f"; {left}", said)
        assert 'accept "retention"' in said


GUARDED = [
    pytest.param({"retention_hours": 72}, "decrease_stream_retention_period", "retention", "dropped at once", id="ret"),
    pytest.param({"open_shard_count": 3}, "update_shard_count", "shards", "beyond 2 shards .* throttled", id="fewer"),
    pytest.param({"mode": "ON_DEMAND"}, "update_stream_mode", "mode", "keeps its 2 shards .* itself no more", id="on"),
    pytest.param({"key_id": "alias/by-hand"}, "start_stream_encryption", "encryption",
                 "readers kms:Decrypt on alias/aws/kinesis; readers need alias/by-hand, too, for 48 hours", id="key"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "operation", "guard", "costs"), GUARDED)
def test_what_takes_something_away_waits_until_it_is_accepted(operator, capsys, seen, operation, guard, costs):
    by_hand = replace(AS_DECLARED, tags={}, **seen)
    as_left = replace(by_hand, tags=AS_DECLARED.tags)
    careful, accepted = Hook(by_hand, as_left, unread=(aged(2),)), Hook(as_left, AS_DECLARED, unread=(aged(2),))

    left = operator(KinesisEnsureStreamOperator, careful, **DECLARED).execute({})["left"]
    result = operator(KinesisEnsureStreamOperator, accepted, accept=[guard], **DECLARED).execute({})

    assert [made for made, _ in careful.changed] == ["add_tags_to_stream"], "the harmless rest is corrected"
    assert re.search(costs, left[0])
    assert f'accept "{guard}"' in left[0]
    logged = capsys.readouterr().out
    assert f"Stream s: {left[0]}" in logged
    assert [made for made, _ in accepted.changed] == [operation]
    assert result["left"] == []
    assert re.search(f"Costs: .*{costs}", logged)


def test_encryption_is_not_turned_off_unless_accepted(operator):
    careful, accepted = Hook(AS_DECLARED), Hook(AS_DECLARED, replace(AS_DECLARED, encryption="NONE", key_id=None))

    left = operator(KinesisEnsureStreamOperator, careful, **{**DECLARED, "key_id": None}).execute({})["left"]
    operator(KinesisEnsureStreamOperator, accepted, accept=["encryption"], **{**DECLARED, "key_id": None}).execute({})

    assert (careful.changed, [made for made, _ in accepted.changed]) == ([], ["stop_stream_encryption"])
    assert "new records lie there unencrypted" in left[0]


def test_deleting_asks_the_query_how_far_readers_are(operator, monkeypatch):
    asked = []
    rows = [("shard-0", 7, None), ("shard-1", None, UNREAD.arrived_at), (None, None, None)]
    database = SimpleNamespace(get_records=lambda sql, parameters: asked.append((sql, parameters)) or rows)
    monkeypatch.setattr("pinterest_pipeline.warehouse.hook.PipelinePostgresHook", lambda conn_id: database)
    hook = Hook(AS_DECLARED, busy("DELETING"), None)

    operator(KinesisDeleteStreamOperator, hook, sql="SELECT 1", parameters={"stream": "s"}).execute({})

    assert asked == [("SELECT 1", {"stream": "s"})]
    assert hook.asked == ({"shard-0": "7"}, UNREAD.arrived_at)
    assert hook.changed == [("delete_stream", {"StreamName": "s", "EnforceConsumerDeletion": False})]


def test_deleting_refuses_what_is_unread_and_names_the_oldest(operator):
    hook = Hook(AS_DECLARED, unread=(UNREAD,))

    with pytest.raises(
        PermanentError, match=r"in 1 shards, the oldest of 2026-11-25T10:00:00\+00:00 in shard-7 \(42\)"
    ):
        operator(KinesisDeleteStreamOperator, hook).execute({})

    assert hook.changed == []


@pytest.mark.parametrize("force", [True, "True", "true"])
def test_force_deletes_what_is_unread_and_its_consumers(operator, force):
    hook = Hook(replace(AS_DECLARED, consumer_count=1), None, unread=(UNREAD,))

    result = operator(KinesisDeleteStreamOperator, hook, force=force).execute({})

    assert hook.changed == [("delete_stream", {"StreamName": "s", "EnforceConsumerDeletion": True})]
    assert result["actions"] == ["delete, giving up unread records in 1 shards"]


@pytest.mark.parametrize("force", [False, "False", "", "no"])
def test_registered_consumers_still_want_a_stream(operator, force):
    with pytest.raises(PermanentError, match="has 1 registered consumers: deregister them"):
        operator(KinesisDeleteStreamOperator, Hook(replace(AS_DECLARED, consumer_count=1)), force=force).execute({})


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(psycopg.errors.UndefinedTable, PermanentError, id="no table"),
        pytest.param(psycopg2.OperationalError, TransientError, id="an outage"),
    ],
)
def test_a_query_that_fails_never_counts_as_read(operator, monkeypatch, error, kind):
    def fail(*_):
        raise error("relation does not exist")

    monkeypatch.setattr(
        "pinterest_pipeline.warehouse.hook.PipelinePostgresHook", lambda conn_id: SimpleNamespace(get_records=fail)
    )

    with pytest.raises(kind, match="How far the stream has been read could not be read: relation does not exist"):
        operator(KinesisDeleteStreamOperator, Hook(AS_DECLARED), sql="SELECT 1").execute({})


@pytest.mark.parametrize("sql", ["", "  \n"])
def test_an_empty_query_is_refused(operator, sql):
    put = KinesisPutRecordsOperator(
        task_id="t", stream_name="s", sql=sql, key_column="ind", dead_letter_bucket="b", deferrable=False
    )
    with pytest.raises(PermanentError, match="the query for stream s is empty: give it as `sql`"):
        put.execute({})
    with pytest.raises(PermanentError, match="is empty: give it as `sql`"):
        operator(KinesisDeleteStreamOperator, Hook(AS_DECLARED), sql=sql).execute({})


def test_putting_waits_for_a_stream_that_is_being_created_and_not_for_one_that_is_changed():
    put = KinesisPutRecordsOperator(
        task_id="t", stream_name="s", sql="SELECT 1", key_column="ind", dead_letter_bucket="b", deferrable=True
    )

    assert put.next_step(busy("CREATING")) == "ACTIVE"
    assert put.next_step(busy("UPDATING")) is None
    with pytest.raises(PermanentError, match="Stream s does not exist"):
        put.next_step(None)


def test_the_run_acts_on_the_streams_that_its_params_name():
    streams = {table: {"stream_name": f"s-{table}", "shard_count": 2} for table in ("pin", "geo", "user")}
    nothing = {"scale_to": {}, "accept": {}, "delete": []}

    chosen = choose(streams, {"scale_to": {"pin": 4}, "accept": {"user": ["mode"]}, "delete": ["geo", "geo"]})

    assert [(each["stream_name"], each["accept"]) for each in chosen["ensure"]] == [("s-pin", []), ("s-user", ["mode"])]
    assert [each["parameters"] for each in chosen["ensure"]] == [{"stream": "s-pin"}, {"stream": "s-user"}]
    assert chosen["scale"] == [{"stream_name": "s-pin", "target_shard_count": 4}]
    assert chosen["delete"] == [{"stream_name": "s-geo", "parameters": {"stream": "s-geo"}}]
    with pytest.raises(PermanentError, match="No stream is declared for ant, cat, dog, only for pin, geo, user"):
        choose(streams, {"scale_to": {"dog": 1}, "accept": {"ant": []}, "delete": ["cat"]})
    with pytest.raises(PermanentError, match="pin cannot be scaled and deleted in one run"):
        choose(streams, {**nothing, "scale_to": {"pin": 1}, "delete": ["pin"]})


def test_an_approval_is_asked_for_unless_it_is_waived(monkeypatch):
    monkeypatch.setattr(approval.ApprovalOperator, "execute", lambda self, context: "asked")

    def ask(waived):
        return ApproveOperator(task_id="a", subject="Delete?", waived=waived).execute({})

    assert [ask(waived) for waived in (False, "False", None)] == ["asked"] * 3
    assert ask("True") == ask(True) == {"chosen_options": ["Approve"], "waived": True}
