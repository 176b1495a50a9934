-- A row here is a defect: what is published must have as many rows as what was staged.
WITH tables AS (
    SELECT
        'popular_category_by_country' AS table_name,
        (SELECT count(*) FROM gold.popular_category_by_country) AS gold_rows,
        (SELECT count(*) FROM gold_staging.popular_category_by_country) AS staged_rows
    UNION ALL
    SELECT
        'popular_category_by_year' AS table_name,
        (SELECT count(*) FROM gold.popular_category_by_year) AS gold_rows,
        (SELECT count(*) FROM gold_staging.popular_category_by_year) AS staged_rows
    UNION ALL
    SELECT
        'category_count_by_year' AS table_name,
        (SELECT count(*) FROM gold.category_count_by_year) AS gold_rows,
        (SELECT count(*) FROM gold_staging.category_count_by_year) AS staged_rows
    UNION ALL
    SELECT
        'top_user_by_country' AS table_name,
        (SELECT count(*) FROM gold.top_user_by_country) AS gold_rows,
        (SELECT count(*) FROM gold_staging.top_user_by_country) AS staged_rows
    UNION ALL
    SELECT
        'top_country' AS table_name,
        (SELECT count(*) FROM gold.top_country) AS gold_rows,
        (SELECT count(*) FROM gold_staging.top_country) AS staged_rows
    UNION ALL
    SELECT
        'popular_category_by_age_group' AS table_name,
        (SELECT count(*) FROM gold.popular_category_by_age_group) AS gold_rows,
        (SELECT count(*) FROM gold_staging.popular_category_by_age_group) AS staged_rows
    UNION ALL
    SELECT
        'median_followers_by_age_group' AS table_name,
        (SELECT count(*) FROM gold.median_followers_by_age_group) AS gold_rows,
        (SELECT count(*) FROM gold_staging.median_followers_by_age_group) AS staged_rows
    UNION ALL
    SELECT
        'users_joined_by_year' AS table_name,
        (SELECT count(*) FROM gold.users_joined_by_year) AS gold_rows,
        (SELECT count(*) FROM gold_staging.users_joined_by_year) AS staged_rows
    UNION ALL
    SELECT
        'median_followers_by_join_year' AS table_name,
        (SELECT count(*) FROM gold.median_followers_by_join_year) AS gold_rows,
        (SELECT count(*) FROM gold_staging.median_followers_by_join_year) AS staged_rows
    UNION ALL
    SELECT
        'median_followers_by_join_year_and_age_group' AS table_name,
        (SELECT count(*) FROM gold.median_followers_by_join_year_and_age_group) AS gold_rows,
        (SELECT count(*) FROM gold_staging.median_followers_by_join_year_and_age_group) AS staged_rows
)
SELECT table_name, gold_rows, staged_rows
FROM tables
WHERE gold_rows <> staged_rows
ORDER BY table_name;
