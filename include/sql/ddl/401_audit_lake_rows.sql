-- Purpose: what the lake holds since the last batch run, over all runs.
-- Grain: one row per table (pin, geo, user). Key: table_name.
-- quarantine_reasons: {reason: rows}. defects: {column: values that were set to NULL, rows kept}.
-- recorded_at: when the lake was counted. Idempotent: IF NOT EXISTS; audit/record_lake_rows.sql upserts.
CREATE TABLE IF NOT EXISTS audit.lake_rows (
    table_name text PRIMARY KEY,
    bronze_rows bigint NOT NULL,
    silver_rows bigint NOT NULL,
    duplicate_rows bigint NOT NULL,
    quarantined_rows bigint NOT NULL,
    quarantine_reasons jsonb NOT NULL,
    defects jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
