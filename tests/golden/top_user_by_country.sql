-- User (poster_name) with most followers in each country, by the posts made there; ties kept.
-- Grain: country, poster_name. Reads pin and geo. Readings: README.md.
WITH pin_text AS (
    SELECT "index" AS ind,
           nullif(nullif(btrim(regexp_replace(poster_name, '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')), ''), 'User Info Error') AS poster_name,
           nullif(btrim(regexp_replace(follower_count, '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')), '') AS follower_text
      FROM pinterest_data
), pin AS (
    SELECT ind, poster_name,
           CASE WHEN follower_text ~ '^[0-9,]*[.]?[0-9]+ ?[kKmMbB]?$' THEN
                round(replace(substring(follower_text FROM '^[0-9,.]+'), ',', '')::numeric
                      * CASE lower(right(follower_text, 1))
                             WHEN 'k' THEN 1000 WHEN 'm' THEN 1000000 WHEN 'b' THEN 1000000000 ELSE 1
                        END)::bigint
           END AS follower_count
      FROM pin_text
), geo AS (
    SELECT ind,
           nullif(btrim(regexp_replace(country, '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')), '') AS country
      FROM geolocation_data
     WHERE (latitude IS NULL OR latitude BETWEEN -90 AND 90)
       AND (longitude IS NULL OR longitude BETWEEN -180 AND 180)
       AND ("timestamp" IS NULL
            OR ("timestamp" >= '2005-01-01' AND "timestamp" < (now() AT TIME ZONE 'UTC')::date + 2))
), largest AS (
    SELECT country, poster_name, max(follower_count) AS follower_count
      FROM pin JOIN geo USING (ind)
     WHERE country IS NOT NULL AND poster_name IS NOT NULL AND follower_count IS NOT NULL
     GROUP BY country, poster_name
)
SELECT country, poster_name, follower_count
  FROM largest
 WHERE (country, follower_count) IN (SELECT country, max(follower_count) FROM largest GROUP BY country)
 ORDER BY country, poster_name;
