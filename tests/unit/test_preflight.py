"""The preflight: green where all is there; each planted fault has its line with the remedy, and hides no other."""

import json
from pathlib import Path

import pytest

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.preflight import outcome, table
from pinterest_pipeline.dag.preflight_checks import CHECKS, NOTEBOOKS, Line, check_all, pool_lines
from pinterest_pipeline.warehouse.migrations import read_migrations
from tests.unit.scripted_world import PLUGIN, World

INCLUDE = Path(__file__).resolve().parents[2] / "include"
GONE = "gone"


@pytest.fixture
def world(monkeypatch):
    made = World(monkeypatch, read_migrations(INCLUDE / "sql" / "migrations"))
    yield made
    made.opened.close()


def faults(world):
    return [line for line in check_all(world.var, INCLUDE) if not line.ok]


def test_a_whole_environment_has_no_fault_and_a_line_for_each_thing(world):
    lines = check_all(world.var, INCLUDE)

    assert outcome(lines) == {"checks": len(lines), "faults": 0}, table(lines)
    assert {line.part for line in lines} == {
        *("Variable", "source", "warehouse", "topic", "lake", "plugin", "connector"),
        *("stream", "databricks", "notebook", "secret"),
    }
    assert len(lines) == 18 + len(NOTEBOOKS)


def test_it_looks_for_every_notebook_that_is_deployed():
    assert set(NOTEBOOKS) == {file.stem for file in (INCLUDE / "spark" / "notebooks").glob("*.py")}


def setting(path, value):
    def plant(world):
        *parents, key = path.split(".")
        inner = world.variable
        for parent in parents:
            inner = inner[parent]
        inner[key] = value

    return plant


PLANTED = {  # fault: how it is planted, part and words of its line
    "a key of the Variable": (setting("stream.job_name", None), "Variable", "has no value for stream.job_name: add it"),
    "the source's table": (
        lambda world: world.source_faults.update(user_data="may not be read: GRANT SELECT to the role"),
        "source",
        "GRANT SELECT to the role",
    ),
    "the warehouse's right": (lambda world: setattr(world, "may_create", False), "warehouse", "GRANT CREATE"),
    "a changed migration": (
        lambda world: world.applied.update({min(world.applied): "other"}),
        "warehouse",
        "was changed after it was applied",
    ),
    "the API key": (lambda world: setattr(world, "api_key", "new"), "topics", "API key"),
    "a topic": (lambda world: world.topics.pop("pinterest.geo"), "topic", "unpause DAG pinterest_sink_connector"),
    "a topic's partitions": (lambda world: world.topics.update({"pinterest.pin": 2}), "topic", "--partitions 3"),
    "the bucket": (setting("bucket", GONE), "lake", "create the bucket, or correct `bucket`"),
    "the plugin": (lambda world: world.plugins.clear(), "plugin", "does not exist: register it"),
    "the plugin's state": (
        lambda world: world.plugins.update({PLUGIN: "CREATE_FAILED"}), "plugin", "is CREATE_FAILED",
    ),
    "the plugin's revision": (setting("connector.plugin_revision", 2), "plugin", "asked for 2"),
    "the connector": (lambda world: setattr(world, "connector", None), "connector", "which creates it"),
    "a failed connector": (lambda world: setattr(world, "connector", "FAILED"), "connector", "is FAILED"),
    "a stream": (
        lambda world: world.streams.pop("streaming-pinterest-pin"), "stream", "(DAG pinterest_kinesis_streams)",
    ),
    "a notebook": (lambda world: world.databricks.notebooks.pop("/n/silver"), "notebook", "deploy the notebooks"),
    "the secret": (lambda world: world.databricks.secrets["scope"].clear(), "secret", "databricks secrets put-secret"),
    "the secret's scope": (lambda world: world.databricks.secrets.clear(), "secret", "databricks secrets put-secret"),
}  # fmt: skip


@pytest.mark.parametrize(("plant", "part", "words"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_named_with_its_remedy_and_alone(world, plant, part, words):
    plant(world)

    found = faults(world)

    assert [line.part for line in found] == [part], table(found)
    assert words in found[0].found
    with pytest.raises(PermanentError, match="1 of 1 checks found a fault"):
        outcome(found)


@pytest.mark.parametrize(
    ("connection", "fields", "part", "words"),
    [
        ("SOURCE", {"host": None}, "source", "lacks host"),
        ("WAREHOUSE", {"login": None}, "warehouse", "lacks login"),
        ("KAFKA_REST", {"password": None}, "topics", "lacks password"),
        ("DATABRICKS", {"host": None}, "databricks", "lacks host"),
    ],
)
def test_a_connection_that_lacks_a_field_hides_no_other_fault(world, monkeypatch, connection, fields, part, words):
    whole = {"conn_type": "postgres", "host": "h", "schema": "s", "login": "l", "password": "p", **fields}
    kinds = {"KAFKA_REST": "http", "DATABRICKS": "databricks"}
    whole["conn_type"] = kinds.get(connection, "postgres")
    monkeypatch.setenv(f"AIRFLOW_CONN_PINTEREST_{connection}", json.dumps(whole))
    world.variable["bucket"] = GONE

    found = faults(world)

    assert {line.part for line in found} == {part, "lake"}, table(found)
    assert any(words in line.found for line in found)


def test_without_its_variable_every_part_says_so_and_none_is_left_out(world):
    world.variable.clear()

    found = faults(world)

    assert {"warehouse", "source"}.isdisjoint(line.part for line in found)
    assert {line.part for line in found} >= CHECKS.keys() - {"source", "warehouse"}


def test_a_pool_in_which_no_task_begins_is_named():
    there, missing = pool_lines({"pinterest_warehouse": True, "pinterest_lakehouse": False})

    assert there.ok
    assert not missing.ok
    assert "airflow pools import include/airflow/pools.json" in missing.found


def test_the_table_has_a_row_for_each_line_and_its_faults_last():
    rows = table([Line("b", "x", ok=False, found="do this"), Line("a", "longer", ok=True, found="there")]).splitlines()

    assert [row.split()[0] for row in rows] == ["part", "a", "b"]
    assert rows[2].endswith("FAULT   do this")
    assert len({row.index(word) for row, word in zip(rows, ("result", "ok", "FAULT"), strict=True)}) == 1


def test_each_fault_is_in_the_error_with_its_remedy():
    lines = [Line("lake", "l", ok=False, found="create it"), Line("topic", "t", ok=False, found="declare 2")]

    with pytest.raises(PermanentError, match="2 of 2 checks found a fault: lake l: create it; topic t: declare 2"):
        outcome(lines)
