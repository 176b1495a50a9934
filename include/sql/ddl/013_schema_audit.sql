-- What every batch run moved, and what the lake holds.
-- Idempotent: IF NOT EXISTS.
CREATE SCHEMA IF NOT EXISTS audit;
