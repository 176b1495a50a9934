"""What the stream's benchmarks write to: a warehouse of their own with empty tables."""

import sys
import uuid
from pathlib import Path

import psycopg

sys.path.append(str(Path(__file__).resolve().parent.parent / "plugins"))  # the runner needs no Airflow
from pinterest_pipeline.warehouse.migrations import migrate, read_migrations

MIGRATIONS = Path(__file__).resolve().parent.parent / "include" / "sql" / "migrations"


def fresh_warehouse(server_url: str) -> str:
    name = f"bench_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = f"{server_url.rpartition('/')[0]}/{name}"
    with psycopg.connect(url) as connection:
        migrate(connection, read_migrations(MIGRATIONS), applied_by="benchmark")
    return url
