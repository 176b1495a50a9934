"""The project's own data set through the Spark code: hard payloads end where they should, the answers are golden."""

import json
import subprocess
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from pinterest_spark.lakehouse import bronze, silver
from pinterest_spark.lakehouse.answers import answers_folder, facts, read_answers, registered
from pinterest_spark.lakehouse.gold import compute
from pinterest_spark.lakehouse.offsets import OffsetRange
from pinterest_spark.lakehouse.tables import read
from pinterest_spark.rows.rules import refine
from pinterest_spark.rows.schemas import QUARANTINE, SILVER, TABLES

pytestmark = pytest.mark.usefixtures("planned_as_in_production")

PROJECT = Path(__file__).resolve().parents[2]
GOLDEN = PROJECT / "tests" / "golden"
HARD_PAYLOADS = """
import json
from sandbox.data.source.hard_wire import hard_payloads
for payload in hard_payloads({seed}, {rows}):
    print(json.dumps(payload))
"""
SEED = """
import json
from sandbox.data.source import load
from sandbox.data.source.generator import generate
from sandbox.data.source.schema import TABLES, wire
load.seed({url!r}, {mode!r}, {rows}, {seed})
for post in generate({mode!r}, {rows}, {seed}):
    print(json.dumps([wire(table, row).decode() for table, row in zip(TABLES, post)]))
"""


def sandbox(program):
    """Run a program with the sandbox's Python and return the JSON lines that it printed."""
    python = str(PROJECT / ".venv" / "sandbox" / "bin" / "python")
    run = subprocess.run([python, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_hard_payloads_end_in_silver_in_duplicates_or_in_quarantine(spark, lake, land, broken_envelope_of):
    payloads = sandbox(HARD_PAYLOADS.format(seed=7, rows=80))
    by_table = {table: [one for one in payloads if one[0] == table] for table in TABLES}
    for table, sent in by_table.items():
        land(table, *(broken_envelope_of(table, text, offset) for offset, (_, _, text, _, _) in enumerate(sent)))

    bronze.run(spark, lake, "pinterest")
    acknowledged = {table: [OffsetRange(0, 0, len(sent) - 1)] for table, sent in by_table.items()}
    result = silver.run(spark, lake, "pinterest", acknowledged)

    rejected = read(spark, lake.quarantine, QUARANTINE).collect()
    for table, sent in by_table.items():
        offsets = {row.offset for row in rejected if row.table_name == table}
        wrong = [
            (kind, text[:200])
            for offset, (_, _, text, kind, outcome) in enumerate(sent)
            if outcome not in ("either", "quarantine" if offset in offsets else "silver")
            and not (outcome == "duplicate" and offset not in offsets)
        ]
        assert wrong == []
        resent = sum(outcome == "duplicate" for *_, outcome in sent)
        assert result["run"][table] == {
            "landed": len(sent), "silver": len(sent) - len(offsets) - resent, "duplicates": resent,
            "quarantined": len(offsets), "lost": 0,
        }  # fmt: skip


@pytest.fixture
def source(stand_ins):
    """The URL of a source schema of this test's own, and a connection that sees it."""
    url = stand_ins("postgres")["PINTEREST_SOURCE_URL"]
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(**conninfo_to_dict(url), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        connection.execute(f"SET search_path TO {name}")
        yield f"{url}?options=-csearch_path%3D{name}", connection
        connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.mark.parametrize(("mode", "seed"), [("faithful", 11), ("hard", 12)])
def test_the_answers_equal_those_of_plain_sql_over_the_source(spark, source, mode, seed):
    url, connection = source
    posts = sandbox(SEED.format(url=url, mode=mode, rows=1500, seed=seed))
    frames = {}
    for table, payloads in zip(TABLES, zip(*posts, strict=True), strict=True):
        records = spark.createDataFrame([(text,) for text in payloads], "_payload string")
        refined = refine(records.selectExpr("_payload", "current_timestamp() AS _arrived_at"), table)
        cleaned = refined.where("_reject_reason IS NULL").select(*SILVER[table].names)
        # Not cached: each of the ten plans would then hold that of the cleaning, which Spark writes out a hundred times
        frames[table] = cleaned.localCheckpoint()

    with registered(facts(*frames.values())):
        for answer in read_answers(answers_folder()):
            golden = connection.execute((GOLDEN / f"{answer.name}.sql").read_text()).fetchall()
            assert sorted(map(tuple, compute(spark, answer))) == sorted(golden), answer.name
            assert golden, answer.name
