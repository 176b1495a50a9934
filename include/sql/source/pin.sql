-- Purpose: what was pinned, in the columns of the wire, for the posts whose timestamp (UTC) lies in
-- [window_start, window_end). A post without a timestamp lies in no window: it comes with include_undated.
-- Grain: one row per post. Key: index.
-- Idempotent: reads only; the same window of the same source gives the same rows in the same order.
SELECT
    p."index",
    p.unique_id,
    p.title,
    p.description,
    p.poster_name,
    p.follower_count,
    p.tag_list,
    p.is_image_or_video,
    p.image_src,
    p.downloaded,
    p.save_location,
    p.category
FROM pinterest_data AS p
LEFT JOIN geolocation_data AS g ON g.ind = p."index"
WHERE (g."timestamp" >= %(window_start)s AND g."timestamp" < %(window_end)s)
    OR (%(include_undated)s AND g."timestamp" IS NULL)
ORDER BY p."index";
