"""The site builds without a warning, needs nothing but itself, and a link that leads nowhere stops it."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

sys.path.append(str(PROJECT / "plugins"))  # whose reader of the answers needs no Airflow
from pinterest_pipeline.warehouse.answers import read_answers

LOADED = re.compile(r"<(?:link|script|img|iframe|source)[^>]*(?:href|src)=[\"'](?:https?:)?//[^\"']*", re.IGNORECASE)
LOADED_BY_STYLE = re.compile(r"(?:url\(|@import )[\"']?(?:https?:)?//[^\"')]*")
BUILD_SECONDS = 300


@pytest.fixture(scope="module")
def site() -> Path:
    done = subprocess.run(
        ["make", "docs"], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-4000:]}"
    assert "WARNING" not in done.stdout + done.stderr
    return PROJECT / "dist" / "docs"


def test_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = {
        f"{file.relative_to(site)}: {found}"
        for file in site.glob("**/*")
        if file.suffix in {".html", ".css", ".svg"}
        for found in (LOADED_BY_STYLE if file.suffix == ".css" else LOADED).findall(file.read_text())
    }

    assert not loaded


def test_every_document_is_a_page_that_the_navigation_leads_to(site: Path) -> None:
    pages = {page.relative_to(PROJECT / "docs").with_suffix(".html") for page in (PROJECT / "docs").glob("**/*.md")}
    navigation = (site / "index.html").read_text()

    assert {str(page) for page in pages if not (site / page).exists()} == set()
    assert {str(page) for page in pages if f'href="{page}"' not in navigation} == {"index.html"}


def test_reference_has_every_operator_sensor_hook_and_trigger(site: Path) -> None:
    modules = (PROJECT / "plugins" / "pinterest_pipeline").glob("*/*.py")
    declared = {
        f"pinterest_pipeline.{file.parent.name}.{file.stem}.{name}"
        for file in modules
        for name in re.findall(r"^class ([A-Z]\w+(?:Operator|Sensor|Hook|Trigger))\b", file.read_text(), re.MULTILINE)
    }
    shown = set(re.findall(r'id="(pinterest_pipeline\.[\w.]+)"', "".join(
        page.read_text() for page in (site / "reference").glob("**/*.html")
    )))  # fmt: skip

    assert len(declared) > 20
    assert declared - shown == set()


def test_data_contract_lists_every_answer_with_its_question_and_columns(site: Path) -> None:
    page = (site / "data-contract.html").read_text()
    answers = read_answers(PROJECT / "include" / "sql" / "answers")

    rows = [
        [html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
        for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    ]

    assert len(answers) >= 10
    for answer in answers:
        assert [answer.name, answer.question, ", ".join(answer.columns)] in rows


@pytest.mark.parametrize(
    "link", ["[gone](gone.md)", "[gone](dags.md#gone)", "[gone](../dags/gone.py)"], ids=["page", "anchor", "file"]
)
def test_a_link_that_leads_nowhere_stops_the_build(link: str, site: Path, tmp_path: Path) -> None:
    (tmp_path / "index.md").write_text(f"# Page\n\n{link}\n")
    (tmp_path / "dags.md").write_text("---\norphan:\n---\n# DAGs\n")
    command = [
        str(PROJECT / ".venv/docs/bin/python"), "-m", "sphinx", "-C", "-W", "-q", "-b", "html",
        "-D", "extensions=myst_parser", "-D", "myst_heading_anchors=4", str(tmp_path), str(tmp_path / "site"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode != 0
    assert "gone" in done.stderr


def test_make_says_what_it_can_make() -> None:
    said = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60).stdout

    assert {"demo", "test", "docs"} <= {line.split()[0] for line in said.splitlines()}
