-- Purpose: who posted it, in the columns of the wire, for the posts of a list of ids (%(ids)s).
-- Grain: one row per post. Key: ind.
-- Idempotent: reads only.
SELECT
    u.ind,
    u.first_name,
    u.last_name,
    u.age,
    u.date_joined
FROM user_data AS u
WHERE u.ind = ANY(%(ids)s);
