"""What the stream's benchmarks start from: a sandbox of their own, and a warehouse with empty tables."""

import os
import shlex
import subprocess
import uuid
from pathlib import Path

import psycopg

PROJECT = Path(__file__).resolve().parent.parent
SANDBOX = [str(PROJECT / ".venv" / "sandbox" / "bin" / "python"), "-m", "sandbox"]


def start_sandbox(servers: str) -> dict[str, str]:
    """Start the named servers and take over the variables of ``sandbox env``."""
    subprocess.run([*SANDBOX, "up", "--only", servers], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    printed = subprocess.run([*SANDBOX, "env"], cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = (shlex.split(line) for line in printed.splitlines() if line.startswith("export "))
    environment = dict(assignment.split("=", 1) for _, assignment in lines)
    os.environ.update(environment)
    return environment


def fresh_warehouse(server_url: str) -> str:
    name = f"bench_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = f"{server_url.rpartition('/')[0]}/{name}"
    with psycopg.connect(url) as connection:
        for file in sorted((PROJECT / "include" / "sql" / "ddl").glob("*.sql")):
            connection.execute(file.read_text())
    return url
