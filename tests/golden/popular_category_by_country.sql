-- Most posted category in each country; ties kept. Grain: country, category. Reads pin and geo. Readings: README.md.
WITH pin AS (
    SELECT "index" AS ind,
           nullif(btrim(regexp_replace(category, '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')), '') AS category
      FROM pinterest_data
), geo AS (
    SELECT ind,
           nullif(btrim(regexp_replace(country, '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')), '') AS country
      FROM geolocation_data
     WHERE (latitude IS NULL OR latitude BETWEEN -90 AND 90)
       AND (longitude IS NULL OR longitude BETWEEN -180 AND 180)
       AND ("timestamp" IS NULL
            OR ("timestamp" >= '2005-01-01' AND "timestamp" < (now() AT TIME ZONE 'UTC')::date + 2))
), counted AS (
    SELECT country, category, count(*) AS category_count
      FROM pin JOIN geo USING (ind)
     WHERE country IS NOT NULL AND category IS NOT NULL
     GROUP BY country, category
)
SELECT country, category, category_count
  FROM counted
 WHERE (country, category_count) IN (SELECT country, max(category_count) FROM counted GROUP BY country)
 ORDER BY country, category;
