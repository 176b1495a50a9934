-- Purpose: Country of the poster with the most followers of all; every tied country is kept.
-- Grain: one row per tied country. Key: country.
-- Idempotent: IF NOT EXISTS; publish/104_top_country.sql fills it.
CREATE TABLE IF NOT EXISTS gold.top_country (
    country text NOT NULL,
    follower_count bigint NOT NULL,
    PRIMARY KEY (country)
);
