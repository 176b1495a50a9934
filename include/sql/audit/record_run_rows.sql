-- Purpose: note where the rows of one table went in one DAG run.
-- Grain and key: those of audit.run_rows: dag_id, run_id, table_name.
-- Idempotent: an upsert; recording the same run again replaces its numbers.
INSERT INTO audit.run_rows (
    dag_id,
    run_id,
    table_name,
    source_rows,
    acknowledged_rows,
    dead_letter_rows,
    landed_rows,
    silver_rows,
    duplicate_rows,
    quarantined_rows,
    lost_rows,
    dead_letter_uri
)
VALUES (
    %(dag_id)s,
    %(run_id)s,
    %(table_name)s,
    %(source_rows)s,
    %(acknowledged_rows)s,
    %(dead_letter_rows)s,
    %(landed_rows)s,
    %(silver_rows)s,
    %(duplicate_rows)s,
    %(quarantined_rows)s,
    %(lost_rows)s,
    %(dead_letter_uri)s
)
ON CONFLICT (dag_id, run_id, table_name) DO UPDATE SET
    source_rows = excluded.source_rows,
    acknowledged_rows = excluded.acknowledged_rows,
    dead_letter_rows = excluded.dead_letter_rows,
    landed_rows = excluded.landed_rows,
    silver_rows = excluded.silver_rows,
    duplicate_rows = excluded.duplicate_rows,
    quarantined_rows = excluded.quarantined_rows,
    lost_rows = excluded.lost_rows,
    dead_letter_uri = excluded.dead_letter_uri,
    recorded_at = excluded.recorded_at;
