"""The report: rows at every stage, the answers, why rows were refused, and where the time went.

Each number is read where it lives, not taken from what another stage says of it: the source from its tables, what
landed from the objects in the lake, the answers from PostgreSQL. Only what no one can count from outside (the Delta
tables, what Kafka acknowledged) is read from the ``audit`` schema, which the pipeline writes.
"""

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from sandbox.demo import brief, report_stream
from sandbox.run.settings import BUCKET, CALL_SECONDS, PROJECT, TOPIC_PREFIX, SandboxError, Settings, write_private
from sandbox.servers.airflow.api import USERNAME
from sandbox.servers.ministack import client

SOURCE_TABLES = {"pin": "pinterest_data", "geo": "geolocation_data", "user": "user_data"}
ANSWERS = PROJECT / "include" / "sql" / "answers"
GOLD_TABLES = tuple(sorted(file.stem for file in ANSWERS.glob("*.sql")))
ROW_STAGES = ("source", "acknowledged", "landed", "bronze", "silver", "duplicates", "quarantined")
# A stage is named after the task that makes it; all tasks below a prefix count from the first start to the last end.
STAGES = {
    "ingest": "ingest.",
    "landed": "posts_landed",
    "bronze": "lakehouse.bronze",
    "silver": "lakehouse.silver",
    "gold": "lakehouse.gold",
    "publish": "publish.",
    "reconcile": "reconcile_rows",
    "batch": "",
}
# The folders of the Delta tables that a stage writes.
WRITES = {
    "bronze": ("delta/bronze/", "delta/audit/unreadable_objects/", "delta/audit/objects_read_again/"),
    "silver": ("delta/silver/", "delta/quarantine/", "delta/audit/silver_batches/"),
    "gold": ("delta/gold/",),
}
COMMIT = re.compile(r"/_delta_log/\d{20}\.json$")


def collect(settings: Settings, run_id: str, seconds: dict[str, float]) -> dict[str, Any]:
    """Count everything now and return it as ``report.json`` holds it."""
    rows: dict[str, dict[str, int]] = {name: {} for name in SOURCE_TABLES}
    with psycopg.connect(settings.postgres_url("pinterest_source"), connect_timeout=CALL_SECONDS) as source:
        for name, table in SOURCE_TABLES.items():
            rows[name]["source"] = count_rows(source, table)
    landed = landed_rows(settings)
    with psycopg.connect(settings.postgres_url("pinterest_warehouse"), connect_timeout=CALL_SECONDS) as warehouse:
        acknowledged = dict(
            warehouse.execute(
                "SELECT table_name, sum(acknowledged_rows)::bigint FROM audit.run_rows GROUP BY table_name"
            ).fetchall()
        )
        lake = {
            name: (counts, reasons, defects)
            for name, *counts, reasons, defects in warehouse.execute(
                "SELECT table_name, bronze_rows, silver_rows, duplicate_rows, quarantined_rows,"
                " quarantine_reasons, defects FROM audit.lake_rows"
            )
        }
        gold = {table: count_rows(warehouse, "gold", table) for table in GOLD_TABLES}
    for name in SOURCE_TABLES:
        counts, _, _ = lake[name]
        rows[name] |= {"acknowledged": acknowledged[name], "landed": landed[name]}
        rows[name] |= dict(zip(ROW_STAGES[3:], counts, strict=True))
    return {
        "run_id": run_id,
        "rows": rows,
        "gold": gold,
        "quarantine_reasons": {name: reasons for name, (_, reasons, _) in lake.items()},
        "defects": {name: defects for name, (_, _, defects) in lake.items()},
        "seconds": {stage: round(taken, 1) for stage, taken in seconds.items()},
        "airflow": settings.url("airflow"),
    }


def count_rows(connection: psycopg.Connection[Any], *name: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*name))).fetchone()
    return int(row[0]) if row else 0


def landed_rows(settings: Settings) -> dict[str, int]:
    """Count the distinct (partition, offset) of each topic over all lines of all objects in the lake."""
    s3 = client(settings, "s3")
    counts = {}
    for name in SOURCE_TABLES:
        seen: set[tuple[int, int]] = set()
        prefix = f"topics/{TOPIC_PREFIX}.{name}/"
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
            for entry in page.get("Contents", []):
                body = s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
                text = gzip.decompress(body) if entry["Key"].endswith(".gz") else body
                for line in text.splitlines():
                    record = json.loads(line)
                    seen.add((record["kafka_partition"], record["kafka_offset"]))
        counts[name] = len(seen)
    return counts


def stage_seconds(tasks: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Return each stage's span, first start to last end; stages overlap, so they do not add up to the whole."""
    finished = [task for task in tasks if task["start_date"] and task["end_date"]]
    spans = {}
    for stage, prefix in STAGES.items():
        own = [task for task in finished if task["task_id"].startswith(prefix)]
        if own:
            first = min(datetime.fromisoformat(task["start_date"]) for task in own)
            last = max(datetime.fromisoformat(task["end_date"]) for task in own)
            spans[stage] = (last - first).total_seconds()
    return spans


def work_of(settings: Settings, results: Mapping[str, Mapping[str, Any]], since: datetime) -> dict[str, dict[str, int]]:
    """Return the Spark jobs that each stage says it had, and the commits that Delta's logs got since then.

    :param results: What the notebooks returned, by stage.
    """
    commits = dict.fromkeys(results, 0)
    for page in client(settings, "s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="delta/"):
        for entry in page.get("Contents", []):
            stage = next((name for name, folders in WRITES.items() if entry["Key"].startswith(folders)), None)
            if stage in commits and COMMIT.search(entry["Key"]) and entry["LastModified"] >= since:
                commits[stage] += 1
    return {
        stage: {"spark_jobs": result["work"]["spark_jobs"], "delta_commits": commits[stage]}
        for stage, result in results.items()
    }


def adds_up(report: dict[str, Any]) -> bool:
    """Whether no row is missing, in the batch or in the stream."""
    return batch_adds_up(report) and ("stream" not in report or report_stream.adds_up(report["stream"]))


def batch_adds_up(report: dict[str, Any]) -> bool:
    """Whether everything acknowledged landed, and each landed row has one outcome."""
    return all(
        row["acknowledged"] <= row["landed"] == row["bronze"] == row["silver"] + row["duplicates"] + row["quarantined"]
        for row in report["rows"].values()
    )


def save(settings: Settings, report: dict[str, Any]) -> None:
    write_private(settings.home / "report.json", json.dumps(report, indent=2) + "\n")


def load(settings: Settings) -> dict[str, Any]:
    file = settings.home / "report.json"
    if not file.exists():
        raise SandboxError("There is no report yet: run `make demo`.")
    loaded: dict[str, Any] = json.loads(file.read_text())
    return loaded


def show(settings: Settings, report: dict[str, Any]) -> None:
    """Print the report on one page."""
    access = {
        "Airflow": report["airflow"],
        "Sign in": f"user {USERNAME}, password {settings.secrets['airflow_password']}",
        "Page": f"{report['airflow']}/plugin/pinterest",
        "Report": relative(settings.home / "report.json"),
        "Tables": "make report VERBOSE=1",
    }
    brief.show(Console(width=brief.WIDTH), report, answers_of(settings), access, is_good=adds_up(report))


def relative(file: Path) -> str:
    """Return a path as it is typed in the project's folder."""
    return str(file.relative_to(PROJECT)) if file.is_relative_to(PROJECT) else str(file)


def answers_of(settings: Settings) -> dict[brief.Question, list[tuple[Any, ...]]]:
    """Return schema ``gold`` in the order of its columns."""
    with psycopg.connect(settings.postgres_url("pinterest_warehouse"), connect_timeout=CALL_SECONDS) as warehouse:
        return {
            answer: warehouse.execute(
                sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
                    names(answer.columns), sql.Identifier("gold", answer.name), names(answer.columns)
                )
            ).fetchall()
            for answer in map(brief.Question.read, sorted(ANSWERS.glob("*.sql")))
        }


def names(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def show_tables(settings: Settings, report: dict[str, Any]) -> None:
    """Print every number, in tables."""
    console = Console(width=110)
    rows = Table(title="Batch: rows", title_justify="left")
    rows.add_column("table")
    for stage in ROW_STAGES:
        rows.add_column(stage, justify="right")
    for name, counts in report["rows"].items():
        rows.add_row(name, *(f"{counts[stage]:,}" for stage in ROW_STAGES))
    console.print(rows)
    console.print(
        "Every row has one outcome: landed = silver + duplicates + quarantined."
        if batch_adds_up(report)
        else "[bold red]Rows are missing: landed is not silver + duplicates + quarantined.[/]"
    )
    if "stream" in report:
        report_stream.show(console, report["stream"])
    show_refused(console, report)
    show_answers(console, settings, report)
    spent = Table(title="Seconds", title_justify="left")
    for stage in report["seconds"]:
        spent.add_column(stage, justify="right")
    spent.add_row(*(f"{taken:.0f}" for taken in report["seconds"].values()))
    console.print(spent)
    work = [f"{stage} {one['spark_jobs']} and {one['delta_commits']}" for stage, one in report.get("work", {}).items()]
    console.print(f"Spark jobs and Delta commits: {', '.join(work)}")


def show_refused(console: Console, report: dict[str, Any]) -> None:
    refused = Table(title="Quarantine and defects", title_justify="left")
    for column in ("table", "why", "rows"):
        refused.add_column(column, justify="right" if column == "rows" else "left")
    streamed = {f"stream.{t}": report["stream"][t]["quarantine_reasons"] for t in SOURCE_TABLES if "stream" in report}
    for reasons_of, form in (
        (report["quarantine_reasons"], "{}"),
        (report["defects"], "kept, {} unreadable"),
        (streamed, "{}"),
    ):
        for name, reasons in reasons_of.items():
            for reason, count in sorted((reasons or {}).items()):
                refused.add_row(name, form.format(reason), f"{count:,}")
    console.print(refused if refused.row_count else "Nothing was quarantined.")


def show_answers(console: Console, settings: Settings, report: dict[str, Any]) -> None:
    answers = Table(title="Answers in schema gold", title_justify="left")
    for column in ("table", "rows", "first rows"):
        answers.add_column(column, justify="right" if column == "rows" else "left", no_wrap=column != "first rows")
    with psycopg.connect(settings.postgres_url("pinterest_warehouse"), connect_timeout=CALL_SECONDS) as warehouse:
        for table, count in report["gold"].items():
            answers.add_row(table, f"{count:,}", first_rows(warehouse, table))
    console.print(answers)


def first_rows(warehouse: psycopg.Connection[Any], table: str, limit: int = 2) -> str:
    query = sql.SQL("SELECT * FROM {} ORDER BY 1, 2 LIMIT {}").format(sql.Identifier("gold", table), limit)
    return "; ".join(" · ".join(str(value) for value in row) for row in warehouse.execute(query).fetchall())
