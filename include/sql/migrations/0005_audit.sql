-- Purpose: row counts of every batch run, and of the lake.

-- Purpose: where the rows of each batch run went; audit/record_run_rows.sql upserts.
-- Grain: one row per DAG run and table (pin, geo, user). Key: dag_id, run_id, table_name.
-- source = acknowledged + dead letters; landed = silver + duplicates + quarantined + lost, and lost is 0 in a good run.
CREATE TABLE IF NOT EXISTS audit.run_rows (
    dag_id text NOT NULL,
    run_id text NOT NULL,
    table_name text NOT NULL,
    source_rows bigint NOT NULL,
    acknowledged_rows bigint NOT NULL,
    dead_letter_rows bigint NOT NULL,
    landed_rows bigint NOT NULL,
    silver_rows bigint NOT NULL,
    duplicate_rows bigint NOT NULL,
    quarantined_rows bigint NOT NULL,
    lost_rows bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dag_id, run_id, table_name)
);

-- Purpose: what the lake holds since the last batch run, over all runs; audit/record_lake_rows.sql upserts.
-- Grain: one row per table (pin, geo, user). Key: table_name.
-- quarantine_reasons: {reason: rows}. defects: {column: values that were set to NULL, rows kept}.
-- recorded_at: when the lake was counted.
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
