-- Purpose: how many rows of each table a run must send, counted apart from the queries that send them, and how many
-- it leaves out because their post has no timestamp.
-- Grain: one row per table that is not empty. Key: table_name.
-- Idempotent: reads only.
WITH posts AS (
    SELECT 'pin' AS table_name, g."timestamp" AS posted_at
    FROM pinterest_data AS p
    LEFT JOIN geolocation_data AS g ON g.ind = p."index"
    UNION ALL
    SELECT 'geo', g."timestamp"
    FROM geolocation_data AS g
    UNION ALL
    SELECT 'user', g."timestamp"
    FROM user_data AS u
    LEFT JOIN geolocation_data AS g ON g.ind = u.ind
)
SELECT
    table_name,
    count(*) FILTER (
        WHERE (posted_at >= %(window_start)s AND posted_at < %(window_end)s)
            OR (%(include_undated)s AND posted_at IS NULL)
    ) AS source_rows,
    count(*) FILTER (WHERE posted_at IS NULL AND NOT %(include_undated)s) AS undated_rows
FROM posts
GROUP BY table_name;
