-- Distinct users who joined in each year 2015..2020. Grain: join_year. Reads user alone. Readings: README.md.
WITH users AS (
    SELECT ind, age, date_joined,
           nullif(concat_ws(' ',
               nullif(btrim(regexp_replace(first_name, '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')), ''),
               nullif(btrim(regexp_replace(last_name, '[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g')), '')), '') AS user_name,
           extract(year FROM date_joined)::int AS join_year
      FROM user_data
     WHERE (age IS NULL OR age BETWEEN 13 AND 120)
       AND (date_joined IS NULL
            OR (date_joined >= '2005-01-01' AND date_joined < (now() AT TIME ZONE 'UTC')::date + 2))
)
SELECT join_year, count(*) AS number_users_joined
  FROM (SELECT DISTINCT user_name, age, date_joined, join_year FROM users) AS distinct_users
 WHERE join_year BETWEEN 2015 AND 2020
 GROUP BY join_year
 ORDER BY join_year;
