"""What DAG ``pinterest_redrive`` decides: which dead letters, which way, and what a day counts as delivered."""

import logging
from datetime import UTC, datetime

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag import redrive
from pinterest_pipeline.dag.reconciliation import reconcile

PARAMS = {"which": "dead_letters", "tables": ["pin", "geo", "user"], "since": None, "dry_run": False}
TOPICS = {"pin": "p.pin", "geo": "p.geo", "user": "p.user"}
URI = "s3://lake/dead-letters/p.geo/dt=2026-11-20/daily.run.send.1.try1-"


class Lake:
    """Objects by name, with the time they were written and the reasons of their dead letters."""

    def __init__(self, objects):
        self.objects = objects

    def written_since(self, prefix, since):
        found = [
            (at, name)
            for name, (at, _) in self.objects.items()
            if name.startswith(prefix) and (since is None or at >= since)
        ]
        return [name for _, name in sorted(found)]

    def read_json_lines(self, name):
        return [{"reason": reason} for reason in self.objects[name][1]]


@pytest.fixture
def lake(monkeypatch):
    def use(objects):
        monkeypatch.setattr("pinterest_pipeline.lake.hook.LakeHook", lambda _: Lake(objects))

    return use


def day(number):
    return datetime(2026, 11, number, tzinfo=UTC)


def find(**params):
    return redrive.find_dead_letters.function(TOPICS, bucket="lake", prefix="dead-letters", params={**PARAMS, **params})


def test_the_dead_letters_since_a_day_are_found_oldest_first_and_their_reasons_counted(lake, caplog):
    lake({
        "dead-letters/p.pin/dt=2018-01-02/b": (day(20), ["too large", "firewall"]),
        "dead-letters/p.pin/dt=2026-11-21/a": (day(19), ["firewall"]),
        "dead-letters/p.pin/dt=2026-11-01/c": (day(1), ["old"]),
        "dead-letters/p.pins/dt=2026-11-21/another-topic": (day(19), ["firewall"]),
    })  # fmt: skip

    with caplog.at_level(logging.INFO):
        found = find(since="2026-11-19")

    assert found["objects"]["pin"] == ["dead-letters/p.pin/dt=2026-11-21/a", "dead-letters/p.pin/dt=2018-01-02/b"]
    assert found["rows"] == {"pin": 3, "geo": 0, "user": 0}
    assert "pin: 2 because: firewall" in caplog.messages


def test_only_the_requested_tables_are_looked_at_and_none_for_quarantined_records(lake):
    lake({f"dead-letters/{topic}/a": (day(1), ["why"]) for topic in TOPICS.values()})

    assert find(tables=["user", "geo"])["rows"] == {"pin": 0, "geo": 1, "user": 1}
    assert find(which="quarantine")["rows"] == {"pin": 0, "geo": 0, "user": 0}
    assert find(which="all")["rows"] == {"pin": 1, "geo": 1, "user": 1}


@pytest.mark.parametrize("count", [redrive.MOST_OBJECTS, redrive.MOST_OBJECTS + 1])
def test_a_run_takes_a_bounded_number_of_objects_and_says_that_there_are_more(lake, caplog, count):
    lake({f"dead-letters/p.pin/{number:03}": (day(1), ["why"]) for number in range(count)})

    found = find()

    assert len(found["objects"]["pin"]) == redrive.MOST_OBJECTS
    assert ("run the DAG again" in caplog.text) == (count > redrive.MOST_OBJECTS)


def test_a_wrong_day_is_refused():
    with pytest.raises(PermanentError, match="Param since is 'yesterday'"):
        find(since="yesterday")


@pytest.mark.parametrize(
    ("which", "tables", "expected"),
    [("dead_letters", ["pin"], "none"), ("quarantine", ["user", "pin"], "pin,user"), ("all", [], "none")],
)
def test_the_notebook_is_told_which_tables_to_validate(which, tables, expected):
    chosen = redrive.choose_records.function(params={**PARAMS, "which": which, "tables": tables, "since": "2026-11-19"})

    assert chosen == {"window_start": "2026-11-19T00:00:00", "window_end": "", "tables": expected}


@pytest.mark.parametrize(
    ("dead_letters", "validates", "is_dry_run", "expected"),
    [
        pytest.param(0, False, False, [], id="nothing to do"),
        pytest.param(3, False, False, ["ingest.topics_exist", "migrate_warehouse"], id="send"),
        pytest.param(0, True, False, ["migrate_warehouse"], id="validate"),
        pytest.param(3, True, False, ["ingest.topics_exist", "migrate_warehouse"], id="both"),
        pytest.param(3, False, True, [], id="count dead letters"),
        pytest.param(3, True, True, ["preview.submit_preview"], id="count both"),
    ],
)
def test_the_way_follows_what_there_is_to_do(dead_letters, validates, is_dry_run, expected):
    assert redrive.next_tasks(dead_letters, validates=validates, is_dry_run=is_dry_run) == expected


def sent(dead_letters):
    return {
        "topic": "p.geo", "rows": 100, "acknowledged": 100 - dead_letters, "dead_letters": dead_letters,
        "dead_letter_uri": URI, "started_at": "2026-11-20T00:00:00+00:00", "seconds": 1.0,
        "partitions": [{"partition": 0, "first_offset": 0, "last_offset": 99 - dead_letters}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("redriven", "problem", "warning"),
    [
        pytest.param(0, "geo: 4 of 100 rows (4 %) are dead letters, above the limit of 1 %", None, id="none"),
        pytest.param(3, None, "geo: 1 of 100 rows (1 %) are dead letters (3 more were redriven), within", id="some"),
        pytest.param(4, None, None, id="all"),
    ],
)
def test_a_day_counts_redriven_dead_letters_as_delivered(redriven, problem, warning):
    silver = {"run": {"geo": {"landed": 96, "silver": 96}}, "totals": {}}

    run = reconcile([("geo", 100, 0)], [sent(4)], silver, {URI: redriven, "s3://another": 7})

    for said, expected in (
        (run.problems(max_dead_letter_share=0.01), problem),
        (run.warnings(max_dead_letter_share=0.01), warning),
    ):
        assert len(said) == (expected is not None)
        assert all(sentence.startswith(expected) for sentence in said)
