-- A row here is a defect: what was counted is at least 1; followers are 0 or more, and a number.
WITH numbers AS (
    SELECT 'popular_category_by_country' AS table_name, category_count::double precision AS number, 1 AS least
    FROM gold.popular_category_by_country
    UNION ALL
    SELECT 'popular_category_by_year', category_count, 1
    FROM gold.popular_category_by_year
    UNION ALL
    SELECT 'category_count_by_year', category_count, 1
    FROM gold.category_count_by_year
    UNION ALL
    SELECT 'popular_category_by_age_group', category_count, 1
    FROM gold.popular_category_by_age_group
    UNION ALL
    SELECT 'users_joined_by_year', number_users_joined, 1
    FROM gold.users_joined_by_year
    UNION ALL
    SELECT 'top_user_by_country', follower_count, 0
    FROM gold.top_user_by_country
    UNION ALL
    SELECT 'top_country', follower_count, 0
    FROM gold.top_country
    UNION ALL
    SELECT 'median_followers_by_age_group', median_follower_count, 0
    FROM gold.median_followers_by_age_group
    UNION ALL
    SELECT 'median_followers_by_join_year', median_follower_count, 0
    FROM gold.median_followers_by_join_year
    UNION ALL
    SELECT 'median_followers_by_join_year_and_age_group', median_follower_count, 0
    FROM gold.median_followers_by_join_year_and_age_group
)
SELECT table_name, number
FROM numbers
WHERE number < least OR number IN ('NaN', 'Infinity')
ORDER BY table_name, number
LIMIT 20;
