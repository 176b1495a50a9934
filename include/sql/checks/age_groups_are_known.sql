-- A row here is a defect: there are four age groups, and no group has no line.
WITH groups AS (
    SELECT 'popular_category_by_age_group' AS table_name, age_group FROM gold.popular_category_by_age_group
    UNION ALL
    SELECT 'median_followers_by_age_group', age_group FROM gold.median_followers_by_age_group
    UNION ALL
    SELECT 'median_followers_by_join_year_and_age_group', age_group
    FROM gold.median_followers_by_join_year_and_age_group
)
SELECT DISTINCT table_name, age_group
FROM groups
WHERE age_group NOT IN ('18-24', '25-35', '36-50', '50+')
ORDER BY table_name, age_group
LIMIT 20;
