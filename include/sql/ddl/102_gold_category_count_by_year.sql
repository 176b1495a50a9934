-- Purpose: Posts of every category in every year of the data.
-- Grain: one row per year and category. Key: post_year, category.
-- Idempotent: IF NOT EXISTS; publish/102_category_count_by_year.sql fills it.
CREATE TABLE IF NOT EXISTS gold.category_count_by_year (
    post_year int NOT NULL,
    category text NOT NULL,
    category_count bigint NOT NULL,
    PRIMARY KEY (post_year, category)
);
