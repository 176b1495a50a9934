-- Most posted category in each year 2018..2022; ties kept. Grain: post_year, category. Reads pin and geo. Readings: README.md.
WITH pin AS (
    SELECT "index" AS ind,
           nullif(btrim(regexp_replace(category, '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')), '') AS category
      FROM pinterest_data
), geo AS (
    SELECT ind,
           extract(year FROM "timestamp")::int AS post_year
      FROM geolocation_data
     WHERE (latitude IS NULL OR latitude BETWEEN -90 AND 90)
       AND (longitude IS NULL OR longitude BETWEEN -180 AND 180)
       AND ("timestamp" IS NULL
            OR ("timestamp" >= '2005-01-01' AND "timestamp" < (now() AT TIME ZONE 'UTC')::date + 2))
), counted AS (
    SELECT post_year, category, count(*) AS category_count
      FROM pin JOIN geo USING (ind)
     WHERE post_year BETWEEN 2018 AND 2022 AND category IS NOT NULL
     GROUP BY post_year, category
)
SELECT post_year, category, category_count
  FROM counted
 WHERE (post_year, category_count) IN (SELECT post_year, max(category_count) FROM counted GROUP BY post_year)
 ORDER BY post_year, category;
