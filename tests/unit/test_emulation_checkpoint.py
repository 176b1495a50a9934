"""What a task notes for its next try, and what that try then has left to do."""

from types import SimpleNamespace

import pytest

from pinterest_pipeline.emulator.checkpoint import Checkpoint, rest_of
from pinterest_pipeline.emulator.plan import Plan


class Lake:
    def __init__(self):
        self.objects = {}

    def write_json_lines(self, key, rows):
        self.objects[key] = list(rows)

    def read_json_lines(self, key):
        return self.objects.get(key, [])


def checkpoint(lake, plan, **ti):
    ti = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, **ti}
    return Checkpoint(lake, SimpleNamespace(**ti), plan)


PLAN = Plan(rate=10, count=100, start=50, duration_seconds=20)


def test_a_note_is_read_by_the_same_task_with_the_same_plan_alone():
    lake = Lake()
    checkpoint(lake, PLAN).write({"next_position": 60})

    assert checkpoint(lake, PLAN).read() == {"next_position": 60}
    assert checkpoint(lake, PLAN, run_id="other").read() is None
    assert checkpoint(lake, PLAN, map_index=0).read() is None
    assert checkpoint(lake, Plan(rate=11, count=100, start=50, duration_seconds=20)).read() is None
    checkpoint(lake, PLAN).clear()
    assert checkpoint(lake, PLAN).read() is None


@pytest.mark.parametrize(
    ("next_position", "seconds", "left"),
    [(50, 0.0, (50, 100, 20.0)), (149, 19.0, (149, 1, 1.0)), (150, 5.0, None), (60, 20.0, None), (60, 20.5, None)],
)
def test_the_rest_of_a_plan_is_what_is_left_of_its_posts_and_its_time(next_position, seconds, left):
    rest = rest_of(PLAN, {"next_position": next_position, "seconds": seconds})

    assert (rest and (rest.start, rest.count, rest.duration_seconds)) == left


def test_a_plan_without_a_limit_keeps_none():
    rest = rest_of(Plan(rate=10, count=100), {"next_position": 40, "seconds": 1e6})

    assert (rest.start, rest.count, rest.duration_seconds) == (40, 60, None)
