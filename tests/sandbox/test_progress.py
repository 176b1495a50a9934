"""What the demo prints while it runs: a step of all, tasks as they end, and a live line where a person looks on."""

import io
import re
import time

import pytest
from rich.console import Console

from sandbox.demo import demo
from sandbox.demo.progress import STEPS, Progress
from sandbox.run.settings import SandboxError

TASKS = [
    {"task_id": "ingest.plan", "map_index": -1, "state": "success", "end_date": "1", "rendered_map_index": None},
    {"task_id": "ingest.send_posts_of_a_table_with_a_name_that_is_long", "map_index": 2, "state": "upstream_failed",
     "end_date": "2", "rendered_map_index": "pinterest.geo from 0 to 2,000"},
    {"task_id": "reconcile", "map_index": -1, "state": "running", "end_date": None, "rendered_map_index": None},
]  # fmt: skip


def told(monkeypatch, **console):
    """Return what a step with a batch's tasks prints."""
    out = io.StringIO()
    progress = Progress(Console(file=out, highlight=False, width=80, **console))
    monkeypatch.setattr(demo, "progress", progress)
    with progress.step("count"):
        demo.log_finished(TASKS, set(), time.monotonic())
    return out.getvalue()


def test_into_a_pipe_go_whole_lines_of_at_most_80_characters_without_control_codes(monkeypatch):
    lines = told(monkeypatch).splitlines()

    assert lines[0] == f"demo: step {len(STEPS)} of {len(STEPS)}: count"
    assert re.fullmatch(r" +0 s  ingest\.plan +success", lines[1])
    assert re.fullmatch(r" +0 s  ingest\.send_posts\S+… upstream_failed", lines[2])
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in "".join(lines)


def test_a_terminal_has_a_live_line_which_is_gone_in_the_end(monkeypatch):
    shown = told(monkeypatch, force_terminal=True)

    assert re.search(rf"step {len(STEPS)} of {len(STEPS)}: count, 2 of 3 tasks done, \d s", shown)
    assert shown.rstrip("\n").endswith("\x1b[2K")  # the line is cleared


def test_a_terminal_that_wants_no_colour_gets_none(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    assert not re.search(r"\x1b\[[\d;]*m", told(monkeypatch, force_terminal=True))


def test_a_terminal_that_cannot_move_its_cursor_gets_lines_alone(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")

    assert "\x1b" not in told(monkeypatch, force_terminal=True)


def test_every_step_of_the_demo_is_one_of_those_that_are_counted():
    with pytest.raises(ValueError, match="not in tuple"), Progress(Console(file=io.StringIO())).step("dance"):
        pass


def test_what_hangs_is_said(monkeypatch):
    monkeypatch.setattr("sandbox.demo.progress.WITHIN_SECONDS", 0)
    monkeypatch.setattr("sandbox.demo.progress.POLL_SECONDS", 0.01)

    with pytest.raises(SandboxError, match="in vain for the moon; the logs are in"):
        Progress(Console(file=io.StringIO())).wait("the moon", lambda: False)
