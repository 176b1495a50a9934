"""The page as a person on call meets it: signed in to the real Airflow, over what the pipeline did, in Chromium."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox.demo.open_page import PAGE, hand_over
from sandbox.demo.report import GOLD_TABLES
from tests.browser.chromium import visit

PATH = "pinterest/"
COUNTED = (
    "source_rows, acknowledged_rows, dead_letter_rows, landed_rows, silver_rows, duplicate_rows, quarantined_rows, "
    "lost_rows, (SELECT coalesce(sum(redriven_rows), 0)::int FROM audit.redriven_rows AS of_object "
    "WHERE of_object.dead_letter_uri = run_rows.dead_letter_uri)"
)


@pytest.fixture(scope="module")
def token(pipeline: Any) -> str:
    return str(pipeline.api.http.headers["Authorization"].removeprefix("Bearer "))


@pytest.fixture(scope="module")
def visits(pipeline: Any, token: str) -> list[dict[str, Any]]:
    """The page by itself, and as an entry of Airflow's own navigation, to which ``make open`` leads."""
    if not pipeline.outcomes():
        pipeline.run_batch()
    visiting: list[Future[list[dict[str, Any]]]] = []
    with ThreadPoolExecutor(1) as browsers:

        def open_browser(url: str) -> bool:
            in_navigation = {"url": url, "frame": "Pinterest", "follow": "#health a"}
            alone = {"url": f"{pipeline.api.url}/{PATH}", "cookie": token, "open": True}
            visiting.append(browsers.submit(visit, in_navigation, alone))
            return True

        assert hand_over(token, f"{pipeline.api.url}{PAGE}", open_browser)
    return visiting[0].result()[::-1]


def numbers(rows: list[list[str]]) -> set[tuple[str, ...]]:
    return {tuple(cell.replace(",", "") for cell in row) for row in rows}


@pytest.mark.parametrize("path", ["", "api/flow", "api/health", "static/app.js"])
def test_without_a_session_there_is_nothing_to_see(pipeline: Any, path: str) -> None:
    url = f"{pipeline.api.url}/{PATH}{path}"

    assert httpx.get(url, timeout=30).status_code == 401
    assert httpx.get(url, timeout=30, headers={"Authorization": "Bearer nonsense"}).status_code in {401, 403}


@pytest.mark.parametrize("path", ["api/v2/dags", "api/v2/variables", f"{PATH}api/flow"])
@pytest.mark.parametrize(
    "headers", [{"Origin": "http://page.example"}, {"Host": "page.example"}], ids=["another origin", "DNS rebinding"]
)
def test_a_page_elsewhere_reads_nothing_of_airflow(pipeline: Any, path: str, headers: dict[str, str]) -> None:
    read = httpx.get(f"{pipeline.api.url}/{path}", headers=headers, timeout=30)
    preflight = httpx.options(
        f"{pipeline.api.url}/{path}", headers={**headers, "Access-Control-Request-Method": "POST"}, timeout=30
    )

    assert read.status_code == 401
    assert not [name for name in (*read.headers, *preflight.headers) if name.startswith("access-control-allow")]


def test_the_rows_of_the_newest_run_are_the_reconciled_ones(pipeline: Any, visits: list[dict[str, Any]]) -> None:
    run_id = pipeline.query(
        "pinterest_warehouse", "SELECT run_id FROM audit.run_rows ORDER BY recorded_at DESC LIMIT 1"
    )[0][0]
    counts = pipeline.query(
        "pinterest_warehouse", f"SELECT table_name, {COUNTED} FROM audit.run_rows WHERE run_id = '{run_id}'"
    )
    shown = next(rows for caption, rows in visits[0]["tables"].items() if f"Rows of run {run_id};" in caption)

    assert visits[0]["runs"][0] == run_id
    assert {tuple(str(cell) for cell in row) for row in counts} <= numbers(shown)
    assert len(counts) == 3


@pytest.mark.parametrize("table", GOLD_TABLES)
def test_each_answer_is_that_of_the_warehouse(pipeline: Any, visits: list[dict[str, Any]], table: str) -> None:
    shown = next(rows[1:] for caption, rows in visits[0]["tables"].items() if f"(gold.{table})" in caption)
    expected = pipeline.query("pinterest_warehouse", f"SELECT * FROM gold.{table}")

    assert expected
    assert sorted(sorted(written(cell) for cell in row) for row in shown) == sorted(
        sorted(written(str(cell)) for cell in row) for row in expected
    )


def written(cell: str) -> str:
    """Write a cell one way: numbers without separators and idle zeros."""
    try:
        return f"{float(cell.replace(',', '')):g}"
    except ValueError:
        return cell


def test_the_state_of_batch_and_connector_is_seen_first(visits: list[dict[str, Any]]) -> None:
    tiles = visits[0]["tiles"]

    assert set(tiles) == {"Answers", "Batch", "Connector", "Stream"}
    assert "pinterest_daily_batch" in visits[0]["text"]
    assert not visits[0]["notices"]


def test_it_opens_from_airflows_navigation(pipeline: Any, token: str, visits: list[dict[str, Any]]) -> None:
    views = [view for plugin in pipeline.api.pages("plugins", "plugins") for view in plugin["external_views"]]

    (view,) = [view for view in views if view["nav_top_level"]]
    assert view["name"] == "Pinterest"
    icon = httpx.get(f"{pipeline.api.url}/{view['icon']}", cookies={"_token": token}, timeout=30)
    assert icon.headers["content-type"].startswith("image/svg")
    assert set(visits[1]["tiles"]) == set(visits[0]["tiles"])


def test_a_link_inside_airflows_frame_opens_airflows_own_page(pipeline: Any, visits: list[dict[str, Any]]) -> None:
    assert visits[1]["reached"] == f"{pipeline.api.url}/dags/pinterest_daily_batch"


def test_a_browser_that_is_not_signed_in_is_sent_to_the_login_and_back(pipeline: Any) -> None:
    page = f"{pipeline.api.url}/{PATH}"

    sent = httpx.get(page, headers={"Accept": "text/html"}, timeout=30)

    assert sent.status_code == 307
    login = urlsplit(sent.headers["location"])
    assert login.path.startswith("/auth/")
    assert parse_qs(login.query)["next"] == [page]


def test_nothing_fails_on_the_way_and_no_other_host_is_requested(pipeline: Any, visits: list[dict[str, Any]]) -> None:
    assert visits[0]["console"] == []
    assert [request for request in visits[0]["requests"] if not request.startswith(pipeline.api.url)] == []


def test_tasks_are_linked_to_what_they_work_on(pipeline: Any) -> None:
    runs = [run for run in pipeline.api.runs("pinterest_sink_connector") if run["state"] == "success"]
    run_id = max(runs, key=lambda run: run["end_date"])["dag_run_id"]
    path = f"dags/pinterest_sink_connector/dagRuns/{run_id}/taskInstances/ensure_connector/links"

    assert pipeline.api.call("GET", path)["extra_links"]["MSK Connect"].startswith("https://us-east-1.console.aws")
