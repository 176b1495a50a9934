-- Purpose: Most posted category of each year from 2018 to 2022; every tied category is kept.
-- Grain: one row per year and tied category. Key: post_year, category.
-- Idempotent: IF NOT EXISTS; publish/101_popular_category_by_year.sql fills it.
CREATE TABLE IF NOT EXISTS gold.popular_category_by_year (
    post_year int NOT NULL,
    category text NOT NULL,
    category_count bigint NOT NULL,
    PRIMARY KEY (post_year, category)
);
