-- Purpose: validated records of a micro-batch that is too big for the Spark driver, copied here by the executors.
-- Grain: one row per record of one batch, deleted in the transaction that moves it on. A part that is copied again
-- replaces itself. UNLOGGED: after a crash of the server the batch is copied again.

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

CREATE UNLOGGED TABLE IF NOT EXISTS stream.copied_user (
    checkpoint_id uuid NOT NULL,
    batch_id bigint NOT NULL,
    part int NOT NULL,
    ind bigint,
    user_name text,
    age int,
    date_joined timestamptz,
    stream text NOT NULL,
    shard_id text NOT NULL,
    stream_sequence text NOT NULL,
    ingested_at timestamptz NOT NULL,
    payload text,
    reject_reason text,
    defects text[]
);
