-- Purpose: the answer gold.category_count_by_year as the gold notebook last computed it.
-- Grain and key: those of the gold table, so that a doubled row fails the load and not the readers.
-- Idempotent: IF NOT EXISTS; the notebook replaces all rows of the schema in one transaction.
CREATE TABLE IF NOT EXISTS gold_staging.category_count_by_year (
    LIKE gold.category_count_by_year INCLUDING ALL
);
