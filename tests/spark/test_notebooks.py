"""The three notebooks as Databricks runs them: source format, own folder, widgets in, one JSON object out."""

import json
import sys
import types
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "include" / "spark" / "notebooks"
SEPARATOR = "# COMMAND ----------"


class Exit(BaseException):
    """What ``dbutils.notebook.exit`` raises."""


@pytest.fixture
def run_notebook(spark, monkeypatch):
    """Return a function that runs a notebook with widget values and returns its result."""

    def run(name, **values):
        def leave(result):
            raise Exit(result)

        defaults = {}
        dbutils = types.SimpleNamespace(
            widgets=types.SimpleNamespace(text=defaults.__setitem__, get=lambda name: {**defaults, **values}[name]),
            notebook=types.SimpleNamespace(exit=leave),
            fs=types.SimpleNamespace(head=lambda uri, _: Path(uri).read_text()),
            secrets=types.SimpleNamespace(get=lambda scope, key: f"secret of {scope}/{key}"),
        )
        monkeypatch.chdir(NOTEBOOKS)
        monkeypatch.setattr(sys, "path", list(sys.path))
        scope = {"spark": spark, "dbutils": dbutils}
        try:
            for cell in (NOTEBOOKS / f"{name}.py").read_text().split(SEPARATOR):
                exec(cell, scope)  # noqa: S102 - this is what a notebook is
        except Exit as end:
            return json.loads(end.args[0])
        raise AssertionError(f"{name} ended without dbutils.notebook.exit")

    return run


def test_the_three_run_one_after_the_other(run_notebook, lake, land, envelope_of, monkeypatch, tmp_path):
    from pinterest_spark.lakehouse import staging

    urls = []
    monkeypatch.setattr(staging, "last_load", lambda _: staging.Load())
    monkeypatch.setattr(staging, "forget", lambda url, _: urls.append(url))
    monkeypatch.setattr(staging, "stage", lambda url, *_: urls.append(url))
    for table in ("pin", "geo", "user"):
        land(table, envelope_of(table, 1, 0))
    sent = {"sent_from": "2025-11-24T00:00:00+00:00", "sent_until": "2025-11-25T00:00:00+00:00", "offsets": [[0, 0, 0]]}
    acknowledged = tmp_path / "acknowledged.json"
    acknowledged.write_text(json.dumps({"pin": sent}) + "\n")

    landed = run_notebook("bronze", lake_uri=lake.uri, topic_prefix="pinterest")
    cleaned = run_notebook("silver", lake_uri=lake.uri, topic_prefix="pinterest", acknowledged_uri=str(acknowledged))
    answered = run_notebook("gold", lake_uri=lake.uri, secret_scope="pinterest", secret_key="warehouse_url")

    assert landed["tables"]["pin"] == {"landed": 1, "added": 1, "redelivered": 0}
    assert cleaned["run"]["pin"] == {"landed": 1, "silver": 1, "duplicates": 0, "quarantined": 0, "lost": 0}
    assert cleaned["run"]["geo"]["landed"] == 0
    assert cleaned["totals"]["geo"] == {"bronze": 1, "silver": 1, "duplicates": 0, "quarantined": 0}
    assert len(answered["tables"]) >= 10
    assert answered["versions"].keys() == answered["tables"].keys()
    assert {len(version) for version in answered["versions"].values()} == {64}
    assert [result["stage"] for result in (landed, cleaned, answered)] == ["bronze", "silver", "gold"]
    assert urls == ["secret of pinterest/warehouse_url"] * 2


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        pytest.param("bronze", {"topic_prefix": " "}, "lake_uri, topic_prefix", id="all that is missing"),
        pytest.param("gold", {"lake_uri": "file:///x"}, "secret_scope, secret_key", id="secret"),
    ],
)
def test_a_wrong_widget_is_refused_by_name(run_notebook, name, values, message):
    with pytest.raises(ValueError, match=message):
        run_notebook(name, **values)


def test_offsets_that_are_none_are_refused(run_notebook, tmp_path):
    (tmp_path / "a.json").write_text("[]")

    with pytest.raises(ValueError, match="acknowledged_uri is not what the ingestion reports"):
        run_notebook("silver", lake_uri="file:///x", topic_prefix="p", acknowledged_uri=str(tmp_path / "a.json"))


@pytest.mark.parametrize("name", ["bronze", "silver", "reprocess", "gold"])
def test_a_stage_that_the_run_leaves_out_ends_at_once(run_notebook, name):
    others = ",".join({"bronze", "silver", "reprocess", "gold"} - {name})

    assert run_notebook(name, stages=others) == {"stage": name, "left_out": True}


def test_a_session_in_another_time_zone_is_refused(run_notebook, spark):
    spark.conf.set("spark.sql.session.timeZone", "Europe/Berlin")
    try:
        with pytest.raises(ValueError, match=r"'Europe/Berlin'; set it to UTC"):
            run_notebook("bronze", lake_uri="file:///x", topic_prefix="pinterest")
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


@pytest.mark.parametrize("file", sorted(NOTEBOOKS.glob("*.py")), ids=lambda file: file.stem)
def test_a_notebook_is_thin_and_in_source_format(file):
    text = file.read_text()

    assert text.startswith("# Databricks notebook source\n")
    assert len(text.splitlines()) <= 40
    assert text.rstrip().endswith("dbutils.notebook.exit(notebook.to_json(result))")
