"""What keeps the stream's tables from growing for ever: old progress is summed up, what is older than its days deleted.

It runs beside the queries, on a connection and a thread of its own, in transactions of a bounded number of rows. So it
takes no lock that a micro-batch waits for, and a failure of it ends no query: the next round goes on.
"""

import logging
from collections.abc import Mapping
from threading import Event, Thread

import psycopg

from pinterest_spark.errors import StageError
from pinterest_spark.postgres import connect

log = logging.getLogger(__name__)

ROUND_SECONDS = 600.0
PIECE_ROWS = 5_000
PAUSE_SECONDS = 0.1  # between two pieces, for the batches
LAST_PIECE_SECONDS = 10.0  # the thread dies with the process anyway
# The newest batch of a checkpoint stays: it guards against a replay
FOLD = """
WITH old AS (
    SELECT query, checkpoint_id, batch_id FROM stream.progress AS old
    WHERE query = ANY(%(queries)s) AND batch_id >= 0 AND committed_at < now() - make_interval(days => %(days)s)
        AND batch_id < (SELECT max(batch_id) FROM stream.progress AS new
                        WHERE (new.query, new.checkpoint_id) = (old.query, old.checkpoint_id))
    LIMIT %(piece)s
), folded AS (
    DELETE FROM stream.progress USING old
    WHERE (progress.query, progress.checkpoint_id, progress.batch_id) = (old.query, old.checkpoint_id, old.batch_id)
    RETURNING progress.*
), summed AS (
    INSERT INTO stream.progress AS known (query, checkpoint_id, batch_id, record_count, row_count, duplicate_count,
        quarantined_count, content_key, first_arrival, last_arrival, committed_at)
    SELECT query, checkpoint_id, -1, sum(record_count), sum(row_count), sum(duplicate_count), sum(quarantined_count),
        '', min(first_arrival), max(last_arrival), max(committed_at)
    FROM folded GROUP BY query, checkpoint_id
    ON CONFLICT (query, checkpoint_id, batch_id) DO UPDATE SET
        record_count = known.record_count + excluded.record_count, row_count = known.row_count + excluded.row_count,
        duplicate_count = known.duplicate_count + excluded.duplicate_count,
        quarantined_count = known.quarantined_count + excluded.quarantined_count,
        first_arrival = least(known.first_arrival, excluded.first_arrival),
        last_arrival = greatest(known.last_arrival, excluded.last_arrival),
        committed_at = greatest(known.committed_at, excluded.committed_at)
)
SELECT count(*) FROM folded"""
FORGET_QUARANTINE = """
WITH gone AS (
    DELETE FROM stream.quarantine WHERE (stream, shard_id, sequence_number, sub_sequence) IN (
        SELECT stream, shard_id, sequence_number, sub_sequence FROM stream.quarantine
        WHERE stream = ANY(%(streams)s) AND committed_at < now() - make_interval(days => %(days)s)
        ORDER BY committed_at LIMIT %(piece)s
    ) RETURNING 1
)
SELECT count(*) FROM gone"""
FORGET_POSITIONS = """
WITH gone AS (
    DELETE FROM stream.position
    WHERE stream = ANY(%(streams)s) AND committed_at < now() - make_interval(days => %(days)s) RETURNING 1
)
SELECT count(*) FROM gone"""
STATEMENTS = {"progress": FOLD, "quarantine": FORGET_QUARANTINE, "position": FORGET_POSITIONS}


class Upkeep:
    """Sums up and deletes, every ten minutes until it is stopped.

    :param queries: whose progress, and ``streams`` whose quarantine and positions.
    :param days: by table (``progress``, ``quarantine``, ``position``); 0 = for ever.
    """

    def __init__(self, url: str, queries: list[str], streams: list[str], days: Mapping[str, int]) -> None:
        self.url = url
        self.names = {"queries": queries, "streams": streams, "piece": PIECE_ROWS}
        self.days = {table: number for table, number in days.items() if number}
        self.stopped = Event()
        self.thread = Thread(target=self.run, name="stream-upkeep", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join(LAST_PIECE_SECONDS)

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                done = self.round()
            except (psycopg.Error, StageError) as error:
                log.warning("Upkeep of schema stream failed (%s); again in %s s", type(error).__name__, ROUND_SECONDS)
            else:
                log.info("Upkeep of schema stream, rows summed up or deleted: %s", done)
            self.stopped.wait(ROUND_SECONDS)

    def round(self) -> dict[str, int]:
        """Do all that is due, piece by piece; return the rows by table."""
        done = dict.fromkeys(self.days, 0)
        with connect(self.url, autocommit=True) as connection:
            for table, days in self.days.items():
                while not self.stopped.is_set():
                    [rows] = connection.execute(STATEMENTS[table], {**self.names, "days": days}).fetchone() or (0,)
                    done[table] += rows
                    if rows < PIECE_ROWS:
                        break
                    self.stopped.wait(PAUSE_SECONDS)
        return done
