-- Purpose: Most posted category of each country; every tied category is kept.
-- Grain: one row per country and tied category. Key: country, category.
-- Idempotent: IF NOT EXISTS; publish/100_popular_category_by_country.sql fills it.
CREATE TABLE IF NOT EXISTS gold.popular_category_by_country (
    country text NOT NULL,
    category text NOT NULL,
    category_count bigint NOT NULL,
    PRIMARY KEY (country, category)
);
