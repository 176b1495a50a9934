-- Purpose: how far each shard has been read and committed: by it a stream is known to be read, before it is deleted.
-- Grain: one row per stream and shard that a record was committed of. Key: stream, shard_id.
-- Idempotent: IF NOT EXISTS; the row is written in the transaction that writes the batch's rows, and never goes back.
CREATE TABLE IF NOT EXISTS stream.position (
    stream text NOT NULL,
    shard_id text NOT NULL,
    sequence_number numeric NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, shard_id)
);
