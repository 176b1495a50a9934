-- Purpose: the rows of the stream: clean posts by part (pin, geo, user), whole posts, and rejected records.
-- The stream upserts; the newest (ingested_at, stream_sequence) of a post wins.
-- stream_sequence: Kinesis sequence number of the record. ingested_at: its arrival at Kinesis.

-- Grain: one row per post. Key: ind, the id of the post.
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

-- Grain: one row per post. Key: ind.
CREATE TABLE IF NOT EXISTS stream.geo (
    ind bigint PRIMARY KEY,
    country text,
    coordinates double precision[],
    "timestamp" timestamptz,
    stream_sequence numeric NOT NULL,
    ingested_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now()
);

-- Grain: one row per post. Key: ind.
CREATE TABLE IF NOT EXISTS stream."user" (
    ind bigint PRIMARY KEY,
    user_name text,
    age int,
    date_joined timestamptz,
    stream_sequence numeric NOT NULL,
    ingested_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now()
);

-- Purpose: pin, geo and user, joined once all three have arrived. ingested_at: arrival of the last of the three.
-- Grain: one row per post. Key: ind.
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

-- Purpose: records that no row could be made of, with the reason. A replay meets the key and changes nothing.
-- Grain: one row per record. Key: its place in the stream.
-- payload: the record as text; bytes that text cannot hold (invalid UTF-8, NUL) are U+FFFD.
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
