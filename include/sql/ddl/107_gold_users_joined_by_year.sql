-- Purpose: Distinct users who joined in each year from 2015 to 2020.
-- Grain: one row per year. Key: join_year.
-- Idempotent: IF NOT EXISTS; publish/107_users_joined_by_year.sql fills it.
CREATE TABLE IF NOT EXISTS gold.users_joined_by_year (
    join_year int NOT NULL,
    number_users_joined bigint NOT NULL,
    PRIMARY KEY (join_year)
);
