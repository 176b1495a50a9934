"""Reading the warehouse for the page: read-only, bounded in time; a warehouse that fails still gives a panel.

The statements stand in the panels' modules, not in ``include/sql``, because the api-server has the plugins only.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pinterest_pipeline.common.compat import AirflowException
from pinterest_pipeline.common.connections import TABLE
from pinterest_pipeline.warehouse.errors import failure_of

CONNECTION = "pinterest_warehouse"
CONNECT_SECONDS = 3
STATEMENT_SECONDS = 5
SESSION = {
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "repeatable read",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "application_name": "airflow-pinterest-page",
}
BOUNDS = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": (CONNECT_SECONDS + STATEMENT_SECONDS) * 1000}
EXISTS = "SELECT to_regclass(%(relation)s) IS NOT NULL"
REMEDIES = {
    "57014": f"It took longer than {STATEMENT_SECONDS} s: check PostgreSQL for locks and load.",
    "42501": f"Give the role of connection {CONNECTION} the right to read it.",
    "42703": "The tables are older than this page: run the DAG, whose task migrate_warehouse brings them up to date.",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Query:
    """A statement, the relation that must exist before it can run, and its parameters."""

    relation: str
    statement: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


Rows = list[dict[str, Any]]
Following = Callable[[Mapping[str, Rows | None]], Mapping[str, Query]]


def read(queries: Mapping[str, Query], following: Following | None = None) -> dict[str, Rows | None]:
    """Return the rows of each query, all of one moment; None where its relation does not exist yet.

    :param following: Makes more queries of the rows of the first ones, under other names.
    """
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        found = {name: rows_of(cursor, query) for name, query in queries.items()}
        more = following(found) if following else {}
        return found | {name: rows_of(cursor, query) for name, query in more.items()}


def connect() -> Any:
    from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - imports a driver

    class BoundedHook(PipelinePostgresHook):
        session_settings = SESSION

        @classmethod
        def get_connection(cls, conn_id: str) -> Any:
            connection = super().get_connection(conn_id)
            connection.extra = json.dumps({**connection.extra_dejson, **BOUNDS})
            return connection

    return BoundedHook(CONNECTION).get_conn()


def rows_of(cursor: Any, query: Query) -> Rows | None:
    cursor.execute(EXISTS, {"relation": query.relation})
    if not cursor.fetchone()[0]:
        return None
    cursor.execute(query.statement, dict(query.parameters))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def answer(
    queries: Mapping[str, Query],
    shape: Callable[[Mapping[str, Rows | None], datetime], Any],
    following: Following | None = None,
) -> dict[str, Any]:
    """Return a panel: what ``shape`` makes of the rows, or why there are none and what to do."""
    now = datetime.now(UTC)
    try:
        found = read(queries, following)
    except Exception as error:
        if (explanation := explain(error)) is None:
            raise
        log.warning("The page could not read the warehouse: %s", explanation["why"])
        return {"state": "unavailable", "now": now, **explanation}
    return {"state": "ok", "now": now, **shape(found, now)}


def explain(error: Exception) -> dict[str, str] | None:
    """Return why the warehouse could not be read, and the remedy; None for an error in our code."""
    if isinstance(error, AirflowException):  # of the connection; its message says what to do
        return {"why": str(error), "remedy": f"Correct connection {CONNECTION}."}
    failure = failure_of(error)
    if failure is None:
        return None
    if failure.sqlstate in REMEDIES:
        return {"why": f"The warehouse refused: {failure.message}", "remedy": REMEDIES[failure.sqlstate]}
    return {
        "why": f"The warehouse does not answer: {failure.message}",
        "remedy": f"Check that PostgreSQL runs and that connection {CONNECTION} names it ({TABLE}).",
    }


def total(rows: Sequence[Mapping[str, Any]], column: str) -> int:
    return sum(int(row[column]) for row in rows)
