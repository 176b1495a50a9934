-- Purpose: records of the streams that no row could be made of, with the reason.
-- Grain: one row per record. Key: where the record stands in its stream.
-- payload: the record as text; bytes that text cannot hold (invalid UTF-8, NUL) are U+FFFD.
-- Idempotent: IF NOT EXISTS; a replay meets the key and changes nothing.
CREATE TABLE IF NOT EXISTS stream.quarantine (
    stream text NOT NULL,
    shard_id text NOT NULL,
    sequence_number numeric NOT NULL,
    payload text NOT NULL,
    reject_reason text NOT NULL,
    ingested_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, shard_id, sequence_number)
);
