-- A row here is a defect: top_country must be exactly the countries with the largest count of top_user_by_country.
WITH expected AS (
    SELECT DISTINCT country, follower_count
    FROM gold.top_user_by_country
    WHERE follower_count = (SELECT max(follower_count) FROM gold.top_user_by_country)
)
SELECT country, expected.follower_count AS expected, found.follower_count AS found
FROM expected
FULL JOIN gold.top_country AS found USING (country)
WHERE expected.follower_count IS DISTINCT FROM found.follower_count
ORDER BY country
LIMIT 20;
