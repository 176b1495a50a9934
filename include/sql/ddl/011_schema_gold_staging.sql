-- Where the gold notebook leaves its answers until they are published.
-- Idempotent: IF NOT EXISTS.
CREATE SCHEMA IF NOT EXISTS gold_staging;
