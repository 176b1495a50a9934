-- Purpose: Median followers of the distinct users of each age group.
-- Grain: one row per age group. Key: age_group.
-- Idempotent: IF NOT EXISTS; publish/106_median_followers_by_age_group.sql fills it.
CREATE TABLE IF NOT EXISTS gold.median_followers_by_age_group (
    age_group text NOT NULL,
    median_follower_count double precision NOT NULL,
    PRIMARY KEY (age_group)
);
