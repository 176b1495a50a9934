-- Purpose: the answer gold.median_followers_by_age_group as the gold notebook last computed it.
-- Grain and key: those of the gold table, so that a doubled row fails the load and not the readers.
-- Idempotent: IF NOT EXISTS; the notebook replaces all rows of the schema in one transaction.
CREATE TABLE IF NOT EXISTS gold_staging.median_followers_by_age_group (
    LIKE gold.median_followers_by_age_group INCLUDING ALL
);
