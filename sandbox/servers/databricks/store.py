"""Jobs, runs and idempotency tokens in one SQLite file: what was acknowledged is still there after ``kill -9``.

Everything is also held in memory; the file is read once, at the start, and written through.
"""

import json
import sqlite3
from dataclasses import asdict
from pathlib import Path

from sandbox.servers.databricks.model import Job, Run

FIRST_ID = 1001
SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS run (id INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS job (id INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS token (token TEXT PRIMARY KEY, run_id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS last_id (only INTEGER PRIMARY KEY CHECK (only = 1), value INTEGER NOT NULL);
"""


class Store:
    """All state of the API."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.database = sqlite3.connect(file, autocommit=True)
        self.database.executescript(SCHEMA)
        self.database.execute("INSERT OR IGNORE INTO last_id VALUES (1, ?)", (FIRST_ID - 1,))
        self.runs = {
            run_id: Run.from_dict(json.loads(document))
            for run_id, document in self.database.execute("SELECT id, document FROM run ORDER BY id")
        }
        self.jobs = {
            job_id: Job(**json.loads(document))
            for job_id, document in self.database.execute("SELECT id, document FROM job ORDER BY id")
        }
        self.tokens: dict[str, int] = dict(self.database.execute("SELECT token, run_id FROM token"))

    def next_id(self) -> int:
        """Return an id that was never given out before, to anything."""
        rows = self.database.execute("UPDATE last_id SET value = value + 1 RETURNING value")
        return int(rows.fetchone()[0])

    def save_run(self, run: Run, token: str = "") -> None:
        """Store a run and, in the same transaction, the idempotency token of its request."""
        self.runs[run.run_id] = run
        self.database.execute("BEGIN")
        self.database.execute("INSERT OR REPLACE INTO run VALUES (?, ?)", (run.run_id, json.dumps(run.as_dict())))
        if token:
            self.tokens[token] = run.run_id
            self.database.execute("INSERT OR REPLACE INTO token VALUES (?, ?)", (token, run.run_id))
        self.database.execute("COMMIT")

    def delete_run(self, run_id: int) -> None:
        del self.runs[run_id]
        self.database.execute("DELETE FROM run WHERE id = ?", (run_id,))

    def save_job(self, job: Job) -> None:
        self.jobs[job.job_id] = job
        self.database.execute("INSERT OR REPLACE INTO job VALUES (?, ?)", (job.job_id, json.dumps(asdict(job))))

    def delete_job(self, job_id: int) -> None:
        del self.jobs[job_id]
        self.database.execute("DELETE FROM job WHERE id = ?", (job_id,))

    def runs_of(self, job_id: int) -> list[Run]:
        """Return a job's runs, oldest first."""
        return [run for run in self.runs.values() if run.job_id == job_id]

    def close(self) -> None:
        self.database.close()
