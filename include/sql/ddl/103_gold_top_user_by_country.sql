-- Purpose: Poster with the most followers in each country; every tied poster is kept.
-- Grain: one row per country and tied poster. Key: country, poster_name.
-- Idempotent: IF NOT EXISTS; publish/103_top_user_by_country.sql fills it.
CREATE TABLE IF NOT EXISTS gold.top_user_by_country (
    country text NOT NULL,
    poster_name text NOT NULL,
    follower_count bigint NOT NULL,
    PRIMARY KEY (country, poster_name)
);
