-- Purpose: what was pinned, in the columns of the wire, for the posts of a list of ids (%(ids)s, an array of numbers).
-- Grain: one row per post. Key: index.
-- Idempotent: reads only.
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
WHERE p."index" = ANY(%(ids)s);
