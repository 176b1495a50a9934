"""The page in Chromium over a warehouse of known rows, hostile ones among them, and over one that is gone."""

import json
import os
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import psycopg
import pytest
from psycopg import sql

from tests.browser.chromium import visit
from tests.support.postgres import create_answers, create_tables, fresh_database
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[3]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LONG = HOSTILE + "x" * 600
ROWS = f"""
    INSERT INTO audit.run_rows VALUES
        ('pinterest_daily_batch', 'first', 'pin', 900, 900, 0, 900, 900, 0, 0, 0, now() - interval '1 day', NULL),
        ('pinterest_daily_batch', '{HOSTILE}', 'pin', 1000, 997, 3, 997, 900, 90, 7, 0, now(), 's3://x-'),
        ('pinterest_daily_batch', '{HOSTILE}', 'geo', 1000, 1000, 0, 1000, 1000, 0, 0, 0, now(), NULL);
    INSERT INTO audit.redriven_rows VALUES
        ('a', 's3://x-', 1, 2, 'redrive', now()), ('b', 's3://x-', 1, 0, 'redrive', now()),
        ('a', 's3://y-', 5, 0, 'redrive', now());
    INSERT INTO audit.lake_rows VALUES
        ('pin', 1897, 1800, 90, 7, '{{"{HOSTILE}": 4, "no index": 3}}', '{{"title": 12}}', now());
    INSERT INTO audit.partition_offsets VALUES
        ('pinterest.pin', '', 0, 'pin', 0, 599, 600, 0, '{{"ranges": []}}', now()),
        ('pinterest.pin', '2026', 1, 'pin', 7, 9, NULL, 0, '{{"ranges": []}}', now());
    INSERT INTO gold.top_country VALUES ('{HOSTILE}', 5000000), ('Peru', 5000000);
    INSERT INTO gold.category_count_by_year VALUES (2020, 'art', 1234), (2021, 'art', 77), (2021, '{HOSTILE}', 9);
    INSERT INTO gold.category_count_by_year SELECT 2022, 'kind ' || n, n * 60 FROM generate_series(1, 20) AS n;
    INSERT INTO gold.median_followers_by_age_group VALUES ('18-24', 116.5);
    INSERT INTO stream.progress VALUES
        ('stream_pin', gen_random_uuid(), 1, 60, 50, 6, 4, '{{}}', 'a', now(), now(), 700, now()),
        ('stream_pin', gen_random_uuid(), -1, 9000, 9000, 0, 0, '{{}}', 'b', now(), now(), 1, now()),
        ('stream_geo', gen_random_uuid(), 1, 40, 40, 0, 0, '{{}}', 'c', now(), now(), 2500, now() - interval '5 min');
    INSERT INTO stream.quarantine
        SELECT 'streaming-pinterest-pin', 'shard-0', n, '{LONG}', 'unparsable JSON', now(), now()
        FROM generate_series(1, 4) AS n;
"""


def run_of(days_ago: int, state: str, run_type: str = "scheduled", minutes: int = 4, **tasks: str) -> dict[str, Any]:
    """Return a run of the batch, of the interval that ended so many days ago; a backfill runs today."""
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)
    began = datetime.now(UTC) - timedelta(hours=3) if run_type != "scheduled" else end
    return {
        "dag_id": "pinterest_daily_batch", "run_id": f"{run_type}__{days_ago}", "run_type": run_type, "state": state,
        "interval_start": str(end - timedelta(days=1)), "interval_end": str(end), "start_date": str(began),
        "end_date": str(began + timedelta(minutes=minutes)),
        "tasks": {name.replace("__", "."): reached for name, reached in tasks.items()},
    }  # fmt: skip


# A day fails, the one after it is fine, and then: a backfill of an old month, a run by hand with a year mistyped, and
# one of `airflow dags test` that began, says its date, in 2018.
RUNS = [
    *(run_of(n, "success") for n in (6, 5, 4, 2)),
    run_of(1, "failed", lakehouse__silver="failed", alert="failed"),
    run_of(0, "success"),
    run_of(3000, "success", "backfill"),
    {**run_of(1, "success", "manual", minutes=4_582_770), "run_id": "manual__2062"},
]


class Page:
    """The application by itself, on a warehouse of its own."""

    def __init__(self, server_url: str, database_url: str) -> None:
        self.server_url, self.database_url = server_url, database_url
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}/"

    @property
    def database(self) -> str:
        return urlsplit(self.database_url).path.strip("/")

    def environment(self) -> dict[str, str]:
        parts = urlsplit(self.database_url)
        warehouse = {
            "conn_type": "postgres", "host": parts.hostname, "port": parts.port, "schema": self.database,
            "login": parts.username, "password": parts.password,
        }  # fmt: skip
        return {
            **os.environ,
            "PYTHONPATH": f"{PROJECT / 'plugins'}{os.pathsep}{PROJECT}",
            "AIRFLOW_CONN_PINTEREST_WAREHOUSE": json.dumps(warehouse),
        }

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        def answers() -> bool:
            assert process.poll() is None, "the page's application has ended"
            with suppress(URLError):
                urlopen(self.url, timeout=5).close()  # noqa: S310 - on 127.0.0.1
                return True
            return False

        wait_until(answers, 90, "the page's application starts", pause=0.1)

    def let_in(self, allowed: bool) -> None:
        """Make PostgreSQL take or refuse connections to the warehouse."""
        with psycopg.connect(self.server_url, autocommit=True) as server:
            name = sql.Identifier(self.database)
            server.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}").format(name, sql.Literal(allowed)))


@pytest.fixture(scope="module")
def page(stand_ins: Callable[..., dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    server_url = stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]
    with fresh_database(server_url) as database_url:
        alone = Page(server_url, database_url)
        command = [str(PROJECT / ".venv/airflow/bin/python"), str(Path(__file__).with_name("page_alone.py"))]
        home = tmp_path_factory.mktemp("airflow")
        database = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db", "AIRFLOW_HOME": str(home)}
        arguments = [str(urlsplit(alone.url).port), json.dumps(RUNS)]
        process = subprocess.Popen([*command, *arguments], env={**alone.environment(), **database})
        try:
            alone.wait(process)
            yield alone
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def empty(page: Page) -> dict[str, Any]:
    """The page over a warehouse without a table, as after the deployment."""
    return visit({"url": page.url})[0]


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page") / "page.png"


@pytest.fixture(scope="module")
def visits(page: Page, empty: dict[str, Any], picture: Path) -> list[dict[str, Any]]:
    """The page over known rows: wide and light, wide and dark, as wide as a phone, and an earlier run."""
    create_tables(page.database_url)
    with psycopg.connect(page.database_url, autocommit=True) as connection:
        create_answers(connection)
        connection.execute(ROWS)
    return visit(
        {"url": page.url, "open": True, "tabs": 24, "screenshot": str(picture)},
        {"url": page.url, "open": True, "scheme": "dark"},
        {"url": page.url, "open": True, "width": 360},
        {"url": page.url, "choose": "first", "slow": "answers"},
    )


def body(found: dict[str, Any], caption: str) -> list[list[str]]:
    return next(rows[1:] for name, rows in found["tables"].items() if caption in name)


def test_a_new_warehouse_is_distinguished_from_a_broken_one(empty: dict[str, Any]) -> None:
    assert "None yet" in empty["tiles"]["Answers"]
    assert "trigger pinterest_daily_batch" in empty["tiles"]["Answers"]
    assert "The stream has never run here" in empty["text"]
    assert empty["text"].count("Not computed yet") == 1
    assert not [notice for notice in empty["notices"] if "warehouse" in notice]


def test_the_numbers_are_those_of_the_warehouse(visits: list[dict[str, Any]]) -> None:
    found = visits[0]

    assert body(found, "Rows of run")[-1] == ["all", "2,000", "1,997", "3", "1,997", "1,900", "90", "7", "0", "2"]
    assert "2,000 rows read, all counts match" in found["tiles"]["Answers"]
    assert "Silver 1,900 of 1.8K, 90 duplicates, 7 quarantined" in found["figures"]["Rows of the batch run by stage"]
    assert "Kinesis 100 records read; Spark 96 rows made, 4 quarantined" in " ".join(found["figures"].values())
    assert "last known 0.7 s" in next(said for title, said in found["figures"].items() if "Age of the newest" in title)
    assert [row[:6] for row in body(found, "Offsets of Kafka in bronze")] == [
        ["pinterest.pin", "", "0", "0", "599", "600"], ["pinterest.pin", "2026", "1", "7", "9", "–"],
    ]  # fmt: skip
    assert body(found, "gold.median_followers_by_age_group") == [["18-24", "116.5"]]
    assert ["art", "2020", "1,234"] in body(found, "gold.category_count_by_year")
    assert ["pin", "no index", "3"] in body(found, "Quarantined rows by reason")
    assert "4 unparsable JSON streaming-pinterest-pin" in found["text"]


def test_an_earlier_run_can_be_chosen(visits: list[dict[str, Any]]) -> None:
    assert visits[3]["runs"] == [HOSTILE, "first"]
    assert body(visits[3], "Rows of run first")[-1][1] == "900"


def test_hostile_text_is_shown_and_never_run(visits: list[dict[str, Any]]) -> None:
    found = visits[0]

    assert [HOSTILE, "5,000,000"] in body(found, "gold.top_country")
    assert len(found["samples"]) == 3
    assert all(sample.startswith(HOSTILE) and len(sample) == 401 for sample in found["samples"])
    assert f"The first 400 of {len(LONG)} characters" in found["text"]
    assert (found["dialogs"], found["injected"]) == (0, 0)


def test_no_other_host_is_requested_and_nothing_fails(page: Page, visits: list[dict[str, Any]]) -> None:
    assert {urlsplit(request).netloc for found in visits for request in found["requests"]} == {
        urlsplit(page.url).netloc
    }
    assert [found["console"] for found in visits] == [[], [], [], []]


def test_a_failed_day_stays_red_whatever_was_run_since_and_leads_to_its_log(visits: list[dict[str, Any]]) -> None:
    tile = visits[0]["tiles"]["Batch"]

    assert "Failed" in tile
    assert "lakehouse.silver failed" in tile
    assert (
        visits[0]["links"]["lakehouse.silver"]
        == "../dags/pinterest_daily_batch/runs/scheduled__1/tasks/lakehouse.silver"
    )
    assert visits[0]["links"]["manual__2062"].endswith("/runs/manual__2062")


def test_one_odd_run_does_not_flatten_the_others(visits: list[dict[str, Any]]) -> None:
    said = next(said for title, said in visits[0]["figures"].items() if "last batch runs took" in title)

    assert said.startswith("Greatest 4.0 min")
    assert "1 far greater, cut" in said


def test_a_day_without_a_run_is_a_gap(visits: list[dict[str, Any]]) -> None:
    days = body(visits[0], "Days and their runs")

    assert [row[2] for row in days] == ["success", "failed", "success", "no run", "success", "success", "success"]


def test_a_slow_panel_holds_no_other_back(visits: list[dict[str, Any]]) -> None:
    early = visits[3]["early"]

    assert not [caption for caption in early["tables"] if "(gold." in caption]
    assert [caption for caption in early["tables"] if "Rows of run" in caption]
    assert [caption for caption in visits[3]["tables"] if "(gold." in caption]


@pytest.mark.parametrize("which", [0, 1], ids=["light", "dark"])
def test_every_text_can_be_read_against_what_is_behind_it(visits: list[dict[str, Any]], which: int) -> None:
    assert visits[which]["faint"] == []


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(visits: list[dict[str, Any]]) -> None:
    stops = visits[0]["focus"]

    assert [stop["name"] for stop in stops[:3]] == ["skip", "live", "refresh"]
    assert {"a", "run", "scroll", "summary"} <= {stop["name"] for stop in stops}
    assert {stop["ring"] for stop in stops} <= {"solid", "auto"}


def test_it_is_light_or_dark_as_the_system_is(visits: list[dict[str, Any]]) -> None:
    def brightness(colour: str) -> float:
        return sum(int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(",")) / 3

    light, dark = visits[0], visits[1]
    assert brightness(light["background"]) - brightness(light["color"]) > 150
    assert brightness(dark["color"]) - brightness(dark["background"]) > 150


def test_a_picture_of_it_can_be_taken_and_one_is_in_the_documents(visits: list[dict[str, Any]], picture: Path) -> None:
    for taken in (picture, PROJECT / "docs" / "images" / "page.png"):
        content = taken.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert struct.unpack(">I", content[16:20]) == (1280,)
        assert 40_000 < len(content) < 200_000  # one colour alone would be 5,000


@pytest.mark.parametrize("which", [0, 2], ids=["desk", "phone"])
def test_it_never_scrolls_sideways(visits: list[dict[str, Any]], which: int) -> None:
    assert visits[which]["scrollWidth"] <= visits[which]["innerWidth"], visits[which]["wide"]


def test_it_renders_and_says_why_when_the_warehouse_is_gone(page: Page, visits: list[dict[str, Any]]) -> None:
    page.let_in(False)
    try:
        found = visit({"url": page.url})[0]
    finally:
        page.let_in(True)

    assert found["status"] == 200
    refused = [notice for notice in found["notices"] if "not currently accepting connections" in notice]
    assert len(refused) == 5, found["notices"]
    assert all("connection pinterest_warehouse" in notice for notice in refused)
    assert "Not known" in found["tiles"]["Answers"]
    assert "Check that PostgreSQL runs" in found["tiles"]["Answers"]
