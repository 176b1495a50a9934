-- Purpose: note what became of the dead letters of one object that were sent again.
-- Grain and key: those of audit.redriven_rows: object_name, dead_letter_uri.
-- Idempotent: an upsert; a run that is cleared and sends the same object again replaces its numbers.
INSERT INTO audit.redriven_rows (object_name, dead_letter_uri, redriven_rows, refused_rows, redriven_by)
VALUES (%(object_name)s, %(dead_letter_uri)s, %(redriven_rows)s, %(refused_rows)s, %(redriven_by)s)
ON CONFLICT (object_name, dead_letter_uri) DO UPDATE SET
    redriven_rows = excluded.redriven_rows,
    refused_rows = excluded.refused_rows,
    redriven_by = excluded.redriven_by,
    recorded_at = excluded.recorded_at;
