-- The warehouse as the DDL before the migrations made it (commit 7e090a7, files 010 to 401 in their order), with a few rows.
CREATE SCHEMA IF NOT EXISTS gold;
CREATE SCHEMA IF NOT EXISTS gold_staging;
CREATE SCHEMA IF NOT EXISTS stream;
CREATE SCHEMA IF NOT EXISTS audit;
CREATE TABLE IF NOT EXISTS gold.popular_category_by_country (
    country text NOT NULL,
    category text NOT NULL,
    category_count bigint NOT NULL,
    PRIMARY KEY (country, category)
);
CREATE TABLE IF NOT EXISTS gold.popular_category_by_year (
    post_year int NOT NULL,
    category text NOT NULL,
    category_count bigint NOT NULL,
    PRIMARY KEY (post_year, category)
);
CREATE TABLE IF NOT EXISTS gold.category_count_by_year (
    post_year int NOT NULL,
    category text NOT NULL,
    category_count bigint NOT NULL,
    PRIMARY KEY (post_year, category)
);
CREATE TABLE IF NOT EXISTS gold.top_user_by_country (
    country text NOT NULL,
    poster_name text NOT NULL,
    follower_count bigint NOT NULL,
    PRIMARY KEY (country, poster_name)
);
CREATE TABLE IF NOT EXISTS gold.top_country (
    country text NOT NULL,
    follower_count bigint NOT NULL,
    PRIMARY KEY (country)
);
CREATE TABLE IF NOT EXISTS gold.popular_category_by_age_group (
    age_group text NOT NULL,
    category text NOT NULL,
    category_count bigint NOT NULL,
    PRIMARY KEY (age_group, category)
);
CREATE TABLE IF NOT EXISTS gold.median_followers_by_age_group (
    age_group text NOT NULL,
    median_follower_count double precision NOT NULL,
    PRIMARY KEY (age_group)
);
CREATE TABLE IF NOT EXISTS gold.users_joined_by_year (
    join_year int NOT NULL,
    number_users_joined bigint NOT NULL,
    PRIMARY KEY (join_year)
);
CREATE TABLE IF NOT EXISTS gold.median_followers_by_join_year (
    join_year int NOT NULL,
    median_follower_count double precision NOT NULL,
    PRIMARY KEY (join_year)
);
CREATE TABLE IF NOT EXISTS gold.median_followers_by_join_year_and_age_group (
    age_group text NOT NULL,
    join_year int NOT NULL,
    median_follower_count double precision NOT NULL,
    PRIMARY KEY (age_group, join_year)
);
CREATE TABLE IF NOT EXISTS gold_staging.popular_category_by_country (
    LIKE gold.popular_category_by_country INCLUDING ALL
);
CREATE TABLE IF NOT EXISTS gold_staging.popular_category_by_year (
    LIKE gold.popular_category_by_year INCLUDING ALL
);
CREATE TABLE IF NOT EXISTS gold_staging.category_count_by_year (
    LIKE gold.category_count_by_year INCLUDING ALL
);
CREATE TABLE IF NOT EXISTS gold_staging.top_user_by_country (
    LIKE gold.top_user_by_country INCLUDING ALL
);
CREATE TABLE IF NOT EXISTS gold_staging.top_country (
    LIKE gold.top_country INCLUDING ALL
);
CREATE TABLE IF NOT EXISTS gold_staging.popular_category_by_age_group (
    LIKE gold.popular_category_by_age_group INCLUDING ALL
);
CREATE TABLE IF NOT EXISTS gold_staging.median_followers_by_age_group (
    LIKE gold.median_followers_by_age_group INCLUDING ALL
);
CREATE TABLE IF NOT EXISTS gold_staging.users_joined_by_year (
    LIKE gold.users_joined_by_year INCLUDING ALL
);
CREATE TABLE IF NOT EXISTS gold_staging.median_followers_by_join_year (
    LIKE gold.median_followers_by_join_year INCLUDING ALL
);
CREATE TABLE IF NOT EXISTS gold_staging.median_followers_by_join_year_and_age_group (
    LIKE gold.median_followers_by_join_year_and_age_group INCLUDING ALL
);
CREATE TABLE IF NOT EXISTS gold_staging.load (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    loaded_at timestamptz NOT NULL,
    table_rows jsonb NOT NULL
);
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
CREATE TABLE IF NOT EXISTS stream.geo (
    ind bigint PRIMARY KEY,
    country text,
    coordinates double precision[],
    "timestamp" timestamptz,
    stream_sequence numeric NOT NULL,
    ingested_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS stream."user" (
    ind bigint PRIMARY KEY,
    user_name text,
    age int,
    date_joined timestamptz,
    stream_sequence numeric NOT NULL,
    ingested_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now()
);
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
CREATE TABLE IF NOT EXISTS stream.progress (
    query text NOT NULL,
    checkpoint_id uuid NOT NULL,
    batch_id bigint NOT NULL,
    record_count bigint NOT NULL,
    row_count bigint NOT NULL,
    duplicate_count bigint NOT NULL,
    quarantined_count bigint NOT NULL,
    defects jsonb NOT NULL DEFAULT '{}',
    content_key text NOT NULL,
    first_arrival timestamptz,
    last_arrival timestamptz,
    milliseconds_behind_latest bigint,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (query, checkpoint_id, batch_id),
    CHECK (record_count = row_count + duplicate_count + quarantined_count)
);
CREATE TABLE IF NOT EXISTS stream.control (
    query text PRIMARY KEY,
    stop_requested_at timestamptz,
    paused_at timestamptz,
    paused_by text,
    reason text
);
CREATE TABLE IF NOT EXISTS stream.position (
    stream text NOT NULL,
    shard_id text NOT NULL,
    sequence_number numeric NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, shard_id)
);
CREATE INDEX IF NOT EXISTS progress_newest ON stream.progress (query, committed_at DESC);
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
CREATE TABLE IF NOT EXISTS audit.run_rows (
    dag_id text NOT NULL,
    run_id text NOT NULL,
    table_name text NOT NULL,
    source_rows bigint NOT NULL,
    acknowledged_rows bigint NOT NULL,
    dead_letter_rows bigint NOT NULL,
    landed_rows bigint NOT NULL,
    silver_rows bigint NOT NULL,
    duplicate_rows bigint NOT NULL,
    quarantined_rows bigint NOT NULL,
    lost_rows bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dag_id, run_id, table_name)
);
CREATE TABLE IF NOT EXISTS audit.lake_rows (
    table_name text PRIMARY KEY,
    bronze_rows bigint NOT NULL,
    silver_rows bigint NOT NULL,
    duplicate_rows bigint NOT NULL,
    quarantined_rows bigint NOT NULL,
    quarantine_reasons jsonb NOT NULL,
    defects jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO stream.pin (ind, title, tag_list, stream_sequence, ingested_at) VALUES (7, 'Kept', '{a,b}', 12, now());
INSERT INTO stream.progress
    (query, checkpoint_id, batch_id, record_count, row_count, duplicate_count, quarantined_count, content_key)
VALUES ('stream_pin', gen_random_uuid(), 0, 1, 1, 0, 0, 'k');
INSERT INTO stream.control (query, paused_at, paused_by) VALUES ('all', now(), 'an operator');
INSERT INTO audit.run_rows VALUES ('pinterest_daily_batch', 'r', 'pin', 9, 9, 0, 9, 9, 0, 0, 0);
INSERT INTO gold.top_country VALUES ('Chad', 900);
INSERT INTO gold_staging.load (loaded_at, table_rows) VALUES (now(), '{"top_country": 1}');
