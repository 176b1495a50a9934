-- Purpose: which dead letters were sent again, and what became of them.
-- Grain of audit.redriven_rows: one row per object of dead letters, which is resolved once, and per try of a task whose
-- dead letters it has. Key: object_name, dead_letter_uri. audit/record_redriven_rows.sql upserts.
-- dead_letter_uri: as in audit.run_rows, the beginning of the names of a try's objects. refused_rows are dead letters
-- again, in an object of the run redriven_by.
-- A run from before has no dead_letter_uri until its task reconcile_rows runs again.

ALTER TABLE audit.run_rows ADD COLUMN dead_letter_uri text;

CREATE TABLE audit.redriven_rows (
    object_name text NOT NULL,
    dead_letter_uri text NOT NULL,
    redriven_rows bigint NOT NULL,
    refused_rows bigint NOT NULL,
    redriven_by text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (object_name, dead_letter_uri)
);
