-- Purpose: whole posts: pin, geo and user joined once all three have arrived.
-- Grain: one row per post. Key: ind. ingested_at: arrival of the last of the three.
-- Idempotent: IF NOT EXISTS; the stream upserts.
CREATE TABLE IF NOT EXISTS stream.post (
    ind bigint PRIMARY KEY,
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
    country text,
    coordinates double precision[],
    "timestamp" timestamptz,
    user_name text,
    age int,
    date_joined timestamptz,
    ingested_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now()
);
