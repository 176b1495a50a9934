-- Purpose: who posted it, in the columns of the wire, for the posts whose timestamp (UTC) lies in
-- [window_start, window_end). A post without a timestamp lies in no window: it comes with include_undated.
-- Grain: one row per post. Key: ind.
-- Idempotent: reads only; the same window of the same source gives the same rows in the same order.
SELECT
    u.ind,
    u.first_name,
    u.last_name,
    u.age,
    u.date_joined
FROM user_data AS u
LEFT JOIN geolocation_data AS g ON g.ind = u.ind
WHERE (g."timestamp" >= %(window_start)s AND g."timestamp" < %(window_end)s)
    OR (%(include_undated)s AND g."timestamp" IS NULL)
ORDER BY u.ind;
