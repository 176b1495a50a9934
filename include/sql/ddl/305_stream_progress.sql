-- Purpose: what each micro-batch committed; the row that makes a replayed micro-batch a no-op.
-- Grain: one row per query, checkpoint and micro-batch. A checkpoint is known by the id that Spark keeps in it: a new
-- one numbers its batches from 0 again, and its batch 0 is no replay of another's. Rows older than a week are summed up
-- in batch -1 of their checkpoint, its newest batch excepted.
-- record_count = row_count (keys that were new to the table) + duplicate_count (newer or older records of known keys,
-- and records delivered again) + quarantined_count, so that over all rows of a query sum(row_count) is the table's
-- number of rows and sum(quarantined_count) the stream's in quarantine.
-- content_key: hash of what the batch held, by which a replay is told from a batch that a restored checkpoint planned
-- anew. milliseconds_behind_latest: age of the batch's newest record at its commit.
-- Idempotent: IF NOT EXISTS; the row is written in the transaction that writes the batch's rows.
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
