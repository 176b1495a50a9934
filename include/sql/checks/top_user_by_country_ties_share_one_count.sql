-- A row here is a defect: the winners of one country must all have the same number of followers.
SELECT country, min(follower_count) AS least, max(follower_count) AS most
FROM gold.top_user_by_country
GROUP BY country
HAVING min(follower_count) <> max(follower_count)
ORDER BY country
LIMIT 20;
