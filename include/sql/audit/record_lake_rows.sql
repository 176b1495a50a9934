-- Purpose: note what the lake holds of one table.
-- Grain and key: those of audit.lake_rows: table_name.
-- Idempotent: an upsert; recording the same run again replaces its numbers. Runs may be reconciled in any order,
-- and a person may clear an old one: numbers that were counted before those that are here change nothing.
INSERT INTO audit.lake_rows (
    table_name,
    bronze_rows,
    silver_rows,
    duplicate_rows,
    quarantined_rows,
    quarantine_reasons,
    defects,
    recorded_at
)
VALUES (
    %(table_name)s,
    %(bronze_rows)s,
    %(silver_rows)s,
    %(duplicate_rows)s,
    %(quarantined_rows)s,
    %(quarantine_reasons)s::jsonb,
    %(defects)s::jsonb,
    %(counted_at)s
)
ON CONFLICT (table_name) DO UPDATE SET
    bronze_rows = excluded.bronze_rows,
    silver_rows = excluded.silver_rows,
    duplicate_rows = excluded.duplicate_rows,
    quarantined_rows = excluded.quarantined_rows,
    quarantine_reasons = excluded.quarantine_reasons,
    defects = excluded.defects,
    recorded_at = excluded.recorded_at
WHERE excluded.recorded_at >= audit.lake_rows.recorded_at;
