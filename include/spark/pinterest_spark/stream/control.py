"""Requests to stop, as ``stream.control`` holds them."""

import logging
from contextlib import suppress
from datetime import datetime

import psycopg

from pinterest_spark.postgres import connect, retry

log = logging.getLogger(__name__)

EVERY = "all"
STOP_REQUESTS = "SELECT query FROM stream.control WHERE stop_requested_at > %s"


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
        try:
            if self.connection is None:
                self.connection = connect(self.url, autocommit=True)
            requested = {query for (query,) in self.connection.execute(STOP_REQUESTS, [self.began]).fetchall()}
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            log.warning("stream.control could not be read (%s)", type(error).__name__)
            self.close()
            return []
        return [query for query in queries if requested & {query, EVERY}]

    def close(self) -> None:
        if self.connection is not None:
            with suppress(psycopg.Error):
                self.connection.close()
        self.connection = None
