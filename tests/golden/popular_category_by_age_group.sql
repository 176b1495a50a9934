-- Most posted category in each age group; ties kept. Grain: age_group, category. Reads pin and user. Readings: README.md.
WITH pin AS (
    SELECT "index" AS ind,
           nullif(btrim(regexp_replace(category, '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')), '') AS category
      FROM pinterest_data
), users AS (
    SELECT ind,
           CASE WHEN age BETWEEN 18 AND 24 THEN '18-24'
                WHEN age BETWEEN 25 AND 35 THEN '25-35'
                WHEN age BETWEEN 36 AND 50 THEN '36-50'
                WHEN age > 50 THEN '50+'
           END AS age_group
      FROM user_data
     WHERE (age IS NULL OR age BETWEEN 13 AND 120)
       AND (date_joined IS NULL
            OR (date_joined >= '2005-01-01' AND date_joined < (now() AT TIME ZONE 'UTC')::date + 2))
), counted AS (
    SELECT age_group, category, count(*) AS category_count
      FROM pin JOIN users USING (ind)
     WHERE age_group IS NOT NULL AND category IS NOT NULL
     GROUP BY age_group, category
)
SELECT age_group, category, category_count
  FROM counted
 WHERE (age_group, category_count) IN (SELECT age_group, max(category_count) FROM counted GROUP BY age_group)
 ORDER BY age_group, category;
