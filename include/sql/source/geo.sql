-- Purpose: where and when it was posted, in the columns of the wire, for the posts whose timestamp (UTC) lies in
-- [window_start, window_end). A post without a timestamp lies in no window: it comes with include_undated.
-- Grain: one row per post. Key: ind.
-- Idempotent: reads only; the same window of the same source gives the same rows in the same order.
SELECT
    g.ind,
    g."timestamp",
    g.latitude,
    g.longitude,
    g.country
FROM geolocation_data AS g
WHERE (g."timestamp" >= %(window_start)s AND g."timestamp" < %(window_end)s)
    OR (%(include_undated)s AND g."timestamp" IS NULL)
ORDER BY g.ind;
