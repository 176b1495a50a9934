-- Purpose: Median followers of the distinct users of each join year and age group.
-- Grain: one row per age group and year. Key: age_group, join_year.
-- Idempotent: IF NOT EXISTS; publish/109_median_followers_by_join_year_and_age_group.sql fills it.
CREATE TABLE IF NOT EXISTS gold.median_followers_by_join_year_and_age_group (
    age_group text NOT NULL,
    join_year int NOT NULL,
    median_follower_count double precision NOT NULL,
    PRIMARY KEY (age_group, join_year)
);
