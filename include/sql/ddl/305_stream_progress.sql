-- Purpose: what each micro-batch committed; the row that makes a replayed micro-batch a no-op.
-- Grain: one row per query and micro-batch. Key: query, batch_id.
-- Idempotent: IF NOT EXISTS; the row is written in the transaction that writes the batch's rows.
CREATE TABLE IF NOT EXISTS stream.progress (
    query text NOT NULL,
    batch_id bigint NOT NULL,
    row_count bigint NOT NULL,
    quarantined_count bigint NOT NULL,
    first_arrival timestamptz,
    last_arrival timestamptz,
    milliseconds_behind_latest bigint,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (query, batch_id)
);
