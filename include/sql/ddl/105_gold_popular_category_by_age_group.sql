-- Purpose: Most posted category of each age group; every tied category is kept.
-- Grain: one row per age group and tied category. Key: age_group, category.
-- Idempotent: IF NOT EXISTS; publish/105_popular_category_by_age_group.sql fills it.
CREATE TABLE IF NOT EXISTS gold.popular_category_by_age_group (
    age_group text NOT NULL,
    category text NOT NULL,
    category_count bigint NOT NULL,
    PRIMARY KEY (age_group, category)
);
