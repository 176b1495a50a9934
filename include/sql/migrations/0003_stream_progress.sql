-- Purpose: what each micro-batch committed, up to where each shard is committed, and what the stream is requested to do.

-- Purpose: the row that makes a replayed micro-batch a no-op, written in the transaction of the batch's rows.
-- Grain: one row per query, checkpoint and micro-batch. checkpoint_id: the id that Spark keeps in a checkpoint. A new
-- checkpoint numbers its batches from 0 again, so its batch 0 is no replay of another's. Rows older than a week are
-- summed up in batch -1 of their checkpoint, its newest batch excepted.
-- record_count = row_count (keys that were new to the table) + duplicate_count (newer or older records of known keys,
-- and records delivered again) + quarantined_count. So over all rows of a query sum(row_count) is the table's number of
-- rows, and sum(quarantined_count) the stream's number of rows in quarantine.
-- content_key: hash of the batch's records. It tells a replay from a batch that a restored checkpoint planned again.
-- milliseconds_behind_latest: age of the batch's newest record at its commit.
CREATE TABLE IF NOT EXISTS stream.progress (
    query text NOT NULL,
    checkpoint_id uuid NOT NULL,
    batch_id bigint NOT NULL,
    record_count bigint NOT NULL,
    row_count bigint NOT NULL,
    duplicate_count bigint NOT NULL,
    quarantined_count bigint NOT NULL,
    defects jsonb NOT NULL DEFAULT '{}',
    content_key text NOT NULL,
    first_arrival timestamptz,
    last_arrival timestamptz,
    milliseconds_behind_latest bigint,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (query, checkpoint_id, batch_id),
    CHECK (record_count = row_count + duplicate_count + quarantined_count)
);

-- Purpose: the newest micro-batches of a query, which the supervisor reads every few seconds.
CREATE INDEX IF NOT EXISTS progress_newest ON stream.progress (query, committed_at DESC);

-- Purpose: requests to the stream: stop at the end of a micro-batch, stay paused.
-- Grain: one row per query (stream_pin, stream_geo, stream_user), or 'all' for every one. A run obeys a request to stop
-- that is younger than the run, so no request needs to be taken back.
CREATE TABLE IF NOT EXISTS stream.control (
    query text PRIMARY KEY,
    stop_requested_at timestamptz,
    paused_at timestamptz,
    paused_by text,
    reason text
);

-- Purpose: the last committed record of each shard. It proves that a stream was read before the stream is deleted.
-- Grain: one row per stream and shard with a committed record. Key: stream, shard_id. Written in the transaction of the
-- batch's rows; a position never goes back.
CREATE TABLE IF NOT EXISTS stream.position (
    stream text NOT NULL,
    shard_id text NOT NULL,
    sequence_number numeric NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, shard_id)
);
