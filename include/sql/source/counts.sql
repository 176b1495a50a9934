-- Purpose: how many rows of each table a run must send, counted apart from the queries that send them, and how many
-- it leaves out because their post has no timestamp; and the newest post before the window's end that the table has,
-- in this window or before it.
-- Grain: one row per table that is not empty. Key: table_name.
-- Idempotent: reads only.
WITH posts AS (
    SELECT 'pin' AS table_name, p."index" AS ind, g."timestamp" AS posted_at
    FROM pinterest_data AS p
    LEFT JOIN geolocation_data AS g ON g.ind = p."index"
    UNION ALL
    SELECT 'geo', g.ind, g."timestamp"
    FROM geolocation_data AS g
    UNION ALL
    SELECT 'user', u.ind, g."timestamp"
    FROM user_data AS u
    LEFT JOIN geolocation_data AS g ON g.ind = u.ind
),

newest AS (
    SELECT DISTINCT ON (table_name)
        table_name,
        ind,
        posted_at
    FROM posts
    WHERE posted_at < %(window_end)s
    ORDER BY table_name, posted_at DESC, ind DESC
)

SELECT
    table_name,
    count(*) FILTER (
        WHERE (posted_at >= %(window_start)s AND posted_at < %(window_end)s)
            OR (%(include_undated)s AND posted_at IS NULL)
    ) AS source_rows,
    count(*) FILTER (WHERE posted_at IS NULL AND NOT %(include_undated)s) AS undated_rows,
    (SELECT n.ind FROM newest AS n WHERE n.table_name = posts.table_name) AS newest_ind,
    (
        SELECT to_char(n.posted_at, 'YYYY-MM-DD"T"HH24:MI:SS') FROM newest AS n WHERE n.table_name = posts.table_name
    ) AS newest_posted_at
FROM posts
GROUP BY table_name;
