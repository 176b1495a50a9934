-- Purpose: Median followers of the distinct users who joined in each year from 2015 to 2020.
-- Grain: one row per year. Key: join_year.
-- Idempotent: IF NOT EXISTS; publish/108_median_followers_by_join_year.sql fills it.
CREATE TABLE IF NOT EXISTS gold.median_followers_by_join_year (
    join_year int NOT NULL,
    median_follower_count double precision NOT NULL,
    PRIMARY KEY (join_year)
);
