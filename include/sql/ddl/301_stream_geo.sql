-- Purpose: where and when it was posted, clean, as of the newest record of each post.
-- Grain: one row per post. Key: ind (the post's id). stream_sequence: Kinesis sequence number of the record.
-- Idempotent: IF NOT EXISTS; the stream upserts, and the newest (ingested_at, stream_sequence) wins.
CREATE TABLE IF NOT EXISTS stream.geo (
    ind bigint PRIMARY KEY,
    country text,
    coordinates double precision[],
    "timestamp" timestamptz,
    stream_sequence numeric NOT NULL,
    ingested_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now()
);
