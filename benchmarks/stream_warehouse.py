"""What the stream's benchmarks write to: a warehouse of their own with empty tables."""

import uuid
from pathlib import Path

import psycopg

PROJECT = Path(__file__).resolve().parent.parent


def fresh_warehouse(server_url: str) -> str:
    name = f"bench_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = f"{server_url.rpartition('/')[0]}/{name}"
    with psycopg.connect(url) as connection:
        for file in sorted((PROJECT / "include" / "sql" / "ddl").glob("*.sql")):
            connection.execute(file.read_text())
    return url
