"""The SQL of one stream table: what a micro-batch does between its COPY and its COMMIT.

The validated records of the batch are copied into ``copied``, a temporary table of the connection; the statements read
them as ``staged``, with sequence numbers that compare as numbers, and leave in ``touched`` the keys that they wrote.
A record's place in the stream is its sequence number and, within an aggregate, its ``sub_sequence``.
Temporary tables are made once a connection and emptied by each commit: made again for each batch they would fill the
catalogue. Keys are written in order, so that two writers cannot deadlock.
"""

from dataclasses import dataclass

from psycopg import sql

from pinterest_spark.rows.schemas import SILVER, TABLES

NO_SHARD = ""  # of a row that did not come through Kinesis
JOIN_LOCK = 7_305_303_303  # any number that no other program locks: one transaction at a time joins and commits
LINEAGE = (
    "stream", "shard_id", "stream_sequence", "ingested_at", "payload", "payload_bytes", "reject_reason", "defects",
)  # fmt: skip

TOUCHED = "CREATE TEMP TABLE IF NOT EXISTS touched (ind bigint, is_new boolean) ON COMMIT DELETE ROWS"
LOCK_JOINS = f"SELECT pg_advisory_xact_lock({JOIN_LOCK})"
# What the batch holds, shard by shard: a replay holds the same, a batch planned again by a restored checkpoint does not
CLAIM = """
INSERT INTO stream.progress (query, checkpoint_id, batch_id, record_count, row_count, duplicate_count,
    quarantined_count, content_key)
SELECT %(query)s, %(checkpoint_id)s, %(batch_id)s, 0, 0, 0, 0, coalesce(md5(string_agg(held, ',' ORDER BY held)), '')
FROM (SELECT concat_ws(' ', stream, shard_id, min(stream_sequence), max(stream_sequence), count(*)) AS held
      FROM staged GROUP BY stream, shard_id) AS shards
ON CONFLICT (query, checkpoint_id, batch_id) DO UPDATE SET content_key = excluded.content_key
    WHERE progress.content_key <> excluded.content_key
RETURNING query"""
QUARANTINE = """
INSERT INTO stream.quarantine (stream, shard_id, sequence_number, sub_sequence, payload, payload_bytes, reject_reason,
    ingested_at, committed_at)
SELECT stream, shard_id, stream_sequence, sub_sequence, coalesce(payload, ''), payload_bytes, reject_reason,
    ingested_at, statement_timestamp()
FROM staged WHERE reject_reason IS NOT NULL ORDER BY stream, shard_id, stream_sequence, sub_sequence
ON CONFLICT DO NOTHING"""
# A reader with a new checkpoint begins at the start again, but what was committed stays so
POSITIONS = """
INSERT INTO stream.position AS known (stream, shard_id, sequence_number, committed_at)
SELECT stream, shard_id, max(stream_sequence), statement_timestamp() FROM staged WHERE shard_id <> ''
GROUP BY stream, shard_id ORDER BY stream, shard_id
ON CONFLICT (stream, shard_id) DO UPDATE SET
    sequence_number = greatest(known.sequence_number, excluded.sequence_number), committed_at = excluded.committed_at"""
# Counts are added up: where a restored checkpoint planned a batch again, both deliveries were records
REPORT = """
UPDATE stream.progress SET
    record_count = record_count + batch.records,
    row_count = row_count + batch.new_rows,
    quarantined_count = quarantined_count + %(quarantined)s,
    duplicate_count = duplicate_count + batch.records - batch.new_rows - %(quarantined)s,
    defects = batch.defects, first_arrival = batch.first_arrival, last_arrival = batch.last_arrival,
    milliseconds_behind_latest = greatest(0, extract(epoch FROM clock_timestamp() - batch.last_arrival) * 1000),
    committed_at = clock_timestamp()
FROM (
    SELECT count(*) AS records, min(ingested_at) AS first_arrival, max(ingested_at) AS last_arrival,
        (SELECT count(*) FROM touched WHERE is_new) AS new_rows,
        (SELECT coalesce(jsonb_object_agg(name, times), '{}')
         FROM (SELECT name, count(*) AS times FROM staged, unnest(defects) AS name GROUP BY name) AS lost) AS defects
    FROM staged
) AS batch
WHERE query = %(query)s AND checkpoint_id = %(checkpoint_id)s AND batch_id = %(batch_id)s
RETURNING batch.records, batch.new_rows"""


@dataclass(frozen=True)
class Statements:
    """The statements that differ from table to table.

    - ``stage``: make ``copied``, with ``columns`` (silver's, then ``LINEAGE``) and ``sub_sequence``, and ``staged``.
    - ``fetch``, ``clear``: move on, and remove, what the executors copied; by checkpoint_id and batch_id.
    - ``upsert``: the newest record of each key, if it is newer than the table's.
    - ``join``: the posts that were touched, once all three tables have them.
    """

    columns: tuple[str, ...]
    stage: sql.Composed
    fetch: sql.Composed
    clear: sql.Composed
    upsert: sql.Composed
    join: sql.Composed


def names(columns: tuple[str, ...] | list[str], of: str = "") -> sql.Composed:
    prefix = sql.SQL(f"{of}." if of else "")
    return sql.SQL(", ").join(prefix + sql.Identifier(name) for name in columns)


def assignments(columns: list[str]) -> sql.Composed:
    one = sql.SQL("{0} = excluded.{0}")
    return sql.SQL(", ").join(one.format(sql.Identifier(name)) for name in columns)


def copied_table(table: str) -> sql.Identifier:
    return sql.Identifier("stream", f"copied_{table}")


def statements_of(table: str) -> Statements:
    columns = (*SILVER[table].names, *LINEAGE)
    copied = (*columns, "sub_sequence")
    others = [name for name in copied if name != "stream_sequence"]
    parts = {"copied": copied_table(table), "columns": names(copied), "others": names(others)}
    of_batch = sql.SQL("WHERE checkpoint_id = %(checkpoint_id)s AND batch_id = %(batch_id)s")
    return Statements(
        columns=columns,
        stage=sql.SQL("""
            CREATE TEMP TABLE IF NOT EXISTS copied ON COMMIT DELETE ROWS AS SELECT {columns} FROM {copied} WITH NO DATA;
            CREATE OR REPLACE TEMP VIEW staged AS
            SELECT {others}, stream_sequence::numeric AS stream_sequence FROM copied""").format(**parts),
        fetch=sql.SQL("INSERT INTO copied ({columns}) SELECT {columns} FROM {copied} {of_batch}").format(
            **parts, of_batch=of_batch
        ),
        clear=sql.SQL("DELETE FROM {copied} {of_batch}").format(**parts, of_batch=of_batch),
        upsert=upsert(table),
        join=join(),
    )


def upsert(table: str) -> sql.Composed:
    """Count as new what had no row before: ``xmax`` of a row that ON CONFLICT inserted is 0."""
    written = [*SILVER[table].names, "stream_sequence", "sub_sequence", "ingested_at"]
    return sql.SQL("""
        WITH newest AS (
            SELECT DISTINCT ON (ind) {columns} FROM staged WHERE reject_reason IS NULL
            ORDER BY ind, ingested_at DESC, stream_sequence DESC, sub_sequence DESC
        ), written AS (
            INSERT INTO {target} AS known ({columns}, committed_at)
            SELECT {columns}, statement_timestamp() FROM newest ORDER BY ind
            ON CONFLICT (ind) DO UPDATE SET {assignments}
                WHERE (excluded.ingested_at, excluded.stream_sequence, excluded.sub_sequence)
                    > (known.ingested_at, known.stream_sequence, known.sub_sequence)
            RETURNING known.ind, known.xmax = 0
        )
        INSERT INTO touched SELECT * FROM written""").format(
        columns=names(written),
        target=sql.Identifier("stream", table),
        assignments=assignments([*written[1:], "committed_at"]),
    )


def join() -> sql.Composed:
    columns = [name for table in TABLES for name in SILVER[table].names if name != "ind"]
    selected = [names([name for name in SILVER[table].names if name != "ind"], table) for table in ("pin", "geo")]
    selected.append(names([name for name in SILVER["user"].names if name != "ind"], "poster"))
    return sql.SQL("""
        INSERT INTO stream.post (ind, {columns}, ingested_at, committed_at)
        SELECT ind, {selected}, greatest(pin.ingested_at, geo.ingested_at, poster.ingested_at), statement_timestamp()
        FROM touched JOIN stream.pin USING (ind) JOIN stream.geo USING (ind) JOIN stream."user" AS poster USING (ind)
        ORDER BY ind
        ON CONFLICT (ind) DO UPDATE SET {assignments}""").format(
        columns=names(columns),
        selected=sql.SQL(", ").join(selected),
        assignments=assignments([*columns, "ingested_at", "committed_at"]),
    )
