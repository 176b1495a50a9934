-- Purpose: which version of which answer was staged, and which is published.
-- Grain of audit.answers: one row per published answer. Key: name.
-- Publishing writes audit.answers in its transaction; the page in Airflow draws what it names. The answers' own tables
-- follow from include/sql/answers and are created by who fills them.

ALTER TABLE gold_staging.load ADD COLUMN IF NOT EXISTS versions jsonb NOT NULL DEFAULT '{}';

CREATE TABLE IF NOT EXISTS audit.answers (
    name text PRIMARY KEY,
    version text NOT NULL,
    definition text NOT NULL,
    row_count bigint NOT NULL,
    published_at timestamptz NOT NULL
);
