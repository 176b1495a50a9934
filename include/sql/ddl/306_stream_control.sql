-- Purpose: what the stream is asked to do: stop at the end of its micro-batch, stay paused.
-- Grain: one row per query (stream_pin, stream_geo, stream_user), or 'all' for every one. A run obeys a request to stop
-- that is younger than itself, so that nobody needs to take one back.
-- Idempotent: IF NOT EXISTS; whoever asks upserts.
CREATE TABLE IF NOT EXISTS stream.control (
    query text PRIMARY KEY,
    stop_requested_at timestamptz,
    paused_at timestamptz,
    paused_by text,
    reason text
);
