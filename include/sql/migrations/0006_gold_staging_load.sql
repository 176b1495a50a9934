-- Purpose: when gold_staging was last loaded. Its one row is also the lock between a load and a publish.
-- Grain: one row, or none before the first load. Key: the constant id.
-- The gold notebook upserts the row in the transaction that replaces the answers.

CREATE TABLE IF NOT EXISTS gold_staging.load (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    loaded_at timestamptz NOT NULL,
    table_rows jsonb NOT NULL
);
