-- The published answers; the only schema that readers need.
-- Idempotent: IF NOT EXISTS.
CREATE SCHEMA IF NOT EXISTS gold;
