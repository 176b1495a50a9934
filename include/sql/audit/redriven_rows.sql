-- Purpose: how many dead letters of some tries of tasks (%(uris)s) were sent again and delivered.
-- Grain: one row per try of which some were. Key: dead_letter_uri.
-- Idempotent: reads only.
SELECT
    dead_letter_uri,
    sum(redriven_rows)::bigint AS redriven_rows
FROM audit.redriven_rows
WHERE dead_letter_uri = ANY(%(uris)s)
GROUP BY dead_letter_uri;
