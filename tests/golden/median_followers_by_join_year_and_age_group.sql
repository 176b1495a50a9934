-- Exact median of the users' largest follower counts by join year 2015..2020 and age group.
-- Grain: age_group, join_year. Reads pin and user. Readings: README.md.
WITH pin_text AS (
    SELECT "index" AS ind,
           nullif(btrim(regexp_replace(follower_count, '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')), '') AS follower_text
      FROM pinterest_data
), pin AS (
    SELECT ind,
           CASE WHEN follower_text ~ '^[0-9,]*[.]?[0-9]+ ?[kKmMbB]?$' THEN
                round(replace(substring(follower_text FROM '^[0-9,.]+'), ',', '')::numeric
                      * CASE lower(right(follower_text, 1))
                             WHEN 'k' THEN 1000 WHEN 'm' THEN 1000000 WHEN 'b' THEN 1000000000 ELSE 1
                        END)::bigint
           END AS follower_count
      FROM pin_text
), users AS (
    SELECT ind, age, date_joined,
           nullif(concat_ws(' ',
               nullif(btrim(regexp_replace(first_name, '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')), ''),
               nullif(btrim(regexp_replace(last_name, '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')), '')), '') AS user_name,
           CASE WHEN age BETWEEN 18 AND 24 THEN '18-24'
                WHEN age BETWEEN 25 AND 35 THEN '25-35'
                WHEN age BETWEEN 36 AND 50 THEN '36-50'
                WHEN age > 50 THEN '50+'
           END AS age_group,
           extract(year FROM date_joined)::int AS join_year
      FROM user_data
     WHERE (age IS NULL OR age BETWEEN 13 AND 120)
       AND (date_joined IS NULL
            OR (date_joined >= '2005-01-01' AND date_joined < (now() AT TIME ZONE 'UTC')::date + 2))
), followed AS (
    SELECT user_name, age, date_joined, age_group, join_year, max(follower_count) AS follower_count
      FROM users JOIN pin USING (ind)
     WHERE follower_count IS NOT NULL
     GROUP BY user_name, age, date_joined, age_group, join_year
)
SELECT age_group, join_year, percentile_cont(0.5) WITHIN GROUP (ORDER BY follower_count) AS median_follower_count
  FROM followed
 WHERE join_year BETWEEN 2015 AND 2020 AND age_group IS NOT NULL
 GROUP BY age_group, join_year
 ORDER BY age_group, join_year;
