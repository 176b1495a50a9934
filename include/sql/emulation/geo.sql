-- Purpose: where and when it was posted, in the columns of the wire, for the posts of a list of ids (%(ids)s).
-- Grain: one row per post. Key: ind.
-- Idempotent: reads only.
SELECT
    g.ind,
    g."timestamp",
    g.latitude,
    g.longitude,
    g.country
FROM geolocation_data AS g
WHERE g.ind = ANY(%(ids)s);
