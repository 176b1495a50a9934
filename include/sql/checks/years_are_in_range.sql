-- A row here is a defect: silver takes dates from 2005 to tomorrow; users are asked for from 2015 to 2020, popular
-- categories from 2018 to 2022.
WITH years AS (
    SELECT
        'category_count_by_year' AS table_name,
        post_year AS year,
        2005 AS first,
        extract(year FROM now() AT TIME ZONE 'UTC' + interval '1 day')::int AS last
    FROM gold.category_count_by_year
    UNION ALL
    SELECT 'popular_category_by_year', post_year, 2018, 2022
    FROM gold.popular_category_by_year
    UNION ALL
    SELECT 'users_joined_by_year', join_year, 2015, 2020
    FROM gold.users_joined_by_year
    UNION ALL
    SELECT 'median_followers_by_join_year', join_year, 2015, 2020
    FROM gold.median_followers_by_join_year
    UNION ALL
    SELECT 'median_followers_by_join_year_and_age_group', join_year, 2015, 2020
    FROM gold.median_followers_by_join_year_and_age_group
)
SELECT DISTINCT table_name, year
FROM years
WHERE year NOT BETWEEN first AND last
ORDER BY table_name, year
LIMIT 20;
