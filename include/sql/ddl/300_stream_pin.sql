-- Purpose: what was pinned, clean, as of the newest record of each post.
-- Grain: one row per post. Key: ind (the post's id). stream_sequence: Kinesis sequence number of the record.
-- Idempotent: IF NOT EXISTS; the stream upserts, and the newest (ingested_at, stream_sequence) wins.
CREATE TABLE IF NOT EXISTS stream.pin (
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
    stream_sequence numeric NOT NULL,
    ingested_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now()
);
