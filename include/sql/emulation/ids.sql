-- Purpose: the posts that users can be emulated to post: every id that any of the three tables knows.
-- Grain: one row per post. Key: post_id.
-- Idempotent: reads only; the same source gives the same ids in the same order.
SELECT p."index"::bigint AS post_id
FROM pinterest_data AS p
WHERE p."index" IS NOT NULL
UNION
SELECT g.ind
FROM geolocation_data AS g
WHERE g.ind IS NOT NULL
UNION
SELECT u.ind
FROM user_data AS u
WHERE u.ind IS NOT NULL
ORDER BY post_id;
