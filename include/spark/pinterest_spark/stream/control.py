"""What users request of a running stream: to stop (``stream.control``), to accept a loss (``stream.data_loss``)."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import psycopg

from pinterest_spark.kinesis.shards import read_lost_span
from pinterest_spark.postgres import connect, retry

log = logging.getLogger(__name__)

EVERY = "all"
STOP_REQUESTS = "SELECT query FROM stream.control WHERE stop_requested_at > %s"
REPORT_LOSS = """
INSERT INTO stream.data_loss AS known (query, found_at, what, lost_from, lost_to)
VALUES (%s, clock_timestamp(), %s, %s, %s)
ON CONFLICT (query) WHERE used_at IS NULL DO UPDATE SET found_at = coalesce(known.found_at, excluded.found_at),
    what = excluded.what, lost_from = excluded.lost_from, lost_to = excluded.lost_to
RETURNING query"""
USE_ACCEPTANCE = """
UPDATE stream.data_loss SET used_at = clock_timestamp()
WHERE query = ANY(%s) AND used_at IS NULL AND found_at IS NOT NULL AND accepted_at IS NOT NULL
RETURNING query"""
# One given before the run began was for this launch, which lost nothing
DROP_ACCEPTANCE = """
UPDATE stream.data_loss SET used_at = clock_timestamp(), what = 'nothing was lost'
WHERE query = %s AND used_at IS NULL AND found_at IS NULL AND accepted_at < %s
RETURNING query"""


class Control:
    """Looks for requests younger than itself, by PostgreSQL's clock, so that yesterday's does not stop today's run."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection: psycopg.Connection | None = None
        self.began: datetime = retry(self._now)

    def _now(self) -> datetime:
        with connect(self.url) as connection:
            row = connection.execute("SELECT now()").fetchone()
        if row is None:
            raise psycopg.OperationalError("PostgreSQL did not say what time it is")
        now: datetime = row[0]
        return now

    def queries_to_stop(self, queries: list[str]) -> list[str]:
        """Return which of the queries a request stops; none while PostgreSQL is away: the queries notice that."""
        requested = {query for (query,) in self._rows(STOP_REQUESTS, self.began) or []}
        return [query for query in queries if requested & {query, EVERY}]

    def report_loss(self, query: str, what: str) -> bool:
        """Record why a query stopped, for the user to accept; say whether it is recorded."""
        return self._rows(REPORT_LOSS, query, what, *(read_lost_span(what) or (None, None))) is not None

    def use_acceptance(self, queries: list[str]) -> list[str]:
        """Return the queries whose recorded loss is accepted; each acceptance is returned once."""
        return [query for (query,) in self._rows(USE_ACCEPTANCE, queries) or []] if queries else []

    def drop_acceptance(self, query: str) -> bool:
        """Use up an acceptance from before this run, of which nothing was lost; say whether that is done."""
        return self._rows(DROP_ACCEPTANCE, query, self.began) is not None

    def _rows(self, statement: str, *parameters: Any) -> Sequence[tuple[Any, ...]] | None:
        """Return what a statement returns, None while PostgreSQL is away."""
        try:
            if self.connection is None:
                self.connection = connect(self.url, autocommit=True)
            return self.connection.execute(statement, parameters).fetchall()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            log.warning("The requests to the stream could not be read (%s)", type(error).__name__)
            self.close()
            return None

    def close(self) -> None:
        if self.connection is not None:
            with suppress(psycopg.Error):
                self.connection.close()
        self.connection = None
