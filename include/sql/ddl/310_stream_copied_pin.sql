-- Purpose: judged records of a micro-batch of pin that is too big for the Spark driver, copied here by the executors.
-- Grain: one row per record of one batch; it is gone with the transaction that moves it on.
-- Idempotent: IF NOT EXISTS; a part that is copied again replaces itself.
CREATE UNLOGGED TABLE IF NOT EXISTS stream.copied_pin (
    checkpoint_id uuid NOT NULL,
    batch_id bigint NOT NULL,
    part int NOT NULL,
    ind bigint,
    unique_id text,
    title text,
    description text,
    follower_count bigint,
    poster_name text,
    tag_list text[],
    is_image_or_video text,
    image_src text,
    downloaded boolean,
    save_location text,
    category text,
    stream text NOT NULL,
    shard_id text NOT NULL,
    stream_sequence text NOT NULL,
    ingested_at timestamptz NOT NULL,
    payload text,
    reject_reason text,
    defects text[]
);
