"""The report on the terminal: a verdict first, 80 columns, no colour into a pipe, numbers as a person says them."""

import copy
import io
from decimal import Decimal

import pytest
from rich.console import Console

from sandbox.demo import brief, report
from sandbox.demo.brief import Question, short

ROW = {"source": 5, "acknowledged": 5, "landed": 5, "bronze": 5, "silver": 3, "duplicates": 1, "quarantined": 1}
COUNTS = {"put": 7, "committed": 3, "duplicates": 3, "quarantined": 1, "quarantine_reasons": {"no ind": 1}}
SAME = {"compared": 3, "equal": 3, "differences": {}}
REPORT = {
    "rows": {table: dict(ROW) for table in brief.TABLES},
    "quarantine_reasons": {"pin": {}, "geo": {"latitude outside -90..90": 3}, "user": {}},
    "defects": {"pin": {"follower_count": 12_345}, "geo": {}, "user": None},
    "stream": {
        **{table: copy.deepcopy(COUNTS) for table in brief.TABLES},
        "latency_ms": {"p50": 1800.0, "p95": None, "rows": 9},
        "same_as_silver": {table: dict(SAME) for table in brief.TABLES},
    },
    "seconds": {"up": 30.0, "silver": 60.0, "gold": 0.4},
    "work": {"bronze": {"spark_jobs": 12, "delta_commits": 3}, "gold": {"spark_jobs": None, "delta_commits": 1}},
}
ANSWERS = {
    Question("a", "Most posted category by country", ("country", "category"), ("category_count",)): [
        ("Antarctica (the territory South of 60 deg S)", "home-decor and everything beside it", 9),
        ("Liechtenstein", "art", 15_000_000), ("Zambia", "art", 1),
    ],
    Question("b", "Users joined by year", ("join_year",), ("users_joined",)): [],
}  # fmt: skip
ACCESS = {
    "Airflow": "http://127.0.0.1:18080",
    "Sign in": f"user admin, password {'0123456789abcdef' * 3:.43}",
}  # as long as a sandbox's


def shown(given=REPORT, **console):
    out = io.StringIO()
    brief.show(Console(width=brief.WIDTH, file=out, **console), given, ANSWERS, ACCESS, is_good=report.adds_up(given))
    return out.getvalue()


def test_the_verdict_comes_first_and_every_line_fits_80_columns():
    lines = shown().splitlines()

    assert lines[0] == "15 rows in, 15 accounted for, 0 lost; stream 21 in, 0 lost."
    assert max(map(len, lines)) <= 80
    assert "  geo: latitude outside -90..90" in "\n".join(lines)
    assert any(line.startswith("  pin: kept, follower_count unreadable") and "12,345" in line for line in lines)
    assert "  from put to committed row: p50 1.8 s, p95 unknown" in lines
    assert lines[lines.index("  Most posted category by country") + 1].endswith("… 1 more")
    assert lines[lines.index("  Users joined by year") + 1] == "    no rows"
    assert f"  silver         60 s  {'█' * brief.BAR}" in lines
    assert "  Spark did 12 jobs, Delta 4 commits" in lines
    assert "password 0123456789abcdef" in lines[-1]


def test_a_pipe_gets_no_colour_and_a_terminal_that_wants_none_neither(monkeypatch):
    assert "\x1b[" not in shown()
    assert "\x1b[" in shown(force_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in shown(force_terminal=True)  # rich keeps bold, which is no colour


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        pytest.param(
            lambda found: found["rows"]["geo"].update(silver=2),
            "15 rows in, 14 accounted for, 1 lost; stream 21 in, 0 lost.", id="a row",
        ),
        pytest.param(
            lambda found: found["rows"]["geo"].update(acknowledged=7),
            "17 rows in, 15 accounted for, 2 lost; stream 21 in, 0 lost.", id="rows that never landed",
        ),
        pytest.param(
            lambda found: [found["rows"]["geo"].update(silver=1), found["rows"]["pin"].update(silver=5)],
            "15 rows in, 15 accounted for, 2 lost; stream 21 in, 0 lost.", id="a row for another",
        ),
        pytest.param(
            lambda found: found["stream"]["pin"].update(put=9),
            "15 rows in, 15 accounted for, 0 lost; stream 23 in, 2 lost.", id="records of the stream",
        ),
        pytest.param(
            lambda found: found["stream"]["same_as_silver"]["pin"].update(differences={"title": 2}),
            "15 rows in, 15 accounted for, 0 lost; stream 21 in, 0 lost, 2 unlike silver.", id="a value",
        ),
    ],
)  # fmt: skip
def test_what_is_lost_is_in_the_verdict(change, verdict):
    found = copy.deepcopy(REPORT)
    change(found)

    assert shown(found).splitlines()[0] == verdict
    assert not report.adds_up(found)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"), (2019, "2,019"), (9_999, "9,999"), (10_000, "10 k"), (985_400, "985 k"), (1_234_567, "1.23 M"),
        (15_000_000, "15 M"), (2_000_000_000, "2 B"), (999_499, "999 k"), (999_999, "1 M"),
        (999_700_000, "1 B"), (136.5, "136.5"), (Decimal("7.0"), "7"), ("25-35", "25-35"),
        (-12_000, "-12 k"), (None, "None"), (True, "True"),
    ],
)  # fmt: skip
def test_a_number_is_said_short(value, said):
    assert short(value) == said


def test_a_question_is_read_from_its_file():
    read = {question.name: question for question in map(Question.read, report.ANSWERS.glob("*.sql"))}

    assert sorted(read) == list(report.GOLD_TABLES)
    assert read["top_country"].text == "Country of the most followed poster"
    assert read["top_country"].columns == ("country", "follower_count")
