"""Rows of a database that is not PostgreSQL: SQLite, by a provider that Airflow finds as it finds any other."""

import json
import os
import sqlite3
import subprocess
import sys

import pytest

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.source.database import database_of

PROVIDER = """
import sqlite3
from airflow.providers.common.sql.hooks.sql import DbApiHook

class SqliteHook(DbApiHook):
    conn_name_attr, default_conn_name, conn_type, hook_name = "sqlite_conn_id", "sqlite_default", "sqlite", "SQLite"
    def get_conn(self):
        return sqlite3.connect(self.get_connection(self.sqlite_conn_id).host)
"""
INFO = """
def get_provider_info():
    return {
        "package-name": "pins-airflow-provider", "name": "Pins", "description": "Pins", "versions": ["1.0.0"],
        "connection-types": [{"connection-type": "sqlite", "hook-class-name": "pins_provider.SqliteHook"}],
    }
"""
RUN = """
from tests.unit.scripted_kafka_rest import ScriptedKafkaRest
from tests.unit.sending import Store, context, operator
import json, os
import pinterest_pipeline.lake.hook
lake = Store()
pinterest_pipeline.lake.hook.LakeHook = lambda *_, **__: lake
proxy = ScriptedKafkaRest()
os.environ["AIRFLOW_CONN_PINTEREST_KAFKA_REST"] = json.dumps({"conn_type": "http", "host": proxy.url, "password": "k"})
result = operator(
    sql="SELECT id AS 'index', title FROM pins WHERE id >= ? ORDER BY id", parameters=[2], source_conn_id="mine"
).execute(context())
print(json.dumps([result["rows"], [record for asked in proxy.asked for record in asked.records]]))
proxy.close()
"""


def test_rows_of_any_database_that_airflow_has_a_sql_hook_for_are_sent(tmp_path):
    (tmp_path / "pins_provider.py").write_text(PROVIDER)
    (tmp_path / "pins_info.py").write_text(INFO)  # apart, for Airflow reads it while it is being imported itself
    info = tmp_path / "pins_airflow_provider-1.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pins-airflow-provider\nVersion: 1.0.0\n")
    (info / "entry_points.txt").write_text("[apache_airflow_provider]\nprovider_info=pins_info:get_provider_info\n")
    with sqlite3.connect(tmp_path / "pins.db") as database:
        database.execute("CREATE TABLE pins (id integer, title text)")
        database.executemany("INSERT INTO pins VALUES (?, ?)", [(n, f"title {n}") for n in range(5000)])
    mine = json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "pins.db")})
    path = os.pathsep.join([str(tmp_path), *sys.path])

    done = subprocess.run(
        [sys.executable, "-c", RUN], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": path, "AIRFLOW_CONN_MINE": mine, "NO_PROXY": "127.0.0.1"},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2000:]
    count, records = json.loads(done.stdout.splitlines()[-1])
    assert count == 4998
    assert sorted(record["key"] for record in records) == list(range(2, 5000))
    assert {"key": 7, "value": {"index": 7, "title": "title 7"}} in records


@pytest.mark.parametrize(
    ("conn_type", "message"),
    [
        ("mysql", "Connection mine is of type 'mysql', for which no provider is installed"),
        ("http", "Connection mine is of type 'http', which is no database's"),
    ],
)
def test_a_connection_without_rows_says_so(monkeypatch, conn_type, message):
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps({"conn_type": conn_type, "host": "h", "password": "p"}))

    with pytest.raises(PermanentError, match=message):
        database_of("mine")


def test_a_connection_that_is_not_there_may_be_there_later():
    with pytest.raises(TransientError, match="Connection nobodys does not exist: create it"):
        database_of("nobodys")
