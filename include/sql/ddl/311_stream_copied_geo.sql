-- Purpose: judged records of a micro-batch of geo that is too big for the Spark driver, copied here by the executors.
-- Grain: one row per record of one batch; it is gone with the transaction that moves it on.
-- Idempotent: IF NOT EXISTS; a part that is copied again replaces itself.
CREATE UNLOGGED TABLE IF NOT EXISTS stream.copied_geo (
    checkpoint_id uuid NOT NULL,
    batch_id bigint NOT NULL,
    part int NOT NULL,
    ind bigint,
    country text,
    coordinates double precision[],
    "timestamp" timestamptz,
    stream text NOT NULL,
    shard_id text NOT NULL,
    stream_sequence text NOT NULL,
    ingested_at timestamptz NOT NULL,
    payload text,
    reject_reason text,
    defects text[]
);
