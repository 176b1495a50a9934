"""Emulated posts: which come when, and what is sent for them, by the seed alone."""

import json
from itertools import pairwise

import pytest

from pinterest_pipeline.common.tables import KEYS
from pinterest_pipeline.emulator.defects import DEFECTS, corrupted
from pinterest_pipeline.emulator.plan import Plan, Post, Shuffle, Timeline, chosen

FIRST_PLACES = [5240, 8085, 84, 953]
FIRST_DRAWS = [4311, 4750, 7293, 160]
KEEP_A_USABLE_ID = {"unknown_key", "latitude_outside", "timestamp_in_future", "age_too_high"}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 15, 16, 17, 255, 256, 257, 11_154])
def test_the_shuffle_reaches_every_place_once(size):
    assert sorted(Shuffle(size, seed=7)) == list(range(size))


def test_the_shuffle_mixes_and_each_seed_its_own_way():
    first, second = list(Shuffle(1000, seed=1)), list(Shuffle(1000, seed=2))

    assert sum(a == b for a, b in zip(first, second, strict=True)) < 20
    assert sum(place == value for place, value in enumerate(first)) < 20
    assert sum(b == a + 1 for a, b in pairwise(first)) < 20


def test_the_bytes_of_seed_7_are_those_of_every_machine():
    """Written down once: a change here is a change of every recorded position."""
    places = Shuffle(11_154, seed=7)

    assert [places[place] for place in (0, 1, 2, 11_153)] == FIRST_PLACES
    assert [post for _, post in chosen(Plan(rate=1, count=4, mode="classic"), range(11_154))] == FIRST_DRAWS


@pytest.mark.parametrize("name", DEFECTS)
def test_no_defect_passes_for_the_row_it_was_made_of(name):
    tables, _ = DEFECTS[name]
    for table in tables:
        good = {KEYS[table]: 12, "title": "ä", "latitude": 1.0, "timestamp": "2018-03-01T00:00:00", "age": 30}
        raw = json.dumps(good).encode()
        fitting = [known for known, (fits, _) in DEFECTS.items() if table in fits]
        which = (fitting.index(name) + 0.5) / len(fitting)
        for where in (0.0, 0.5, 0.999):
            made, data = corrupted(table, raw, which, where)
            assert made == name
            if reads_as_row(data, KEYS[table]):
                assert name in KEEP_A_USABLE_ID
                assert same_but_unknown(data, good)


def reads_as_row(data, key):
    try:
        value = json.loads(data)
    except ValueError:
        return False
    return isinstance(value, dict) and isinstance(value.get(key), int)


def same_but_unknown(data, good):
    """The values of a good row, or one of them beyond what the data contract allows."""
    value = json.loads(data)
    beyond = value["latitude"] > 90 or value["age"] > 120 or value["timestamp"] > "2900"
    return beyond or value.items() >= good.items()


def test_a_timeline_hands_out_what_waits_in_its_order():
    timeline = Timeline(Plan(rate=1, count=10, late=1, late_seconds=2))
    rows = {"pin": b'{"index": 1}'}

    moments = [[e.position for e in timeline.at(Post(position, 1, rows))] for position in range(4)]

    assert moments == [[], [], [0], [1]]
    assert timeline.first_waiting() == 2
    assert [e.position for e in timeline.rest()] == [2, 3]
    assert timeline.first_waiting() is None


@pytest.mark.parametrize(
    ("rate", "posts"),
    [pytest.param(1, 3, id="whole"), pytest.param(0.5, 2, id="rounded up"), pytest.param(0.1, 1, id="at least one")],
)
def test_a_late_record_waits_no_shorter_than_its_seconds(rate, posts):
    assert Plan(rate=rate, count=1, late=1, late_seconds=3).delay(0, "pin", "row") == (posts, True)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        pytest.param({"rate": 0}, "rate is 0, expected more than 0", id="rate 0"),
        pytest.param({"rate": -1}, "rate is -1", id="rate below 0"),
        pytest.param({"rate": 5001}, "at most 5,000", id="rate too high"),
        pytest.param({"rate": float("nan")}, "rate is nan", id="rate is no number"),
        pytest.param({"count": 0}, "count is 0, expected 1 or more", id="no posts"),
        pytest.param({"start": -1}, "start is -1, expected 0 or more", id="start below 0"),
        pytest.param({"seed": -1}, "seed is -1", id="seed below 0"),
        pytest.param({"mode": "fast"}, "mode is 'fast', expected shuffled or classic", id="mode"),
        pytest.param({"duplicates": 1.01}, "duplicates is 1.01, expected 0 to 1", id="duplicates"),
        pytest.param({"malformed": -0.01}, "malformed is -0.01, expected 0 to 1", id="malformed"),
        pytest.param({"duration_seconds": 0}, "duration_seconds is 0", id="duration"),
        pytest.param({"rate": 0, "count": 0}, r"rate is 0.*; count is 0", id="both"),
    ],
)
def test_a_plan_out_of_range_is_refused_with_everything_that_is_wrong(given, complaint):
    with pytest.raises(ValueError, match=complaint):
        Plan(**{"rate": 1, "count": 1, **given})


@pytest.mark.parametrize("given", [{"rate": 0.001}, {"rate": 5000}, {"count": 1}, {"duplicates": 1.0}, {"late": 0.0}])
def test_a_plan_at_the_edge_is_taken(given):
    assert Plan(**{"rate": 1, "count": 1, **given})
