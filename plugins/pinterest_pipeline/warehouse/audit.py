"""What is checked and recorded in the warehouse."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

EXAMPLES = 3  # rows of a failed check that the error shows


class Database(Protocol):
    """The two verbs of ``DbApiHook`` used here."""

    def get_records(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]: ...

    def run(self, sql: list[str], parameters: Mapping[str, Any]) -> Any: ...


def failed_checks(cursor: Any, checks: Mapping[str, str]) -> list[str]:
    """Run every check and return the failed ones, each with the first of its rows.

    :param checks: Statements by name; each returns rows only where something is wrong.
    """
    failed = []
    for name, statement in checks.items():
        cursor.execute(statement)
        if rows := [tuple(row) for row in cursor.fetchall()]:
            shown = ", ".join(str(row) for row in rows[:EXAMPLES])
            failed.append(f"{name} ({len(rows)} rows, e.g. {shown})")
    return failed


def redriven_rows(database: Database, file: Path, uris: Iterable[str | None]) -> dict[str, int]:
    """Return how many dead letters were delivered since, by the ``dead_letter_uri`` of those tries that have some."""
    wanted = [uri for uri in uris if uri]
    found = database.get_records(file.read_text(encoding="utf-8"), parameters={"uris": wanted}) if wanted else ()
    return {str(uri): int(rows) for uri, rows in found}


def record(database: Database, file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Upsert ``rows`` with the statement of ``file``, in one transaction each; dictionaries in a row become JSON."""
    statement = file.read_text(encoding="utf-8")
    for row in rows:
        parameters = {
            name: json.dumps(value, sort_keys=True) if isinstance(value, dict) else value for name, value in row.items()
        }
        database.run([statement], parameters=parameters)
